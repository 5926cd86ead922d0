"""Family of buildings: facades of bays and storeys on four sides under a roof."""

import math

import numpy as np

from .._attributes import Colour, Name, Number, Values
from .._facade_models import STOREY, STYLES
from . import facades
from .contact import contact_edge
from .family import Piece
from .geometry import RGB, placement
from .materials import Material
from .roofs import block, flat, pitched

_ROOFS: dict[str, float] = {"flat": 0.0, "pitched": 0.6, "steep": 1.0}  # height over run
_NEAR = 60.0  # m; farther away ledges are left out
# Of roofs and of shops' names; `exemplar` picks.
_TILES: tuple[RGB, ...] = ((92, 90, 94), (104, 84, 74), (82, 84, 90), (122, 88, 72))
_FASCIAS: tuple[RGB, ...] = (
    (44, 52, 80), (112, 44, 44), (48, 78, 62), (176, 168, 152), (56, 56, 58), (138, 98, 56),
    (66, 96, 124), (84, 48, 70),
)  # fmt: skip
_BRICK = ("terrace", "shop", "blank")  # styles
_SIDES = (("right", 0.0), ("left", math.pi), ("ahead", math.pi / 2), ("behind", -math.pi / 2))


class Building:
    """A block of `width` x `height` metres, its facades along its own y, `storeys` high."""

    reads = (
        Number("width", 10.0, 1.0, 60.0),
        Number("height", 14.0, 1.0, 100.0),
        Number("storeys", 3.0, 1.0, 9.0),
        Name("style", "terrace", STYLES),
        Name("roof", "pitched", tuple(_ROOFS)),
        Colour("colour", "beige"),
        Number("exemplar", 0.0, 0.0, 1.0),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        width, height, storeys, style, roof, colour, exemplar = self.reads
        w, h, floors = width.of(values), height.of(values), round(storeys.of(values))
        look, kind, rgb = exemplar.of(values), style.of(values), colour.of(values)
        wall = Material.BRICK if kind in _BRICK else Material.PLASTER
        fascia = _FASCIAS[int(look * 7.999 * 5) % len(_FASCIAS)]
        pieces = []
        for side, yaw in _SIDES:
            length, away = (h, w / 2) if side in ("right", "left") else (w, h / 2)
            face = _Face(length, away, yaw, rgb, fascia)
            gable = side in ("ahead", "behind") and wall == Material.BRICK
            pieces += _storeys(face, "blank" if gable else kind, floors, look)
            pieces.append(face.foot())
            if distance < _NEAR and side in ("right", "left"):
                pieces += _ledges(face, kind, floors, roof.of(values) == "flat")
        size, slope = (w, h, floors * STOREY), _ROOFS[roof.of(values)]
        tints = rgb, _TILES[int(look * 3.999 * 3) % len(_TILES)]
        if slope == 0:
            return pieces + flat(size, wall, tints)
        stacks = kind in ("terrace", "shop")
        return pieces + pitched(size, slope, wall, tints, stacks, distance)


class _Face:
    """One side of a building, `length` metres long and `away` from its middle."""

    def __init__(self, length: float, away: float, yaw: float, wall: RGB, fascia: RGB) -> None:
        self.length, self._away, self._yaw = length, away, yaw
        self._tints = wall, fascia

    def blocks(self, kind: str, first: int, rows: int) -> list[Piece]:
        """Storeys `first` to `first + rows`, the lowest of which may be the ground floor."""
        bays = facades.bays_of(self.length)
        bay = self.length / bays
        pieces = []
        for start, count in facades.blocks(bays):
            for below, storeys in facades.blocks(rows):
                shape = (
                    facades.upper(kind, count, storeys) if first else facades.ground(kind, count)
                )
                size = (1.0, count * bay, storeys * STOREY)
                at = self._at(0, start * bay, (first + below) * STOREY, size)
                pieces.append(Piece(shape, at, *self._tints))
        return pieces

    def ledge(self, z: float, reach: float, tall: float) -> Piece:
        matrix = self._at(reach / 2, self.length / 2, z, (reach, self.length, tall))
        return Piece(block(Material.CONCRETE), matrix)

    def foot(self) -> Piece:
        matrix = self._at(0, 0, 0, (1, 1, 1))
        return contact_edge(matrix[:, 3].tolist(), self._yaw, self.length)

    def _at(
        self, out: float, along: float, z: float, size: tuple[float, float, float]
    ) -> np.ndarray:
        c, s = math.cos(self._yaw), math.sin(self._yaw)
        x, y = self._away + out, along - self.length / 2
        return placement((c * x - s * y, s * x + c * y, z), self._yaw, size)


def _storeys(face: _Face, style: str, floors: int, look: float) -> list[Piece]:
    """The ground floor and what is above it."""
    above = {"terrace": "terrace", "shop": "sash"}.get(style, style)
    below = style
    if look >= 0.5 and style in ("terrace", "shop"):  # the other of the two brick facades
        above = "sash" if style == "terrace" else "terrace"
        below = "sash" if style == "terrace" else "shop"
    return face.blocks(below, 0, 1) + face.blocks(above, 1, floors - 1)


def _ledges(face: _Face, style: str, floors: int, bare: bool) -> list[Piece]:
    """A cornice over shops, one at the top where no eaves are."""
    ledges = [face.ledge(STOREY - 0.06, 0.22, 0.14)] if style == "shop" else []
    if bare and style != "blank":
        ledges.append(face.ledge(floors * STOREY - 0.2, 0.12, 0.2))
    return ledges
