"""A folder of photos to a server's target, in archives of a few megabytes each."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from datagen.client.wire import Wire
from datagen.errors import InputError
from datagen.progress import Advance
from datagen.web import types

_BATCH = 16 << 20  # bytes of pictures in an archive, unless one alone has more
_BEGIN = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")  # of what a server takes: PNG and JPEG


def upload(wire: Wire, place: str, folder: Path, progress: Advance) -> types.Unpacked:
    """Each picture under its name relative to `folder`; one of this name there is replaced."""
    pictures = list(_pictures(folder))
    if not pictures:
        raise InputError(f"{folder}: holds no PNG or JPEG picture")
    taken, left_out, reasons, target = 0, 0, [], None
    for batch in _batches(pictures):
        # Sent once more it would put the same pictures in the same places.
        sent = wire.one(types.Unpacked, "POST", f"{place}/archive", content=_archive(folder, batch))
        target, taken = sent.target, taken + sent.taken
        left_out, reasons = left_out + sent.left_out, [*reasons, *sent.reasons]
        progress(taken + left_out, len(pictures), "pictures")
    assert target is not None, "there is a picture"
    return types.Unpacked(target=target, taken=taken, left_out=left_out, reasons=reasons)


def _pictures(folder: Path) -> Iterator[Path]:
    """By their first bytes, not by their names, as `learn` reads folders; none that is hidden."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.is_file():
            with path.open("rb") as file:
                if file.read(8).startswith(_BEGIN):
                    yield path


def _batches(pictures: list[Path]) -> Iterator[list[Path]]:
    batch, size = [], 0
    for path in pictures:
        more = path.stat().st_size
        if batch and size + more > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(path)
        size += more
    yield batch


def _archive(folder: Path, pictures: list[Path]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path in pictures:
            info = tarfile.TarInfo(path.relative_to(folder).as_posix())
            info.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(info, file)
    return made.getvalue()
