"""Where an export goes, and how images come there."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from datagen.dataset.export.selection import Item, Selection
from datagen.errors import InputError


@dataclass(frozen=True)
class Written:
    """What a format has to tell; `worst_iou` and `kept_as_rle` are about polygons."""

    worst_iou: float | None = None
    kept_as_rle: int = 0


def refuse(out: Path, dataset: Path) -> None:
    """InputError for an `out` that is no place for an export of `dataset`."""
    if out.resolve().is_relative_to(dataset.resolve()):
        raise InputError(f"{out}: lies inside the dataset; choose a folder outside of it")
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"{out}: exists and is not an empty folder; choose another")
    except OSError as error:
        raise InputError(f"{out}: cannot write there ({error.strerror})") from error


def place_images(selection: Selection, part: str, folder: Path) -> None:
    """Copies of a part's images; or hard links, where the selection says so."""
    folder.mkdir(parents=True)
    for item in selection.watched(part, "images"):
        place_image(item, folder / item.name, link=selection.link)


def place_image(item: Item, path: Path, *, link: bool) -> None:
    """One image, under any name. Through a link, a tool that changes it changes the dataset."""
    source = item.source.resolve()
    if not link:
        shutil.copyfile(source, path)
        return
    try:
        os.link(source, path)
    except OSError as error:
        raise InputError(
            f"{path.parent.parent}: no hard link to {source} can be made there "
            f"({error.strerror}); export without --link"
        ) from error
