"""A set of pictures: from a dataset folder, or from any folder of pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from datagen.comparing.labels import Labels, labels_of_coco, labels_of_dataset
from datagen.comparing.world import grammar_of
from datagen.dataset import coco
from datagen.dataset.store import COMPLETE
from datagen.dataset.targets import Targets, first_size, load_targets
from datagen.errors import InputError
from datagen.learning.gap.draws import FEWEST

LONGEST = 512  # pixels of the longer side of pictures from a folder that names no canvas


@dataclass(frozen=True)
class Side:
    """What is compared: pictures of one size, and labels where there are any."""

    name: str
    folder: Path
    pictures: Targets
    labels: Labels | None

    @property
    def images(self) -> np.ndarray:
        return self.pictures.images


def is_dataset(folder: Path) -> bool:
    """Is it a dataset folder of `datagen generate`, finished or not?"""
    return (folder / "recipe.json").is_file() and (
        (folder / "scenes.jsonl").is_file() or (folder / "shards").is_dir()
    )


def picture_size(generated: Sequence[Path]) -> tuple[int, int]:
    """(width, height) to compare at: a dataset's canvas, else the size of the first picture."""
    for folder in generated:
        if is_dataset(folder):
            return grammar_of(folder).canvas
    width, height = first_size(generated[0])
    shrink = min(1.0, LONGEST / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def load_side(
    name: str, folder: Path, size: tuple[int, int], limit: int, truth: Path | None = None
) -> Side:
    """`limit` pictures at most, evenly over the folder; `truth`: a COCO file of its labels."""
    own = is_dataset(folder)
    names = _pictures_of_dataset(folder) if own else None
    pictures = load_targets(folder, size, limit, names)
    if len(pictures.images) < FEWEST:
        raise InputError(
            f"{folder}: need at least {FEWEST} pictures to compare, found {len(pictures.images)}"
        )
    if truth is not None:
        return Side(name, folder, pictures, labels_of_coco(truth))
    return Side(name, folder, pictures, labels_of_dataset(folder) if own else None)


def _pictures_of_dataset(folder: Path) -> list[str]:
    """Names of its images; its passes are pictures too, and are not meant."""
    if not (folder / COMPLETE).is_file():
        raise InputError(f"{folder}: is not finished; run `datagen generate` with --resume first")
    names = [str(image.get("file_name")) for image in coco.read(folder)["images"]]
    for name in names:
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts:
            raise InputError(f"{folder}: its image {name} lies outside of it")
    return names
