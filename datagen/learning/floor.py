"""When to stop without labels: the discrepancy of generated pictures beside the target's noise."""

import numpy as np
from torch import Tensor

from datagen.learning.gap.draws import halves_of
from datagen.learning.gap.floor import floor_of
from datagen.learning.gap.statistics import quadratic
from datagen.learning.kde import squared_distances
from datagen.learning.mmd import contributions, kernel, mean_of_pairs
from datagen.learning.rewards import Kernels, thinned
from datagen.rng import Stream, rng_for

_RECENT = 20  # readings that are averaged
_SHARE = 0.25  # of the median distance of halves that counts as nothing left
_HALVINGS = 40
_ROWS = 1000  # target pictures at most


class Floor:
    """Unbiased MMD^2 in the first view, and what it is between random halves of the target."""

    def __init__(self, kernels: Kernels, seed: int) -> None:
        self.view, self.variances = kernels.views[0]
        self.real = self.view.of(thinned(kernels.real, _ROWS))
        within = kernel(squared_distances(self.real, self.real), self.variances)
        halves = halves_of(len(within), rng_for(seed, 2, Stream.EVALUATE), _HALVINGS)
        self.value = floor_of(quadratic(within)(halves)).median
        self._among_real = mean_of_pairs(within)
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
        within, across = squared_distances(x, x), squared_distances(x, self.real)
        found = float(contributions(within, across, self.variances).mean()) + self._among_real
        self.readings = [*self.readings, found][-_RECENT:]
        return found
