"""Cars: a body of six rings and a lid, a cabin of four on top of it, wheels and small parts."""

from dataclasses import dataclass

import numpy as np

from ..materials import Material
from .car_models import CARS, Cabin, Car, height_at
from .outline import Arch, Column, Part, Ring, ends, lid
from .parts import (
    BLACK,
    FRONT_PLATE,
    GLASS,
    HEADLIGHT,
    PAINT,
    REAR_PLATE,
    TAILLIGHT,
    TRIM,
    coarse_wheel,
    well,
    wheel,
)  # fmt: skip
from .skin import Coat, Skin, block, darkened, flat, grid, in_unit_box, joined, on_both_sides

_SEAM = Coat(Material.PAINT, (80, 80, 82))
_ARCH_GAP = 0.055  # m between a tyre and the body
_WIDTHS = ((0.0, 0.935), (0.08, 0.968), (0.23, 0.99), (0.40, 1.0), (0.60, 0.99))


@dataclass(frozen=True)
class Detail:
    """How fine a car is built."""

    nose: tuple[float, ...]  # shares of the half width on the ends of the body
    tail: tuple[float, ...]
    cabin: tuple[float, ...]  # on both ends of the cabin
    rows: tuple[int, ...]  # of the body's six
    first: int  # of the cabin's four rows
    lid: tuple[float, ...]
    pillars: bool
    fine: bool  # open arches, round wheels, seams, plates and mirrors


DETAIL = (
    Detail((0.0, 0.34, 0.62, 0.88, 1.0), (0.0, 0.40, 0.74, 0.92, 1.0), (0.0, 0.5, 0.87, 1.0),
           (0, 1, 2, 3, 4, 5), 0, (0.55, 0.0), True, True),
    Detail((0.0, 0.62, 1.0), (0.0, 0.74, 1.0), (0.0, 0.87, 1.0), (0, 2, 3, 5), 1, (0.0,),
           True, False),
    Detail((0.0, 0.62, 1.0), (0.0, 0.74, 1.0), (0.0, 0.9), (0, 3, 5), 1, (0.0,), False, False),
)  # fmt: skip


def car(kind: str, level: int) -> Skin:
    """In its unit box; the higher the level, the coarser."""
    model, detail = CARS[kind], DETAIL[level]
    parts = [_body(model, detail), _cabin(model, detail), *_wheels(model, level)]
    if level < 2:
        parts.append(_plates(model))
    if detail.fine:
        parts.append(_mirrors(model))
    if kind == "van" and level < 2:
        parts.append(_post(model))
    low = model.low
    whole = darkened(on_both_sides(joined(parts)), (low, low + 0.18, 0.75), (0.55, 0.80, 1.0))
    return in_unit_box(whole)


def _body(car: Car, detail: Detail) -> Skin:
    arches = [Arch(y, car.wheel, car.wheel + _ARCH_GAP) for y in car.axles] if detail.fine else []
    side = [column for arch in arches for column in arch.columns(5)]
    side += [Column(Part.SIDE, y) for y in (car.seams if detail.fine else car.bends)]
    columns = ends(detail.nose, side, detail.tail)
    rings = np.array([_ring(car, row, columns, arches) for row in detail.rows])
    floor = rings[:1] * (0.0, 1.0, 1.0)
    points = np.concatenate([floor, rings, lid(rings[-1], 0.035, detail.lid)])
    skin = grid(points, lambda r, c: _coat(car, detail, columns, points, (r, c)))
    if not detail.fine:
        return skin
    seams = [_seam(rings[1:, columns.index(Column(Part.SIDE, y))]) for y in car.seams]
    behind = [c for c, column in enumerate(columns) if column.part is Part.REAR]
    return joined([skin, *seams, _bumper(rings[3][behind])])


def _ring(car: Car, row: int, columns: list[Column], arches: list[Arch]) -> np.ndarray:
    """float [C, 3]: the row's points, lifted over the wheels."""
    half = car.length / 2
    ring = Ring(half - car.nose[row], car.tail[row] - half, 1.0, *car.corners)
    x, y = ring.points(columns).T
    if row < 4:
        z = np.full_like(y, car.low + car.rise[row])
    else:
        z = height_at(car.belt, y) - (0.11 if row == 4 else 0.0)
    over = np.max([np.zeros_like(y), *(arch.height(y) for arch in arches)], axis=0)
    z = np.maximum(z, np.where(over > 0, over + 0.012 * row, 0.0))
    if row < 4:
        wide = height_at(_WIDTHS, z - car.low)
    else:
        wide = 0.985 if row == 4 else car.shoulder
    return np.column_stack([x * wide * car.width / 2, y, z])


def _coat(
    car: Car, detail: Detail, columns: list[Column], points: np.ndarray, cell: tuple[int, int]
) -> Coat | None:
    r, c = cell
    rows = detail.rows
    if r == 0:
        return BLACK if detail.fine else None
    if r >= len(rows):
        return None if _covered(car.cabin, points[r, c : c + 2, 1]) else PAINT
    part, share = columns[c].part, 0.5 * (columns[c].at + columns[c + 1].at)
    if rows[r] <= car.cladding:
        return TRIM
    if part is Part.FRONT and columns[c + 1].part is Part.FRONT:
        return _nose((rows[r - 1], rows[r]), share)
    if part is Part.REAR and rows[r - 1] == 3 and share > 0.78:
        return TAILLIGHT
    return PAINT


def _covered(cabin: Cabin, ys: np.ndarray) -> bool:
    """Whether the cabin hides all of a strip of the body's lid."""
    rear, front = cabin.foot
    return bool(ys.max() < front - cabin.round_front[0] and ys.min() > rear + cabin.round_rear[0])


def _nose(rows: tuple[int, int], share: float) -> Coat:
    """Lamps, grille and intake, by the rows below and above them."""
    if rows[1] == 5 and share > 0.62:
        return HEADLIGHT
    if (rows[1] == 2 and share < 0.75) or (rows in ((3, 4), (4, 5)) and share < 0.34):
        return TRIM
    return PAINT


def _seam(column: np.ndarray) -> Skin:
    """A dark line down the side, from points float [R, 3] on it."""
    out = column + np.array([0.007, 0.0, 0.0])
    wide = np.array([0.0, 0.007, 0.0])
    return grid(np.stack([out + wide, out - wide], axis=1), lambda *_: _SEAM)


def _bumper(row: np.ndarray) -> Skin:
    """A dark line above the rear bumper, through points float [C, 3]."""
    out = row * (1.008, 1.0, 1.0) - np.array([0.0, 0.008, 0.0])
    tall = np.array([0.0, 0.0, 0.008])
    return grid(np.stack([out - tall, out + tall]), lambda *_: _SEAM)


def _cabin(car: Car, detail: Detail) -> Skin:
    cabin = car.cabin
    pillars = cabin.pillars
    side = [Column(Part.SIDE, y) for pillar in pillars for y in pillar] if detail.pillars else []
    side += [Column(Part.SIDE, cabin.glazed)]
    columns = ends(detail.cabin, side, detail.cabin)
    rings = _cabin_rings(car, columns)
    points = np.concatenate([rings, lid(rings[-1], cabin.crown, detail.lid)])[detail.first :]

    def coat(row: int, c: int) -> Coat:
        r, a, b = row + detail.first, columns[c], columns[c + 1]
        if r == 0:
            return TRIM if a.part is Part.FRONT else PAINT
        if r != 1:
            return PAINT
        return GLASS if _glazed(cabin, a, b) else _pillar(cabin, a, b)

    return grid(points, coat)


def _cabin_rings(car: Car, columns: list[Column]) -> np.ndarray:
    """float [4, C, 3]: the foot, the windows' sill and head, the edge of the roof."""
    cabin = car.cabin
    low, high = (
        Ring(span[1], span[0], cabin.half[k], cabin.round_front[k], cabin.round_rear[k], 3.0)
        for k, span in enumerate((cabin.foot, cabin.roof))
    )
    foot, roof = low.points(columns), high.points(columns)
    bottom = height_at(car.belt, foot[:, 1]) - 0.015
    top = height_at(cabin.line, roof[:, 1])
    start, end = np.column_stack([foot, bottom]), np.column_stack([roof, top])
    rings = []
    for share in (0.0, cabin.sill, cabin.head, 1.0):
        ring = start + share * (end - start)
        ring[:, 0] *= 1 + 0.16 * share * (1 - share)
        rings.append(ring)
    return np.array(rings)


def _glazed(cabin: Cabin, a: Column, b: Column) -> bool:
    if a.part is not b.part:  # a corner and the window or pillar next to it
        return a.part is Part.FRONT
    if a.part is not Part.SIDE:
        return max(a.at, b.at) < 0.95
    pillar = any(b.at >= low - 1e-6 and a.at <= high + 1e-6 for high, low in cabin.pillars)
    return b.at >= cabin.glazed - 1e-6 and not pillar


def _pillar(cabin: Cabin, a: Column, b: Column) -> Coat:
    """The one between the doors is black, where there is a window behind it."""
    front, rear = cabin.pillars[0]
    between = a.part is b.part is Part.SIDE and (a.at, b.at) == (front, rear)
    return TRIM if between and rear > cabin.glazed else PAINT


def _wheels(car: Car, level: int) -> list[Skin]:
    half, arch = car.width / 2, car.wheel + _ARCH_GAP
    if level == 0:
        wells = [well(y, car.wheel, arch, half - 0.26, car.low) for y in car.axles]
        return [*wells, *(wheel(y, car.wheel, 0.955 * half, 0.20) for y in car.axles)]
    return [coarse_wheel(y, car.wheel, half, arch, level) for y in car.axles]


def _plates(car: Car) -> Skin:
    """The right halves of both number plates."""
    half, z = car.length / 2 + 0.010, car.low + 0.24
    front = [(0.0, half, z), (0.0, half, z + 0.11), (0.26, half, z + 0.11), (0.26, half, z)]
    rear = [(x, -half, z) for x, _, z in reversed(front)]
    return joined([flat(front, FRONT_PLATE), flat(rear, REAR_PLATE)])


def _post(car: Car) -> Skin:
    """The right half of the post between a van's two rear windows."""
    (rear, _), z = car.cabin.foot, car.belt[0][1]
    top = car.cabin.line[0][1] - 0.12
    end = car.cabin.roof[0] - 0.012
    foot = rear - 0.012
    return flat([(0.05, foot, z), (0.0, foot, z), (0.0, end, top), (0.05, end, top)], PAINT)


def _mirrors(car: Car) -> Skin:
    cabin = car.cabin
    y = cabin.foot[1] - 0.42
    z = float(height_at(car.belt, y))
    inner, outer = cabin.half[0] - 0.03, car.width / 2
    return block((inner, y - 0.09, z + 0.03), (outer, y + 0.03, z + 0.16), PAINT)
