"""What a generated picture costs, from features alone: Meta-Sim2's reward and its comparators."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from datagen.learning import mmd
from datagen.learning.kde import (
    kernel_spread,
    log_ratio,
    median_squared_distance,
    squared_distances,
)
from datagen.settings.learn import Reinforcement

_PAIRS = 1000  # rows that the median distance is taken over


@dataclass(frozen=True)
class View:
    """Some columns of the features, scaled, that are compared together.

    One estimate over all columns spends its resolution on what differs most between pictures;
    what else matters gets a view of its own. `std`: of the only kernel, in the columns' unit;
    None: kernels as the settings say.
    """

    columns: tuple[int, ...]
    scales: tuple[float, ...]
    std: float | None = None

    def of(self, features: Tensor) -> Tensor:
        return features[:, list(self.columns)] * torch.tensor(self.scales)

    def variances(self, real: Tensor, settings: Reinforcement) -> tuple[float, ...]:
        """Of the kernels, by the bandwidth's name."""
        if self.std is not None:
            return (self.std**2,)
        if settings.bandwidth == "d":
            return (float(len(self.columns)),)  # the paper's H = d I
        median = median_squared_distance(self.of(thinned(real, _PAIRS)))
        if settings.bandwidth == "median":
            return (median,)
        return tuple(scale * median for scale in settings.scales)


def thinned(real: Tensor, most: int) -> Tensor:
    """At most `most` rows, evenly over all: neighbours in a folder look alike."""
    if len(real) <= most:
        return real
    return real[torch.linspace(0, len(real) - 1, most).long()]


def whole(columns: int) -> tuple[View, ...]:
    """One view of all columns as they are."""
    return (View(tuple(range(columns)), (1.0,) * columns),)


class Reward(Protocol):
    """Features of generated [M, D] and real [L, D] pictures -> costs [M]; less is better.

    `log_weights` [M]: how much more often than it was drawn the model would draw each picture now.
    """

    def __call__(self, generated: Tensor, real: Tensor, log_weights: Tensor) -> Tensor: ...


class Kernels:
    """Views with their kernels, which the target pictures alone decide."""

    def __init__(self, real: Tensor, views: Sequence[View], settings: Reinforcement) -> None:
        self.real = real
        self.views = [(view, view.variances(real, settings)) for view in views]

    def spread(self, generated: Tensor) -> float:
        """Kernel spread of the first view's widest kernel; see `kernel_spread`."""
        view, variances = self.views[0]
        return kernel_spread(view.of(generated), view.of(self.real), max(variances))


class DensityReward:
    """log q(phi_j) - log p(phi_j), Meta-Sim2's equation (2), summed over views."""

    def __init__(self, kernels: Kernels, clip: float) -> None:
        self.kernels, self.clip = kernels, clip

    def __call__(self, generated: Tensor, real: Tensor, log_weights: Tensor) -> Tensor:
        cost = torch.zeros(len(generated))
        for view, variances in self.kernels.views:
            cost += log_ratio(view.of(generated), view.of(real), variances, self.clip, log_weights)
        return cost


class WitnessReward:
    """The witness of MMD^2 at each picture, summed over views: MMD with credit where it is due."""

    def __init__(self, kernels: Kernels) -> None:
        self.kernels = kernels

    def __call__(self, generated: Tensor, real: Tensor, log_weights: Tensor) -> Tensor:
        cost = torch.zeros(len(generated))
        pairs = _pairs(log_weights)
        for view, variances in self.kernels.views:
            x, y = view.of(generated), view.of(real)
            near = mmd.kernel(squared_distances(x, x), variances)
            far = mmd.kernel(squared_distances(x, y), variances)
            cost += (near * pairs).sum(1) / pairs.sum(1) - far.mean(1)
        return cost


class DiscrepancyReward:
    """MMD^2 of the whole batch for each of its pictures: the arm that Meta-Sim2 compares with."""

    def __init__(self, kernels: Kernels) -> None:
        self.kernels = kernels

    def __call__(self, generated: Tensor, real: Tensor, log_weights: Tensor) -> Tensor:
        total = 0.0
        pairs = _pairs(log_weights)
        share = log_weights.softmax(0)
        for view, variances in self.kernels.views:
            x, y = view.of(generated), view.of(real)
            near = mmd.kernel(squared_distances(x, x), variances)
            far = mmd.kernel(squared_distances(x, y), variances)
            # What is left out, the real pictures among themselves, is the same for every batch.
            total += float((near * pairs).sum() / pairs.sum() - 2 * (share @ far).mean())
        return torch.full((len(generated),), total)


def _pairs(log_weights: Tensor) -> Tensor:
    """Weights of pairs of different pictures, [M, M]."""
    weights = log_weights.exp()
    return (weights[:, None] * weights).fill_diagonal_(0)


def reward(kernels: Kernels, settings: Reinforcement) -> Reward:
    """The reward that the settings name."""
    if settings.reward == "kde":
        return DensityReward(kernels, settings.clip)
    if settings.reward == "witness":
        return WitnessReward(kernels)
    return DiscrepancyReward(kernels)
