"""A box lorry of about seven metres: cab, chassis and box."""

from ..materials import Material
from .heavy import ENDS, Storey, big_wheel, board, opening, panel, tower
from .outline import Column, Part, Ring, ends
from .parts import (
    BLACK,
    FRONT_PLATE,
    GLASS,
    HEADLIGHT,
    PAINT,
    PAINT_2,
    REAR_PLATE,
    TAILLIGHT,
    TRIM,
)  # fmt: skip
from .skin import Coat, Skin, block, darkened, in_unit_box, joined, on_both_sides, shifted

LENGTH, WIDTH, TALL = 7.1, 2.52, 3.2
_CAB = (1.55, 3.55)  # y of its rear and front
_BOX = (-3.53, 1.42)
_AXLES = (-1.95, 2.55)
_RADIUS = 0.43
_ALUMINIUM = Coat(Material.METAL, (140, 142, 144))
# Height, how far behind the front, half width.
_STOREYS = (
    (0.42, 0.04, 1.08), (0.62, 0.0, 1.10), (0.95, 0.0, 1.10), (1.42, 0.02, 1.09),
    (2.12, 0.20, 1.02), (2.36, 0.42, 0.93),
)  # fmt: skip


def truck(level: int) -> Skin:
    """In its unit box; the higher the level, the coarser."""
    rear, front = _AXLES
    parts = [
        _cab(level),
        block((0.0, _BOX[0], 0.98), (1.24, _BOX[1], 3.20), PAINT_2),
        block((0.0, _BOX[0] + 0.1, 0.62), (0.45, _CAB[0] + 0.3, 0.98), BLACK),
        big_wheel(rear, _RADIUS, 1.14, 0.50, level),
        big_wheel(front, _RADIUS, 1.09, 0.30, level),
        block((0.70, _BOX[0] - 0.04, 0.60), (1.15, _BOX[0] + 0.03, 0.76), TAILLIGHT),
    ]
    if level < 2:
        parts += _chassis()
    if level == 0:
        parts += _small_parts()
    return in_unit_box(darkened(on_both_sides(joined(parts)), (0.35, 0.6, 1.1), (0.6, 0.85, 1.0)))


def _cab(level: int) -> Skin:
    arches = [opening(_AXLES[1] - _middle(), _RADIUS)] if level == 0 else []
    half = (_CAB[1] - _CAB[0]) / 2
    storeys = [
        Storey(z, Ring(half - inset, -half, wide, 0.20, 0.06, 4.0, 0.0))
        for row, (z, inset, wide) in enumerate(_STOREYS)
        if level == 0 or row != 2
    ]
    side = [column for arch in arches for column in arch.columns(4)]
    side.append(Column(Part.SIDE, -0.45))
    columns = ends(ENDS[level], side, (0.0, 1.0))
    skin = tower(storeys, columns, arches, _coat)
    return shifted(skin, (0.0, _middle(), 0.0))


def _middle() -> float:
    return sum(_CAB) / 2


def _coat(low: float, high: float, a: Column, b: Column) -> Coat:
    if low == 1.42:
        return GLASS if _glazed(b) else PAINT
    if low == 0.42:
        return TRIM
    if a.part is b.part is Part.FRONT:
        if low == 0.62 and 0.6 < 0.5 * (a.at + b.at) < 0.8:
            return HEADLIGHT
        if low == 0.95 and b.at < 0.9:
            return TRIM
    return PAINT


def _glazed(b: Column) -> bool:
    if b.part is Part.FRONT:
        return b.at < 1.0
    return b.part is Part.SIDE and b.at > -0.5


def _chassis() -> list[Skin]:
    low, high = _BOX
    return [
        block((0.55, -0.9, 0.45), (1.12, 1.2, 0.85), TRIM),
        block((0.0, low - 0.02, 0.45), (1.15, low + 0.06, 0.57), TRIM),
        panel(1.255, (low, high), (0.98, 1.08), _ALUMINIUM),
    ]


def _small_parts() -> list[Skin]:
    """The right halves of the box's rear doors, plates and mirrors."""
    end = _BOX[0] - 0.012
    bars = [board(end, (x, x + 0.03), (1.0, 3.18), _ALUMINIUM) for x in (0.45, 0.80, 1.20)]
    return [
        *bars,
        board(end, (0.0, 0.012), (1.0, 3.18), TRIM),
        board(end - 0.025, (0.0, 0.26), (0.62, 0.73), REAR_PLATE),
        board(_CAB[1] + 0.012, (0.0, 0.26), (0.47, 0.58), FRONT_PLATE),
        block((1.10, 3.22, 1.50), (1.24, 3.34, 1.95), TRIM),
    ]
