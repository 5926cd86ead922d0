"""Whether a thing has room where it stands: inside one of its siblings, apart from the others.

A thing counts as the disc about its centre that is as wide as the longer of its width and height.
What it stands inside counts as the ellipse of its own width and height. All lengths are in the
frame of their common parent; heights play no part.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datagen.distributions import Value
from datagen.scene import Transform

_HALVINGS = 50  # of an interval: to the last digits
_ON_AXIS = 1e-9  # of a half-axis; nearer to an axis, the equation below would be 0 / 0


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a thing stands in its parent's frame, and how much of it the thing takes."""

    symbol: str
    x: float
    y: float
    yaw: float  # radians, from x towards y
    half_width: float
    half_height: float
    apart: float | None  # least distance to the rim of others that have one, too; None: any

    @property
    def radius(self) -> float:
        return max(self.half_width, self.half_height)


def spot_of(symbol: str, at: Transform, values: Mapping[str, Value]) -> Spot:
    """The spot of a node with these values, which stands there in its parent's frame."""
    width, height = (at.scale * float(values.get(side, 0.0)) / 2 for side in ("width", "height"))
    apart = float(values["apart"]) if "apart" in values else None
    return Spot(symbol, at.x, at.y, at.yaw, width, height, apart)


def nearest_before(symbol: str, spots: Sequence[Spot]) -> Spot | None:
    """The last of them with this symbol: what a thing lies `inside`."""
    return next((spot for spot in reversed(spots) if spot.symbol == symbol), None)


def stands_apart(spot: Spot, others: Sequence[Spot]) -> bool:
    """Does it keep its distance, and do the others keep theirs?"""
    if spot.apart is None:
        return True
    return all(
        math.hypot(spot.x - other.x, spot.y - other.y)
        >= spot.radius + other.radius + max(spot.apart, other.apart)
        for other in others
        if other.apart is not None
    )


def lies_inside(spot: Spot, around: Spot) -> bool:
    """Does the disc of one lie wholly in the ellipse of the other?"""
    u, v = seen_from(spot, around)
    a, b = around.half_width, around.half_height
    if min(a, b) <= spot.radius or math.hypot(u / a, v / b) > 1:
        return False
    x, y = on_ellipse(u, v, a, b)
    return math.hypot(x - u, y - v) >= spot.radius


def seen_from(spot: Spot, around: Spot) -> tuple[float, float]:
    """Where the middle of one stands along the axes of the other."""
    c, s = math.cos(around.yaw), math.sin(around.yaw)
    x, y = spot.x - around.x, spot.y - around.y
    return c * x + s * y, c * y - s * x


def on_ellipse(x: float, y: float, a: float, b: float) -> tuple[float, float]:
    """The point of the ellipse x^2 / a^2 + y^2 / b^2 = 1 that is nearest to a point inside it.

    It is (a^2 x / (t + a^2), b^2 y / (t + b^2)) for the one t in (-min(a, b)^2, 0]
    that puts it on the ellipse (Lagrange). As t falls it goes outwards: t is found by halving.
    """
    u, v = max(abs(x), _ON_AXIS * a), max(abs(y), _ON_AXIS * b)
    low, high = -(min(a, b) ** 2), 0.0
    for _ in range(_HALVINGS):
        t = (low + high) / 2
        if math.hypot(a * u / (t + a * a), b * v / (t + b * b)) > 1:
            low = t
        else:
            high = t
    px, py = a * a * u / (high + a * a), b * b * v / (high + b * b)
    return math.copysign(px, x), math.copysign(py, y)
