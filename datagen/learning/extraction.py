"""The features of a run: which extractor, with which weights, on which scale."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen.features.counts import CountFeatures
from datagen.learning.structure.rewards import View, whole
from datagen.learning.structure.views import count_views
from datagen.parts import Part, Source
from datagen.settings.learn import TRAINED

Extract = Callable[[np.ndarray], np.ndarray]  # uint8 [N, H, W, 3] -> float32 [N, D]

FILE = "features.safetensors"  # in the run folder, of a network that the run trained


def is_trained(part: Part) -> bool:
    """Whether the run trains the network of these features."""
    return part.weights is None and part.use in TRAINED


def extractor(part: Part, run: Path) -> Any:
    """The frozen description of features; a network that the run trained lies in its folder."""
    if is_trained(part):
        part = part.model_copy(update={"weights": Source(source=str(run / FILE))})
    return part.component("features")


@dataclass(frozen=True)
class Scaling:
    """Features as principal components, each divided by the target's spread."""

    mean: np.ndarray  # [D]
    axes: np.ndarray  # [D, K]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return ((features - self.mean) @ self.axes).astype(np.float32)


def scaling(prior: np.ndarray, real: np.ndarray, components: int) -> Scaling:
    """At most `components` axes, of features of prior pictures [M, D]; real [N, D] for the spread.

    The prior's axes are what the grammar can change. Axes of both sets would be spent on what
    tells drawings from photos, and that no rule of the grammar can mend.
    """
    x = prior.astype(np.float64)
    mean, spread = x.mean(0), x.std(0)
    used = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0.0)
    _, _, axes = np.linalg.svd((x - mean) * used, full_matrices=False)
    axes = used[:, None] * axes[:components].T
    deviation = ((real - mean) @ axes).std(0)
    return Scaling(mean, axes / np.maximum(deviation, 1e-6))


def views_of(extract: Extract, columns: int) -> tuple[View, ...]:
    """How the columns are compared: those of a counting network have a meaning each."""
    if isinstance(extract, CountFeatures):
        return count_views(extract.heads, extract.regions)
    return whole(columns)
