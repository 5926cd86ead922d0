"""One quantity at a time: its histograms in two sets of pictures, and how far they are apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from datagen.learning.gap.draws import Plan
from datagen.learning.gap.reading import Reading, read
from datagen.learning.gap.statistics import transport, variation

TURN = 360.0  # degrees
_GRID = 256  # places that values are rounded to, evenly over their quantiles
_BARS = 20  # of the histogram of a number

# count: few whole numbers; number: anything with an order; angle: degrees; name: no order.
Kind = Literal["count", "number", "angle", "name"]


@dataclass(frozen=True)
class Observed:
    """Values of one quantity, each in one of `pictures` pictures; a picture may hold any number."""

    values: np.ndarray  # [values], numbers or text
    picture: np.ndarray  # int64 [values]
    pictures: int


def observed(column: np.ndarray) -> Observed:
    """One value a picture."""
    return Observed(column, np.arange(len(column)), len(column))


@dataclass(frozen=True)
class Marginal:
    """Distances of one quantity, the one that says most first.

    Counts and names have a total variation. What has an order has an earth mover's distance in its
    own unit: how far a value has to move on average, on a circle the shorter way round.
    """

    name: str
    kind: Kind
    unit: str
    readings: Mapping[str, Reading]  # variation, transport

    def to_json(self) -> dict[str, Any]:
        readings = {key: one.to_json() for key, one in self.readings.items()}
        return {"name": self.name, "kind": self.kind, "unit": self.unit, **readings}


def marginal(
    name: str, kind: Kind, generated: Observed, target: Observed, plan: Plan, unit: str = ""
) -> Marginal:
    """`plan`: a matched one for the pictures of both; whole pictures are drawn, not values."""
    values = np.concatenate([generated.values, target.values])
    grid, place = _grid(values, kind)
    rows = np.concatenate([generated.picture, target.picture + generated.pictures])
    table = torch.zeros(generated.pictures + target.pictures, len(grid))
    table.index_put_((_index(rows), _index(place)), torch.ones(len(rows)), accumulate=True)
    readings: dict[str, Reading] = {}
    if kind in ("count", "name"):
        readings["variation"] = read(variation(table), plan, biased=True)
    if kind != "name":
        moved = transport(table, torch.from_numpy(grid), TURN if kind == "angle" else None)
        readings["transport"] = read(moved, plan, biased=True)
    return Marginal(name, kind, "deg" if kind == "angle" else unit, readings)


def histogram(
    kind: Kind, sides: Mapping[str, Observed]
) -> tuple[list[str], dict[str, list[float]]]:
    """Labels of the bars, and for each side the share of its values in each bar."""
    values = np.concatenate([side.values for side in sides.values()])
    if kind == "name":
        labels = sorted({str(value) for value in values})
        bars = {name: [float(np.mean(s.values == v)) for v in labels] for name, s in sides.items()}
        return labels, bars
    wrapped = {name: _wrapped(side.values, kind) for name, side in sides.items()}
    edges = _edges(_wrapped(values, kind), kind)
    middles = (edges[:-1] + edges[1:]) / 2
    counts = {name: np.histogram(side, edges)[0] for name, side in wrapped.items()}
    shares = {name: (n / max(1, n.sum())).tolist() for name, n in counts.items()}
    return [f"{middle:.3g}" for middle in middles], shares


def _edges(values: np.ndarray, kind: Kind) -> np.ndarray:
    low, high = values.min(), values.max()
    if kind == "count":
        return np.arange(low - 0.5, high + 1)
    # A few values far out shall not press all others into one bar.
    inner = np.quantile(values, [0.002, 0.998])
    low, high = (low, high) if high - low < 2 * (inner[1] - inner[0]) else inner
    return np.linspace(low, high if high > low else low + 1, _BARS + 1)


def _grid(values: np.ndarray, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    """float64 [bins], where the bins lie, and int64 [values], the bin of each value."""
    if kind == "name":
        names, place = np.unique(values.astype(str), return_inverse=True)
        return np.arange(len(names), dtype=float), place
    wrapped = _wrapped(values, kind)
    grid = np.unique(wrapped)
    if len(grid) > _GRID:
        grid = np.unique(np.quantile(wrapped, (np.arange(_GRID) + 0.5) / _GRID))
    middles = (grid[:-1] + grid[1:]) / 2
    return grid, np.searchsorted(middles, wrapped)


def _wrapped(values: np.ndarray, kind: Kind) -> np.ndarray:
    numbers = values.astype(float)
    return np.mod(numbers + TURN / 2, TURN) - TURN / 2 if kind == "angle" else numbers


def _index(numbers: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(numbers, np.int64))
