"""What is measured of learned streets: gaps to photos, and what a segmenter learns from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen.features.squeezenet import Features
from datagen.learning.appearance.gate import found_classes
from datagen.learning.appearance.pairs import Pairs
from datagen.learning.gap import common_scale, gap
from datagen.metrics.swd import swd
from datagen.models.segmenter import Segmenter
from datagen.rng import Stream, rng_for


@dataclass(frozen=True)
class Frames:
    """Pairs in memory."""

    layouts: np.ndarray  # uint8 [N, H, W]
    images: np.ndarray  # uint8 [N, H, W, 3]
    classes: int

    @property
    def size(self) -> tuple[int, int]:
        return self.layouts.shape[2], self.layouts.shape[1]

    def __len__(self) -> int:
        return len(self.layouts)

    def class_map(self, k: int) -> np.ndarray:
        return self.layouts[k]

    def image(self, k: int) -> np.ndarray:
        return self.images[k]


def photos(pairs: Pairs) -> np.ndarray:
    """uint8 [N, H, W, 3]"""
    return np.stack([pairs.image(k) for k in range(len(pairs))])


def gaps(
    sets: Mapping[str, np.ndarray], target: np.ndarray, squeezenet: Path
) -> dict[str, dict[str, Any]]:
    """Of each set of pictures to the target's: distances with floors, by SqueezeNet's features."""
    with Features(weights=str(squeezenet), precision="float32").open() as extract:
        rows = {name: extract(pictures) for name, pictures in sets.items()}
        theirs = extract(target)
    scale = common_scale(*rows.values(), theirs)
    return {
        name: gap(
            ours, theirs, rng_for(0, 0, Stream.BOOTSTRAP), features="squeezenet", scale=scale
        ).to_json()["distances"]
        for name, ours in rows.items()
    }


def patches_apart(pictures: np.ndarray, target: np.ndarray) -> list[float]:
    """Sliced Wasserstein distances of patches, whole-set, x 1000, from the finest level down.

    Of as many pictures as photos, spread evenly over both.
    """
    count = min(len(pictures), len(target))
    ours, theirs = (x[np.linspace(0, len(x) - 1, count).astype(int)] for x in (pictures, target))
    return [level.whole_set for level in swd(ours, theirs, rng_for(0, 1, Stream.BOOTSTRAP))]


def mean_iou(net: Segmenter, pairs: Pairs, classes: Sequence[int]) -> dict[str, Any]:
    """Intersection over union of each class over all pairs, pixels of class 0 left out."""
    confusion = np.zeros((pairs.classes, pairs.classes), np.int64)
    for k in range(len(pairs)):
        true, found = pairs.class_map(k), found_classes(net, pairs.image(k))
        known = true > 0
        np.add.at(confusion, (true[known], found[known]), 1)
    hits = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - hits
    each = [float(hits[k] / union[k]) if union[k] else 0.0 for k in classes]
    return {
        "mean": float(np.mean(each)),
        "each": each,
        "accuracy": float(hits.sum() / confusion.sum()),
    }


def agreements(net: Segmenter, pictures: np.ndarray, layouts: np.ndarray) -> dict[str, list[float]]:
    """Of pictures with their layouts: share of pixels, and mean IoU over the layout's classes.

    Of each 5 % quantile, median and 95 % quantile.
    """
    accuracy, overlap = [], []
    for picture, layout in zip(pictures, layouts, strict=True):
        found, known = found_classes(net, picture), layout > 0
        accuracy.append(float((found == layout)[known].mean()))
        each = []
        for k in np.unique(layout[known]):
            ours, theirs = (found == k) & known, layout == k
            each.append((ours & theirs).sum() / (ours | theirs).sum())
        overlap.append(float(np.mean(each)))
    found = {"accuracy": accuracy, "iou": overlap}
    return {name: np.quantile(each, (0.05, 0.5, 0.95)).tolist() for name, each in found.items()}
