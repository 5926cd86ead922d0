"""The stored passes of an image, as the exports of whole pictures want them."""

from pathlib import Path

import numpy as np
from PIL import Image

from datagen.dataset.export.selection import Item, Selection
from datagen.errors import InputError


def needed(selection: Selection, format: str, names: tuple[str, ...]) -> None:
    """Refuse a dataset in which an image lacks one of the passes."""
    missing = [name for name in names if any(name not in item.passes for item in selection.items)]
    if missing:
        wanted = ", ".join(f'"{name}"' for name in names)
        raise InputError(
            f"{selection.dataset}: stores no `{missing[0]}` pass, which `{format}` needs; "
            f"generate it with `--set 'passes=[{wanted}]'`"
        )


def classes(item: Item, selection: Selection) -> np.ndarray:
    """int64 [H, W]: ids of the selection's categories and stuff; 0 where nothing is."""
    stored = _read(item, item.passes["class"])
    table = np.zeros(256, np.int64)
    for value, key in selection.classes.items():
        table[value] = key
    return table[stored]


def instances(item: Item) -> np.ndarray:
    """[H, W]: instance ids; 0 where no thing is."""
    return _read(item, item.passes["instance"])


def _read(item: Item, path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            stored = np.asarray(image)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read; `datagen verify` lists what is broken"
        ) from error
    if stored.shape != (item.image["height"], item.image["width"]):
        raise InputError(f"{path}: has another size than its image")
    return stored
