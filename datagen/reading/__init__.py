"""Labelled pictures of any tool's: what the things in them are, and where.

docs/labelled-data.md says which folders are read, by which rules, and what is refused.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from datagen.errors import InputError
from datagen.labelled import Kind, Labelled
from datagen.reading import camvid, coco, kitti, yolo
from datagen.reading.fingerprint import digest
from datagen.reading.images import load_image
from datagen.reading.kinds import kind_of

__all__ = ["digest", "load_image", "read"]

_READERS: Mapping[Kind, Callable[[Path], Labelled]] = {
    "coco": coco.read,
    "kitti": kitti.read,
    "yolo": yolo.read,
    "camvid": camvid.read,
}


def read(folder: Path, kind: Kind | None = None) -> Labelled:
    """The labelled pictures of `folder`; without `kind` its look tells what it is.

    Boxes are inside their pictures. What could not be used is in `rejected`, with the reason.
    """
    folder = Path(folder)
    try:
        if not folder.exists():
            raise InputError(f"{folder}: is not there; give a folder of labelled pictures")
        return _READERS[kind or kind_of(folder)](folder)
    except OSError as error:
        place = str(error.filename)[:200]
        raise InputError(f"{folder}: {place!r} cannot be read ({error.strerror})") from error
