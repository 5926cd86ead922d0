"""Distances over many subsets of rows at once: what is costly is computed once for all of them."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from datagen.learning.gap.distances import frechet
from datagen.learning.gap.draws import Draws

Statistic = Callable[[Draws], np.ndarray]  # -> float64 [replicates]


def quadratic(kernel: Tensor) -> Statistic:
    """Unbiased squared MMD from the kernel values [rows, rows] of all pooled rows.

    The energy distance is that of the kernel -|x - y| (Sejdinovic et al., 2013).
    """
    # A constant drops out of the statistic; without it float32 keeps three digits more.
    k = (kernel - kernel.mean()).float()
    diagonal, total = k.diagonal(), k.sum(1, keepdim=True)

    def statistic(draws: Draws) -> np.ndarray:
        a, b = draws.a, draws.b
        ka = _product(k, a)
        kb = total - ka if bool((a + b == 1).all()) else _product(k, b)
        value = _within(a, ka, diagonal) + _within(b, kb, diagonal)
        return (value - 2 * (b * ka).sum(0).double() / (_size(a) * _size(b))).numpy()

    return statistic


def _product(k: Tensor, a: Tensor) -> Tensor:
    """k @ a without the rows of `a` at either end that are 0 in all replicates."""
    used = a.any(1).nonzero()
    some = slice(int(used[0]), int(used[-1]) + 1)
    return k[:, some] @ a[some]


def _within(a: Tensor, ka: Tensor, diagonal: Tensor) -> Tensor:
    """Mean kernel value over pairs of different rows of each subset."""
    n = _size(a)
    return ((a * ka).sum(0).double() - (diagonal @ a).double()) / (n * (n - 1))


def _size(a: Tensor) -> Tensor:
    return a.sum(0).double()


def gaussian_fit(rows: Tensor) -> Statistic:
    """The Frechet distance of float64 rows [rows, D]."""

    def statistic(draws: Draws) -> np.ndarray:
        return np.array([frechet(rows[a], rows[b]) for a, b in draws.subsets()])

    return statistic


def variation(table: Tensor) -> Statistic:
    """Total variation of histograms; `table` [rows, bins] holds what each row adds to them."""

    def statistic(draws: Draws) -> np.ndarray:
        return 0.5 * _difference(table, draws).abs().sum(0).numpy()

    return statistic


def transport(table: Tensor, grid: Tensor, period: float | None = None) -> Statistic:
    """Earth mover's distance of histograms whose bins lie at rising `grid` [bins].

    On a circle of circumference `period`, mass may go round it the shorter way (Rabin, Delon and
    Gousseau, 2011): what flows past a point is known up to a constant, and the cheapest constant
    is the median.
    """
    widths = grid.diff()
    if period is not None:
        widths = torch.cat([widths, (period - grid[-1] + grid[0]).reshape(1)])

    def statistic(draws: Draws) -> np.ndarray:
        flow = _difference(table, draws).cumsum(0)[: len(widths)]
        if period is not None:
            flow = flow - _weighted_median(flow, widths)
        return (flow.abs() * widths[:, None]).sum(0).numpy()

    return statistic


def _difference(table: Tensor, draws: Draws) -> Tensor:
    """Share of each bin in the first subset less that in the second: float64 [bins, replicates]."""
    ours, theirs = ((table.T @ side).double() for side in (draws.a, draws.b))
    return ours / ours.sum(0).clamp_min(1) - theirs / theirs.sum(0).clamp_min(1)


def _weighted_median(values: Tensor, weights: Tensor) -> Tensor:
    """Of each column: [bins, replicates], [bins] -> [replicates]."""
    ordered, order = values.sort(0)
    reached = weights[order].cumsum(0) >= weights.sum() / 2
    return ordered.gather(0, reached.to(torch.int8).argmax(0, keepdim=True))[0]
