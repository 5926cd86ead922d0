"""Choosing among several generated sets by unlabelled pictures of the target alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datagen.learning.gap.distances import gaussians, typical_squared_distance
from datagen.learning.gap.draws import Plan, plan
from datagen.learning.gap.measure import ROWS, Scale, pair_distances
from datagen.learning.gap.statistics import quadratic
from datagen.rng import Stream, rng_for

# Narrow kernels: two laws of counts with equal means differ in their shape, which wide kernels
# and the energy distance hardly see.
_NARROW = (0.02, 0.1, 0.5)
_REPLICATES = 100


@dataclass(frozen=True)
class Ranked:
    """A candidate's place; distances are in standard deviations of the target's own noise."""

    name: str
    distance: float
    behind: float  # how much farther than the best
    error: float  # standard error of `behind`

    @property
    def is_tied(self) -> bool:
        """Can chance alone have put it behind the best?"""
        return self.behind <= 1.96 * self.error


def rank(
    candidates: Mapping[str, np.ndarray],
    target: np.ndarray,
    *,
    groups: Sequence[Sequence[int]] = (),
    scale: Scale | None = None,
    seed: int = 0,
) -> list[Ranked]:
    """Candidates [M, D] by their distance to the target's rows [N, D], the nearest first.

    `scale` as for `gap`, over all the sets.

    The distance is the sum of squared MMDs with narrow kernels, each in units of its own noise: of
    all columns together, and of each group of columns in `groups` alone. Name there what matters
    most: in many columns together the shape of one is easily lost. Halves of the target are the
    same for all candidates, so their differences are surer than they are.
    """
    values, halves = zip(
        *(_distances(rows, target, groups, scale, seed) for rows in candidates.values()),
        strict=True,
    )
    best = int(np.argmin(values))
    ranked = [
        Ranked(name, value, value - values[best], float(np.std(spread - halves[best], ddof=1)))
        for name, value, spread in zip(candidates, values, halves, strict=True)
    ]
    return sorted(ranked, key=lambda one: one.distance)


def _distances(
    candidate: np.ndarray,
    target: np.ndarray,
    groups: Sequence[Sequence[int]],
    scale: Scale | None,
    seed: int,
) -> tuple[float, np.ndarray]:
    """The value, and the same over halves."""
    rng = rng_for(seed, 0, Stream.BOOTSTRAP)
    y, x = (side[rng.permutation(len(side))[:ROWS]].astype(float) for side in (target, candidate))
    draws = plan(len(x), len(y), rng, _REPLICATES, matched=False)
    pooled = np.concatenate([x, y])
    pooled = torch.from_numpy(pooled if scale is None else scale.apply(pooled))
    total, spread = 0.0, np.zeros(_REPLICATES)
    for group in (range(pooled.shape[1]), *groups):
        value, halves = _noise_units(pooled[:, list(group)], len(x), draws)
        total, spread = total + value, spread + halves
    return total, spread


def _noise_units(rows: Tensor, generated: int, draws: Plan) -> tuple[float, np.ndarray]:
    d2 = pair_distances(rows)
    unit = typical_squared_distance(d2[generated:, generated:])
    statistic = quadratic(gaussians(d2, unit, _NARROW))
    noise = max(float(statistic(draws.floor).std()), 1e-9)
    return float(statistic(draws.whole)[0]) / noise, statistic(draws.halves) / noise
