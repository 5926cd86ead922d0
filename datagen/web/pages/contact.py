"""A dataset at a glance: some of its pictures, spread over all of it, as far as they are made."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from datagen.dataset import store
from datagen.dataset.store import Shard
from datagen.errors import DatagenError
from datagen.web import datasets, types
from datagen.web.home import Home, NotHere
from datagen.web.problems import Refused

if TYPE_CHECKING:
    from PIL import Image

CRISP = 200  # px of a picture's longer side up to which its pixels are shown as they are
_SIDE = 320  # px of a thumbnail's longer side, at most
_LARGEST = 1 << 24  # px of a picture that is decoded for it
_STRIP = 4  # pictures to know a dataset by
_AT_ONCE = threading.Semaphore(4)  # pictures in memory

# What a recipe's grammar says of the size of its images, where the recipe itself is silent.
_CANVAS = re.compile(r"^\s*canvas\s+(\d+)\s*x\s*(\d+)", re.MULTILINE)

Shape = Literal["square", "broad", "wide"]


@dataclass(frozen=True)
class Cell:
    """The place of one picture."""

    index: int  # of the image
    is_there: bool


@dataclass(frozen=True)
class Sheet:
    """Places of pictures, and their shape."""

    cells: list[Cell]
    shape: Shape


def sheet(home: Home, name: str, number: int) -> Sheet:
    """Of `number` of a dataset's images, or of all where it has fewer."""
    folder = home.find("datasets", name)
    plan = store.read_json(folder / "recipe.json")
    count, size = int(plan["count"]), int(plan["shard_size"])
    number = min(number, count)
    chosen = [k * count // number for k in range(number)]
    there: dict[int, bool] = {}  # first image of a shard -> whether it is published
    for start in {k // size * size for k in chosen}:
        there[start] = store.is_published(folder, Shard(start, min(start + size, count)))
    return Sheet([Cell(k, there[k // size * size]) for k in chosen], _shape(plan))


def shape(width: int, height: int) -> Shape:
    """How a page lays out a picture of this size."""
    ratio = width / height
    return "square" if ratio < 1.2 else "broad" if ratio < 2 else "wide"


def _shape(plan: Mapping[str, Any]) -> Shape:
    said = _CANVAS.search(plan["grammar"].get("text", ""))
    width, height = plan.get("canvas") or (said.groups() if said else (1, 1))
    return shape(int(width), int(height))


def listed(home: Home) -> Iterator[tuple[types.Dataset, list[int]]]:
    """Datasets, the newest first, each with some images that are there, to know it by."""
    for one in datasets.listed(home):
        try:
            cells = sheet(home, one.name, _STRIP).cells
        except (NotHere, DatagenError):  # removed meanwhile
            continue
        yield one, [cell.index for cell in cells if cell.is_there]


def complete(home: Home) -> list[str]:
    """Names of the datasets that can be learned from, the newest first."""
    return [one.name for one in datasets.listed(home) if one.complete]


def thumbnail(path: Path) -> tuple[bytes, str]:
    """A picture as a grid shows it, and its media type; a small one as it is.

    Refused for one that is too large for that, or broken.
    """
    from PIL import Image  # here, as in datagen.dataset.headers

    try:
        with _AT_ONCE, Image.open(path, formats=("PNG", "JPEG")) as picture:
            return _small(picture, path)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Refused(422, "this picture cannot be shown small") from error


def _small(picture: Image.Image, path: Path) -> tuple[bytes, str]:
    if max(picture.size) <= CRISP and picture.format is not None:
        return path.read_bytes(), f"image/{picture.format.lower()}"
    picture.draft("RGB", (_SIDE, _SIDE))  # of a JPEG no more is decoded than is needed
    if picture.width * picture.height > _LARGEST:
        raise ValueError(picture.size)
    small = picture.convert("RGB")
    small.thumbnail((_SIDE, _SIDE))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=82)
    return file.getvalue(), "image/webp"
