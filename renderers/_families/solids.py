"""Families of plain solids for table-top worlds: balls, blocks, cylinders, bowls and arrows."""

from functools import cache

import numpy as np

from .._attributes import Colour, Name, Number, Values
from .contact import contact_disc
from .family import Piece
from .geometry import WHITE, Geometry, box, join, lathe, placement
from .materials import Material
from .plates import prism

FINISHES = {"rubber": Material.CLOTH, "metal": Material.POLISHED}
_FINISH = Name("finish", "rubber", tuple(FINISHES))
_NEAR = 40.0  # m; farther away what is round has fewer sides
_RIM, _FLOOR = 0.92, 0.62  # of a bowl's outer radius: where the inside begins, and its level floor
_BASE = 0.12  # of a bowl's height: how high its floor lies


class Ball:
    """A ball `width` metres across, on the ground."""

    reads = (Number("width", 1.0, 0.01, 50.0), Colour("colour", "grey"), _FINISH)

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        width, colour, finish = self.reads
        r = width.of(values) / 2
        shape = _ball(_sides(distance), finish.of(values))
        at = placement((0, 0, r), size=(r, r, r))
        return [Piece(shape, at, colour.of(values)), contact_disc(0, 0, 0.8 * r)]


class Block:
    """A box `width` x `height` metres on the ground and `tall` metres high."""

    reads = (
        Number("width", 1.0, 0.01, 1000.0),
        Number("height", 1.0, 0.01, 1000.0),
        Number("tall", 1.0, 0.01, 100.0),
        Colour("colour", "grey"),
        _FINISH,
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        width, height, tall, colour, finish = self.reads
        size = (width.of(values), height.of(values), tall.of(values))
        return [Piece(_block(finish.of(values)), placement(size=size), colour.of(values))]


class Cylinder:
    """An upright cylinder `width` metres across and `tall` metres high."""

    reads = (
        Number("width", 1.0, 0.01, 50.0),
        Number("tall", 1.0, 0.01, 50.0),
        Colour("colour", "grey"),
        _FINISH,
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        width, tall, colour, finish = self.reads
        r, h = width.of(values) / 2, tall.of(values)
        shape = _cylinder(_sides(distance), finish.of(values))
        return [Piece(shape, placement(size=(r, r, h)), colour.of(values))]


class Bowl:
    """A bowl `width` x `height` metres across its rim and `tall` metres high.

    Its floor is level: an ellipse of 0.62 of the width and the height, at 0.12 of `tall`.
    """

    reads = (
        Number("width", 6.0, 0.1, 100.0),
        Number("height", 6.0, 0.1, 100.0),
        Number("tall", 1.0, 0.01, 50.0),
        Colour("colour", "#c8c4ba"),
        _FINISH,
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        width, height, tall, colour, finish = self.reads
        size = (width.of(values) / 2, height.of(values) / 2, tall.of(values))
        return [Piece(_bowl(finish.of(values)), placement(size=size), colour.of(values))]


class Arrow:
    """An arrow that lies on the ground and points along its own y, `height` metres long."""

    reads = (
        Number("width", 1.2, 0.05, 50.0),
        Number("height", 2.4, 0.05, 50.0),
        Number("tall", 0.4, 0.01, 10.0),
        Colour("colour", "grey"),
        _FINISH,
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        width, height, tall, colour, finish = self.reads
        size = (width.of(values), height.of(values), tall.of(values))
        return [Piece(_arrow(finish.of(values)), placement(size=size), colour.of(values))]


def _sides(distance: float) -> int:
    return 40 if distance < _NEAR else 20


@cache
def _ball(sides: int, finish: str) -> Geometry:
    """Radius 1 about the origin. Its poles are tiny rings: a point has no direction outwards."""
    up = np.linspace(-np.pi / 2 + 0.01, np.pi / 2 - 0.01, sides // 2 + 1)
    profile = [(float(np.cos(a)), float(np.sin(a))) for a in up]
    return lathe(profile, sides, FINISHES[finish])


@cache
def _block(finish: str) -> Geometry:
    return box((-0.5, -0.5, 0.0), (0.5, 0.5, 1.0), FINISHES[finish])


@cache
def _cylinder(sides: int, finish: str) -> Geometry:
    material = FINISHES[finish]
    wall = lathe([(1.0, 0.0), (1.0, 1.0)], sides, material)
    return join([wall, lathe([(1.0, 1.0), (0.0, 1.0)], sides, material)])


@cache
def _bowl(finish: str) -> Geometry:
    """Radius and height 1; the ground is z = 0."""
    material, sides = FINISHES[finish], 64
    bend = np.linspace(0, np.pi / 2, 9)
    # From the floor's edge, quarter ellipses rise to the rim: level below, upright above.
    inside = [(_FLOOR + (_RIM - _FLOOR) * np.sin(a), 1 - (1 - _BASE) * np.cos(a)) for a in bend]
    outside = [(_FLOOR + (1 - _FLOOR) * np.sin(a), 1 - np.cos(a)) for a in bend]
    parts = [outside, [(1.0, 1.0), (_RIM, 1.0)], inside[::-1], [(_FLOOR, _BASE), (0.0, _BASE)]]
    return join([lathe([(float(r), float(z)) for r, z in part], sides, material) for part in parts])


@cache
def _arrow(finish: str) -> Geometry:
    """1 x 1 x 1, its tip at y = 0.5."""
    material = FINISHES[finish]
    head = [(-0.5, 0.0, 1.0), (0.0, 0.5, 1.0), (0.5, 0.0, 1.0)]
    shaft = box((-0.18, -0.5, 0.0), (0.18, 0.0, 1.0), material)
    return join([shaft, prism(head, (0.0, 0.0, -1.0), material, WHITE)])
