"""When to stop without labels: the discrepancy of generated pictures beside the target's noise."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from datagen.learning.gap.draws import halves_of
from datagen.learning.gap.floor import floor_of
from datagen.learning.gap.statistics import quadratic
from datagen.learning.kde import squared_distances
from datagen.learning.mmd import contributions, kernel, mean_of_pairs
from datagen.learning.structure.rewards import Kernels, View, thinned
from datagen.rng import Stream, rng_for

_RECENT = 20  # readings that are averaged
_SHARE = 0.25  # of the median distance of halves that counts as nothing left
_HALVINGS = 40
_ROWS = 1000  # target pictures at most


class Floor:
    """Unbiased MMD^2 in each view, and what it is between random halves of the target.

    All views count: over all columns together, a wrong share of rare high counts hardly shows.
    """

    def __init__(self, kernels: Kernels, seed: int) -> None:
        real = thinned(kernels.real, _ROWS)
        self._views = [_Floor(view, real, variances, seed) for view, variances in kernels.views]
        self.readings: list[list[float]] = []  # the last ones, each a number a view

    @property
    def value(self) -> float:
        """Median distance of two halves of the target in the first view."""
        return self._views[0].value

    @property
    def is_reached(self) -> bool:
        """Is the mean of the last readings far below the median distance of two halves?

        Equal laws have 0 in the mean; half of what halves show is still learned in a few steps.
        """
        if len(self.readings) < _RECENT:
            return False
        limits = [_SHARE * view.value for view in self._views]
        return bool((np.mean(self.readings, axis=0) < limits).all())

    def read(self, generated: Tensor) -> float:
        """MMD^2 of a batch [M, D] to the target in the first view; it may be below zero."""
        found = [view.read(generated) for view in self._views]
        self.readings = [*self.readings, found][-_RECENT:]
        return found[0]


class _Floor:
    """One view."""

    def __init__(self, view: View, real: Tensor, variances: Sequence[float], seed: int) -> None:
        self.view, self.variances = view, variances
        self.real = view.of(real)
        within = kernel(squared_distances(self.real, self.real), variances)
        halves = halves_of(len(within), rng_for(seed, 2, Stream.EVALUATE), _HALVINGS)
        self.value = floor_of(quadratic(within)(halves)).median
        self._among_real = mean_of_pairs(within)

    def read(self, generated: Tensor) -> float:
        x = self.view.of(generated)
        within, across = squared_distances(x, x), squared_distances(x, self.real)
        return float(contributions(within, across, self.variances).mean()) + self._among_real
