"""What a picture file says of itself before any of it is decoded, and which are refused for it.

Neither numpy nor OpenCV is loaded for this: a server judges uploads by it. Pillow is, with the
first picture, so that a server that has none yet is the smaller for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
MAX_PIXELS = 40_000_000  # below Pillow's own warning at 89 million
MIN_SIDE = 8  # pixels; the smallest canvas of the scene language
MAX_FILE_BYTES = 256 << 20


class UnusableError(Exception):
    """Raised when a picture file cannot be used; its text is the reason."""


@contextmanager
def opened(
    file: bytes | Path | IO[bytes], formats: tuple[str, ...] = FORMATS
) -> Iterator[Image.Image]:
    """A picture whose header is sound; what goes wrong with it becomes an UnusableError."""
    from PIL import Image

    try:
        with Image.open(file, formats=formats) as picture:
            check_size(picture.size)
            yield picture
    except UnusableError:
        raise
    except Image.UnidentifiedImageError as error:
        raise UnusableError(f"not a {_named(formats)} image") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusableError(_too_large()) from error
    except MemoryError as error:
        raise UnusableError("not enough memory to decode it") from error
    except Exception as error:  # a damaged file can make Pillow raise nearly anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UnusableError(f"cannot be decoded: {reason}") from error


def _named(formats: tuple[str, ...]) -> str:
    names = [{"WEBP": "WebP"}.get(name, name) for name in formats]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _too_large() -> str:
    return f"more than {MAX_PIXELS // 1_000_000} million pixels"


def check_size(size: tuple[int, int]) -> None:
    """UnusableError for a picture of a (width, height) that is not read."""
    width, height = size
    if width * height > MAX_PIXELS:
        raise UnusableError(f"{_too_large()} ({width} x {height})")
    if min(width, height) < MIN_SIDE:
        raise UnusableError(f"smaller than {MIN_SIDE} px on a side ({width} x {height})")
