"""The pixels of labelled pictures, as they are stored: that is where their labels are."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from datagen.dataset.headers import FORMATS, MAX_FILE_BYTES, MAX_PIXELS
from datagen.dataset.targets import rgb
from datagen.errors import InputError
from datagen.labelled import Picture
from datagen.reading.left_out import Rejected

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
MAX_SIDE = 1 << 15  # px; run lengths are counted in 32 bits
_TOO_LARGE = (
    f"at most {MAX_PIXELS // 1_000_000} million px and {MAX_SIDE} on a side are read: make it "
    "smaller, with its labels"
)


def load_image(picture: Picture) -> np.ndarray:
    """uint8 [H, W, 3] RGB, of the size that the labels are for.

    No EXIF rotation is applied. Transparency is laid over black, 16 bits keep the high byte.
    """
    with opened(picture.file) as image:
        if image.size != (picture.width, picture.height):
            raise InputError(
                f"{picture.file}: has {image.width} x {image.height} px, but its labels are for "
                f"{picture.width} x {picture.height}; give the picture that was labelled"
            )
        return np.array(rgb(image))  # Pillow's own pixels cannot be written to


def size_of(file: Path) -> tuple[int, int]:
    """(width, height) by the header; no pixel is decoded."""
    with opened(file) as image:
        return image.size


def sizes_of(root: Path, names: Sequence[str], rejected: Rejected) -> dict[str, tuple[int, int]]:
    """Name -> (width, height) of the pictures that can be opened; the others are `rejected`."""
    sizes = {}
    for name in names:
        try:
            sizes[name] = size_of(root / name)
        except InputError as error:
            rejected.append((name, str(error).removeprefix(f"{root / name}: ")))
    return sizes


def pictures_in(folder: Path) -> list[str]:
    """Sorted names of the picture files that lie in a folder, not below it."""
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
    return sorted(entry.name for entry in entries if entry.suffix.lower() in ENDINGS)


@contextmanager
def opened(file: Path) -> Iterator[Image.Image]:
    """A picture of sound size; whatever is wrong with it is an InputError that names the file."""
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{file}: is larger than {MAX_FILE_BYTES >> 20} MiB; make it smaller")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata and large sizes: judged below
            with Image.open(file, formats=FORMATS) as image:
                _check_size(file, *image.size)
                yield image
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{file}: is not there; complete the folder") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{file}: {_TOO_LARGE}") from error
    except Image.UnidentifiedImageError as error:
        raise InputError(f"{file}: is no PNG, JPEG, WebP or BMP picture; replace it") from error
    except (Exception, MemoryError) as error:  # a damaged file makes Pillow raise nearly anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{file}: cannot be decoded ({reason}); replace it") from error


def _check_size(file: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise InputError(f"{file}: has {width} x {height} px; {_TOO_LARGE}")
