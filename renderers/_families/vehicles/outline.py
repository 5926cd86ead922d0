"""A vehicle's outline from above: columns of points from the middle of its front to its rear."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Part(IntEnum):
    FRONT = 0
    SIDE = 1
    REAR = 2


@dataclass(frozen=True)
class Column:
    """Points above each other: at a share of the width on an end, or at a y on the side."""

    part: Part
    at: float


@dataclass(frozen=True)
class Ring:
    """One outline of the right half; metres, the middle of the vehicle at y = 0."""

    front: float
    rear: float
    half: float  # of the width
    round_front: float  # how far the corners go back
    round_rear: float
    bow: float = 2.6  # exponent of the ends: 2 an ellipse, more a straighter end
    taper: float = 0.03  # share of the width that is gone at the ends of the side

    def points(self, columns: Sequence[Column]) -> np.ndarray:
        """float [C, 2]: x and y."""
        return np.array([self._point(column) for column in columns])

    def _point(self, column: Column) -> tuple[float, float]:
        low, high = self.rear + self.round_rear, self.front - self.round_front
        if column.part is Part.SIDE:
            y = min(max(column.at, low), high)
            return self._wide(y), y
        back = 1 - (1 - column.at**self.bow) ** (1 / self.bow)
        if column.part is Part.FRONT:
            return self._wide(high) * column.at, self.front - self.round_front * back
        return self._wide(low) * column.at, self.rear + self.round_rear * back

    def _wide(self, y: float) -> float:
        return self.half * (1 - self.taper * (2 * y / (self.front - self.rear)) ** 2)


@dataclass(frozen=True)
class Arch:
    """The opening around a wheel."""

    y: float
    z: float
    radius: float

    def columns(self, steps: int) -> list[Column]:
        """From its front to its rear; the outermost two stand just outside, on the sill."""
        turn = np.radians(np.linspace(4.0, 176.0, steps))
        inside = self.y + self.radius * np.cos(turn)
        edges = [self.y + 1.001 * self.radius, *inside.tolist(), self.y - 1.001 * self.radius]
        return [Column(Part.SIDE, y) for y in edges]

    def height(self, y: np.ndarray) -> np.ndarray:
        """Of its edge above the ground; 0 beside it."""
        inside = np.maximum(self.radius**2 - (y - self.y) ** 2, 0.0)
        return np.where(inside > 0, self.z + np.sqrt(inside), 0.0)


def ends(front: Sequence[float], side: Sequence[Column], rear: Sequence[float]) -> list[Column]:
    """Columns in a grid's order: the front from its middle, the side, the rear to its middle."""
    ordered = sorted(side, key=lambda column: -column.at)
    return [
        *(Column(Part.FRONT, share) for share in front),
        *ordered,
        *(Column(Part.REAR, share) for share in reversed(rear)),
    ]


def lid(edge: np.ndarray, crown: float, shares: Sequence[float]) -> np.ndarray:
    """Rows float [R, C, 3] from an edge float [C, 3] in to the middle, which is `crown` higher."""
    half = max(float(edge[:, 0].max()), 1e-9)
    rise = crown * (edge[:, 0] / half) ** 2
    rows = []
    for share in shares:
        row = edge * (share, 1.0, 1.0)
        row[:, 2] += rise * (1 - share**2)
        rows.append(row)
    return np.array(rows)
