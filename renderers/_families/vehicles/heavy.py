"""What a bus and a lorry's cab have in common: an upright body of rings, and big wheels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .outline import Arch, Column, Ring, lid
from .parts import BLACK, PAINT, coarse_wheel, well, wheel
from .skin import Coat, Skin, flat, grid, joined

ENDS = ((0.0, 0.5, 0.86, 1.0), (0.0, 0.86, 1.0), (0.0, 0.97))  # columns by level
_ARCH_GAP = 0.07


@dataclass(frozen=True)
class Storey:
    """A ring of a body and the height where it lies."""

    height: float
    ring: Ring


Paint = Callable[[float, float, Column, Column], Coat]  # a cell's heights and columns


def tower(
    storeys: Sequence[Storey], columns: list[Column], arches: Sequence[Arch], paint: Paint
) -> Skin:
    """The right half of a body, with a floor and a lid."""
    rows = []
    for storey in storeys:
        outline = storey.ring.points(columns)
        edges = [arch.height(outline[:, 1]) for arch in arches]
        height = np.full(len(outline), storey.height)
        rows.append(np.column_stack([outline, np.max([height, *edges], axis=0)]))
    floor = np.array(rows[:1]) * (0.0, 1.0, 1.0)
    points = np.concatenate([floor, rows, lid(rows[-1], 0.03, (0.0,))])

    def coat(r: int, c: int) -> Coat:
        if r in (0, len(rows)):
            return PAINT if r else BLACK
        low, high = storeys[r - 1].height, storeys[r].height
        return paint(low, high, columns[c], columns[c + 1])

    return grid(points, coat)


def opening(y: float, radius: float) -> Arch:
    return Arch(y, radius, radius + _ARCH_GAP)


def big_wheel(y: float, radius: float, side: float, width: float, level: int) -> Skin:
    """A wheel in the body's side at x = `side`, or flat before it where the body is coarse."""
    if level == 0:
        behind = well(y, radius, radius + _ARCH_GAP, side - width - 0.05, radius)
        return joined([wheel(y, radius, side - 0.03, width), behind])
    return coarse_wheel(y, radius, side, radius + _ARCH_GAP, level)


def board(y: float, x: tuple[float, float], z: tuple[float, float], coat: Coat) -> Skin:
    """An upright rectangle across the vehicle, ahead of its middle facing ahead, else back."""
    corners = [(x[0], y, z[0]), (x[0], y, z[1]), (x[1], y, z[1]), (x[1], y, z[0])]
    return flat(corners if y > 0 else corners[::-1], coat)


def panel(x: float, y: tuple[float, float], z: tuple[float, float], coat: Coat) -> Skin:
    """An upright rectangle along the right side."""
    return flat([(x, y[0], z[0]), (x, y[1], z[0]), (x, y[1], z[1]), (x, y[0], z[1])], coat)
