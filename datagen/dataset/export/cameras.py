"""Beside every export of a dataset with cameras: each image's own, as datagen writes it."""

from collections.abc import Callable, Iterator
from pathlib import Path

from datagen.dataset import coco
from datagen.dataset.export.selection import Item, Selection
from datagen.files import atomic_text

ImagePath = Callable[[Selection, str, Item], str]  # of (all, part, image): in the export


def write(selection: Selection, out: Path, image_path: ImagePath) -> None:
    """`cameras.json`: image path -> camera, an image a line; nothing when there is no camera."""
    lines = list(_lines(selection, image_path))
    if lines:
        with atomic_text(out / "cameras.json") as file:
            file.write("{\n" + ",\n".join(lines) + "\n}\n")


def _lines(selection: Selection, image_path: ImagePath) -> Iterator[str]:
    for part, items in selection.parts.items():
        for item in items:
            if item.camera is not None:
                path = coco.line(image_path(selection, part, item))
                yield f"{path}: {coco.line(item.camera.to_json())}"
