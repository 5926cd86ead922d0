"""A low-floor city bus with doors on its right."""

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
from .skin import Coat, Skin, block, darkened, in_unit_box, joined, on_both_sides

LENGTH, WIDTH, TALL = 12.0, 2.55, 3.05
_FRONT = LENGTH / 2
_AXLES = (-2.75, 3.15)
_RADIUS = 0.48
_PILLARS = (-4.3, -2.85, -1.4, 0.05, 1.5, 4.3)
_DOORS = ((0.10, 1.45), (4.35, 5.65))
_SIGN = Coat(Material.PLAIN, (22, 22, 22))
_LETTERS = Coat(Material.PLAIN, (196, 140, 50))
# Height, how far behind the front, half width: stripe below the sill, windows, sign, roof.
_STOREYS = (
    (0.30, 0.06, 1.240), (0.55, 0.02, 1.265), (0.95, 0.0, 1.275), (1.10, 0.0, 1.275),
    (2.40, 0.08, 1.250), (2.72, 0.12, 1.235), (2.92, 0.24, 1.120),
)  # fmt: skip
_ROWS = ((0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 3, 4, 6), (0, 2, 3, 4, 6))


def bus(level: int) -> Skin:
    """In its unit box; the higher the level, the coarser."""
    wheels = [big_wheel(y, _RADIUS, 1.27, 0.30, level) for y in _AXLES]
    parts = [on_both_sides(joined([_body(level), *wheels]))]
    if level < 2:
        parts += [on_both_sides(_pillars()), _doors()]
    parts.append(on_both_sides(_small_parts(level)))
    return in_unit_box(darkened(joined(parts), (0.3, 0.5, 1.1), (0.6, 0.85, 1.0)))


def _body(level: int) -> Skin:
    arches = [opening(y, _RADIUS) for y in _AXLES] if level == 0 else []
    storeys = [
        Storey(z, Ring(_FRONT - inset, 0.4 * inset - _FRONT, half, 0.22, 0.14, 4.0, 0.0))
        for z, inset, half in (_STOREYS[row] for row in _ROWS[level])
    ]
    side = [column for arch in arches for column in arch.columns(4)]
    return tower(storeys, ends(ENDS[level], side, ENDS[level]), arches, _coat)


def _coat(low: float, high: float, a: Column, b: Column) -> Coat:
    front = a.part is b.part is Part.FRONT
    rear = a.part is b.part is Part.REAR
    corner = (front or rear) and max(a.at, b.at) == 1.0
    if low == 1.10:
        return PAINT if rear and corner else GLASS
    if low == 2.40 and high == 2.72 and front:
        return _SIGN
    if low == 0.95:
        return PAINT_2
    if low == 0.55 and (front or rear):
        return _lamps(front, corner, 0.5 * (a.at + b.at))
    return PAINT


def _lamps(front: bool, corner: bool, share: float) -> Coat:
    if front:
        return HEADLIGHT if 0.6 < share < 0.8 else PAINT
    return TAILLIGHT if corner else TRIM


def _pillars() -> Skin:
    return joined(
        [panel(_at(1.75) + 0.012, (y - 0.045, y + 0.045), (1.12, 2.38), _SIGN) for y in _PILLARS]
    )


def _doors() -> Skin:
    leaves = []
    for rear, front in _DOORS:
        middle = 0.5 * (rear + front)
        leaves.append(panel(_at(1.1) + 0.012, (rear, front), (0.36, 2.42), BLACK))
        for span in ((rear + 0.06, middle - 0.03), (middle + 0.03, front - 0.06)):
            leaves.append(panel(_at(1.1) + 0.024, span, (0.48, 2.34), GLASS))
    return joined(leaves)


def _at(height: float) -> float:
    """x of the side at a height between the stripe and the windows' head."""
    return 1.275 - 0.025 * max(height - 1.10, 0.0) / 1.30


def _small_parts(level: int) -> Skin:
    """The right halves of the roof's unit, plates, the sign's letters and the mirrors."""
    parts = [
        block((0.0, -2.6, 2.93), (0.8, 0.2, 3.06), PAINT),
        block((1.13, _FRONT - 0.03, 1.75), (1.27, _FRONT + 0.10, 2.15), TRIM),
    ]
    if level == 0:
        parts += [
            board(_FRONT, (0.0, 0.26), (0.38, 0.49), FRONT_PLATE),
            board(-_FRONT, (0.0, 0.26), (0.40, 0.51), REAR_PLATE),
            board(_FRONT - 0.07, (0.0, 0.72), (2.50, 2.64), _LETTERS),
            block((1.15, _FRONT - 0.16, 2.15), (1.19, _FRONT + 0.05, 2.20), TRIM),
        ]
    return joined(parts)
