"""A set of pictures: from a dataset folder, or from any folder of pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen.comparing.labels import Labels, labels_of_coco, labels_of_dataset
from datagen.comparing.world import grammar_of
from datagen.dataset.coco import check_number
from datagen.dataset.folders import is_dataset
from datagen.dataset.targets import Targets, count_pictures, first_size, load_targets
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
    pictures = load_targets(folder, size, limit)
    read = len(pictures.images)
    if read < FEWEST:
        raise InputError(f"{folder}: need at least {FEWEST} pictures to compare, found {read}")
    if truth is not None:
        labels = labels_of_coco(truth)
        check_number(truth, labels.labelled, count_pictures(folder))
        return Side(name, folder, pictures, labels)
    return Side(name, folder, pictures, labels_of_dataset(folder) if is_dataset(folder) else None)
