"""How far one set of features is from another, beside the noise floor of the target itself."""

from dataclasses import dataclass

import numpy as np
import torch

from datagen.learning.kde import squared_distances


def energy_distance(a: np.ndarray, b: np.ndarray) -> float:
    """2 E|X-Y| - E|X-X'| - E|Y-Y'| of rows [N, D], unbiased (Szekely and Rizzo, 2013).

    Zero in expectation for two samples of one law, so a reading may be slightly negative.
    """
    x, y = torch.from_numpy(a).double(), torch.from_numpy(b).double()
    across = squared_distances(x, y).sqrt().mean()
    return float(2 * across - _within(x) - _within(y))


def _within(x: torch.Tensor) -> torch.Tensor:
    n = len(x)
    return squared_distances(x, x).sqrt().sum() / (n * (n - 1))


@dataclass(frozen=True)
class NoiseFloor:
    """Energy distances between random halves of one set: what "the same" looks like."""

    median: float
    high: float  # 95 % quantile


def noise_floor(features: np.ndarray, rng: np.random.Generator, splits: int = 50) -> NoiseFloor:
    """Distances of `splits` random halvings of features [N, D]."""
    half = len(features) // 2
    readings = []
    for _ in range(splits):
        order = rng.permutation(len(features))
        readings.append(energy_distance(features[order[:half]], features[order[half : 2 * half]]))
    absolute = np.abs(readings)
    return NoiseFloor(float(np.median(absolute)), float(np.quantile(absolute, 0.95)))


def total_variation(a: np.ndarray, b: np.ndarray) -> float:
    """Half the L1 distance of two histograms; each is normalised, the shorter is padded with 0."""
    size = max(len(a), len(b))
    p = np.pad(a.astype(float), (0, size - len(a)))
    q = np.pad(b.astype(float), (0, size - len(b)))
    return float(0.5 * np.abs(p / p.sum() - q / q.sum()).sum())
