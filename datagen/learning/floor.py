"""When to stop without labels: the discrepancy of generated pictures beside the target's noise."""

import numpy as np
import torch
from torch import Tensor

from datagen.learning.kde import squared_distances
from datagen.learning.mmd import kernel
from datagen.learning.rewards import Kernels, thinned
from datagen.rng import Stream, rng_for

_RECENT = 20  # readings that are averaged
_SHARE = 0.25
_HALVINGS = 40
_ROWS = 1000  # target pictures at most


class Floor:
    """Unbiased MMD^2 in the first view, and what it is between random halves of the target."""

    def __init__(self, kernels: Kernels, seed: int) -> None:
        self.view, self.variances = kernels.views[0]
        self.real = self.view.of(thinned(kernels.real, _ROWS))
        self._within = self._kernel(self.real, self.real)
        rng = rng_for(seed, 2, Stream.EVALUATE)
        self.value = float(np.median([abs(self._halving(rng)) for _ in range(_HALVINGS)]))
        self.readings: list[float] = []

    @property
    def is_reached(self) -> bool:
        """Is the mean of the last readings far below the median distance of two halves?

        Equal laws have 0 in the mean; half of what halves show is still learned in a few steps.
        """
        recent = self.readings[-_RECENT:]
        return len(recent) == _RECENT and float(np.mean(recent)) < _SHARE * self.value

    def read(self, generated: Tensor) -> float:
        """MMD^2 of a batch [M, D] to the target; it may be below zero."""
        x = self.view.of(generated)
        across = float(self._kernel(x, self.real).mean())
        found = _mean_of_pairs(self._kernel(x, x)) + _mean_of_pairs(self._within) - 2 * across
        self.readings = [*self.readings, found][-_RECENT:]
        return found

    def _kernel(self, a: Tensor, b: Tensor) -> Tensor:
        return kernel(squared_distances(a, b), self.variances)

    def _halving(self, rng: np.random.Generator) -> float:
        order = torch.from_numpy(rng.permutation(len(self.real)))
        half = len(order) // 2
        a, b = order[:half], order[half : 2 * half]
        across = float(self._within[a][:, b].mean())
        pairs = _mean_of_pairs(self._within[a][:, a]) + _mean_of_pairs(self._within[b][:, b])
        return pairs - 2 * across


def _mean_of_pairs(k: Tensor) -> float:
    """Mean over pairs of different rows of a kernel matrix whose diagonal is 1."""
    n = len(k)
    return float((k.sum() - n) / (n * (n - 1)))
