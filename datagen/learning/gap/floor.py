"""The noise floor: what two samples of one law show."""

from dataclasses import dataclass

import numpy as np
import torch

from datagen.learning.gap.draws import halves_of
from datagen.learning.gap.statistics import quadratic
from datagen.learning.kde import squared_distances


@dataclass(frozen=True)
class NoiseFloor:
    """Distances between random halves of one set: what "the same" looks like."""

    median: float
    high: float  # 95 % quantile


def noise_floor(features: np.ndarray, rng: np.random.Generator, splits: int = 50) -> NoiseFloor:
    """Energy distances of `splits` random halvings of features [N, D]."""
    rows = torch.from_numpy(features).double()
    statistic = quadratic(-squared_distances(rows, rows).sqrt())
    return floor_of(statistic(halves_of(len(rows), rng, splits)))


def floor_of(readings: np.ndarray) -> NoiseFloor:
    """An unbiased statistic is as often below 0 as above it: what counts is how far."""
    absolute = np.abs(readings)
    return NoiseFloor(float(np.median(absolute)), float(np.quantile(absolute, 0.95)))
