"""An export appears whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.dataset.export.selection import Item
from datagen.errors import InputError
from datagen.files import disk_space, sync


@dataclass(frozen=True)
class Written:
    """What a format has to tell; `worst_iou` and `kept_as_rle` are about polygons."""

    worst_iou: float | None = None
    kept_as_rle: int = 0


@contextlib.contextmanager
def published(out: Path, dataset: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place by one rename, or goes when something fails."""
    out = out.resolve()
    if out.is_relative_to(dataset.resolve()):
        raise InputError(f"{out}: lies inside the dataset; choose a folder outside of it")
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"{out}: exists and is not an empty folder; choose another")
        aside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
        aside.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{out}: cannot write there ({error.strerror})") from error
    try:
        with disk_space(out.parent):
            yield aside
            aside.rename(out)
            sync(out.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def place_images(items: Sequence[Item], folder: Path, *, link: bool) -> None:
    """Copies; or hard links, through which a tool that changes an export changes the dataset."""
    folder.mkdir(parents=True)
    for item in items:
        place_image(item, folder / item.name, link=link)


def place_image(item: Item, path: Path, *, link: bool) -> None:
    """The same for one image, under any name."""
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
