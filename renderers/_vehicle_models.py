"""Meshes of vehicles, in units of their own width, length and height; the front is at +y."""

import math
from collections.abc import Sequence
from enum import IntEnum
from functools import cache

from ._solids import Mesh

Face = tuple[list[tuple[float, float, float]], int]
Profile = Sequence[tuple[float, float]]  # (y, z), anticlockwise as seen from the right


class Stuff(IntEnum):
    """What a face is made of; the row of its colour in a palette."""

    PAINT = 0
    GLASS = 1
    SCREEN = 2  # glass that shows the sky
    TRIM = 3
    TYRE = 4
    HUB = 5
    HEADLIGHT = 6
    TAILLIGHT = 7
    FRONT_PLATE = 8
    REAR_PLATE = 9
    SECOND = 10  # a second colour of paint


# Of each kind: the profile of the body, then that of the cabin on top of it, both convex.
_CARS: dict[str, tuple[Profile, Profile]] = {
    "hatchback": (
        [(-0.47, 0.13), (0.45, 0.13), (0.495, 0.22), (0.50, 0.40), (0.45, 0.51), (0.22, 0.63),
         (-0.46, 0.65), (-0.495, 0.52), (-0.50, 0.22)],
        [(-0.465, 0.62), (0.25, 0.60), (0.03, 0.96), (-0.10, 1.0), (-0.36, 0.97)],
    ),
    "saloon": (
        [(-0.48, 0.13), (0.46, 0.13), (0.495, 0.22), (0.50, 0.40), (0.46, 0.51), (0.18, 0.62),
         (-0.48, 0.64), (-0.50, 0.50), (-0.50, 0.22)],
        [(-0.40, 0.62), (0.20, 0.60), (0.02, 0.96), (-0.08, 1.0), (-0.24, 0.97)],
    ),
    "estate": (
        [(-0.48, 0.13), (0.46, 0.13), (0.495, 0.22), (0.50, 0.40), (0.46, 0.51), (0.20, 0.62),
         (-0.48, 0.64), (-0.50, 0.52), (-0.50, 0.22)],
        [(-0.48, 0.62), (0.22, 0.60), (0.04, 0.96), (-0.10, 1.0), (-0.43, 0.98)],
    ),
    "offroad": (
        [(-0.48, 0.22), (0.46, 0.22), (0.49, 0.30), (0.50, 0.58), (0.46, 0.70), (0.22, 0.74),
         (-0.49, 0.75), (-0.50, 0.60), (-0.50, 0.28)],
        [(-0.485, 0.72), (0.22, 0.72), (0.08, 1.12), (-0.06, 1.16), (-0.45, 1.14)],
    ),
    "van": (
        [(-0.49, 0.14), (0.46, 0.14), (0.495, 0.20), (0.50, 0.38), (0.47, 0.46), (0.36, 0.53),
         (-0.49, 0.54), (-0.50, 0.45), (-0.50, 0.18)],
        [(-0.495, 0.50), (0.37, 0.51), (0.20, 0.93), (0.12, 1.0), (-0.485, 1.0)],
    ),
}  # fmt: skip
KINDS = (*_CARS, "bus")

_ROOF = 0.82  # width of a cabin's roof, in widths of its foot


@cache
def vehicle(kind: str) -> Mesh:
    """The mesh of a kind; width 1, length 1 and about 1 high."""
    if kind == "bus":
        return Mesh.of(_bus())
    body, cabin = _CARS[kind]
    roof = 0.93 if kind == "van" else _ROOF
    return Mesh.of([*_wheels(kind), *_body(body), *_arches(kind), *_cabin(kind, cabin, roof)])


def _body(profile: Profile) -> list[Face]:
    lean = [0.5] * len(profile)
    faces = _extruded(profile, lean, Stuff.PAINT)
    low, nose, lip = profile[2], profile[3], profile[4]
    tail, back, foot = profile[-3], profile[-2], profile[-1]
    faces += [
        _band(profile[1], low, (0, 1), (-0.5, 0.5), Stuff.TRIM),
        _band(low, nose, (0.0, 0.35), (-0.5, 0.5), Stuff.TRIM),
        _band(low, nose, (0.42, 0.72), (-0.16, 0.16), Stuff.FRONT_PLATE),
        _band(nose, lip, (0.05, 0.75), (-0.25, 0.25), Stuff.TRIM),
        *(_band(nose, lip, (0.0, 0.9), x, Stuff.HEADLIGHT) for x in ((-0.47, -0.27), (0.27, 0.47))),
        _band(foot, profile[0], (0, 1), (-0.5, 0.5), Stuff.TRIM),
        _band(back, foot, (0.62, 1.0), (-0.5, 0.5), Stuff.TRIM),
        _band(back, foot, (0.18, 0.42), (-0.17, 0.17), Stuff.REAR_PLATE),
        *(
            _band(tail, back, (0.3, 1.0), x, Stuff.TAILLIGHT)
            for x in ((-0.49, -0.34), (0.34, 0.49))
        ),
        *(
            _band(back, foot, (0.0, 0.2), x, Stuff.TAILLIGHT)
            for x in ((-0.49, -0.34), (0.34, 0.49))
        ),
    ]
    return faces


def _cabin(kind: str, profile: Profile, roof: float) -> list[Face]:
    foot, top = profile[0][1], max(z for _, z in profile)
    lean = [0.49 * (1 - (1 - roof) * (z - foot) / (top - foot)) for _, z in profile]
    rear, front = profile[0], profile[1]
    shield, back = profile[2], profile[-1]
    faces = _extruded(profile, lean, Stuff.PAINT)
    faces.append(_band(front, shield, (0.08, 0.93), (-0.42, 0.42), Stuff.SCREEN, (1, roof)))
    if kind != "van":
        faces.append(_band(back, rear, (0.10, 0.72), (-0.40, 0.40), Stuff.GLASS, (roof, 1)))
    else:
        faces += [
            _band(back, rear, (0.10, 0.50), x, Stuff.GLASS, (roof, 1))
            for x in ((-0.40, -0.03), (0.03, 0.40))
        ]
    return faces + [
        face for pane in _panes(kind, profile) for face in _on_sides(pane, profile, lean)
    ]


def _panes(kind: str, profile: Profile) -> list[Profile]:
    """Side windows as (y, z), anticlockwise as seen from the right."""
    (rear, foot), (front, _), (shield, top) = profile[0], profile[1], profile[2]
    back = profile[-1][0]
    sill, head = foot + 0.12 * (top - foot), foot + 0.88 * (top - foot)
    door = 0.5 * (shield + back) if kind != "van" else shield - 0.14
    slope = (head - foot) / (top - foot)
    nose, head_y = front - 0.05, front + (shield - front) * slope - 0.02
    fore = [(door + 0.01, sill), (nose - 0.02, sill), (head_y, head), (door + 0.01, head)]
    if kind == "van":
        return [fore]
    tail = rear + (back - rear) * slope + 0.03
    aft = [(rear + 0.06, sill), (door - 0.01, sill), (door - 0.01, head), (tail, head)]
    return [fore, aft]


def _wheels(kind: str) -> list[Face]:
    """Tyres as seen from ahead and behind, and the dark below the body."""
    faces: list[Face] = []
    low = 0.26 if kind == "offroad" else 0.16
    for y, ahead in ((0.42, 1), (-0.40, -1)):
        faces.append((_facing(-0.45, 0.45, y * 0.9, 0.06, low, ahead), Stuff.TYRE))
        for x in ((-0.48, -0.36), (0.36, 0.48)):
            faces.append((_facing(*x, y, 0.0, low, ahead), Stuff.TYRE))
    return faces


def _arches(kind: str) -> list[Face]:
    """Wheels in their arches, on both sides."""
    radius = 0.235 if kind == "offroad" else 0.215 if kind != "van" else 0.165
    long = 0.076 if kind != "van" else 0.066
    faces: list[Face] = []
    for y in (0.315, -0.295):
        for stuff, share in ((Stuff.TRIM, 1.18), (Stuff.TYRE, 1.0), (Stuff.HUB, 0.62)):
            rim = _disc(y, radius, share * long, share * radius)
            faces.append(([(0.5, *p) for p in rim], stuff))
            faces.append(([(-0.5, *p) for p in reversed(rim)], stuff))
    return faces


def _bus() -> list[Face]:
    body = [(-0.5, 0.10), (0.5, 0.10), (0.5, 0.45), (0.49, 0.97), (0.48, 1.0), (-0.49, 1.0),
            (-0.5, 0.97)]  # fmt: skip
    faces = [*_bus_wheels(), *_extruded(body, [0.5] * len(body), Stuff.PAINT)]
    front, screen, back = body[1], body[2], body[-1]
    faces += [
        _band(front, screen, (0.0, 0.18), (-0.5, 0.5), Stuff.TRIM),
        _band(front, screen, (0.22, 0.36), (-0.12, 0.12), Stuff.FRONT_PLATE),
        *(
            _band(front, screen, (0.2, 0.4), x, Stuff.HEADLIGHT)
            for x in ((-0.46, -0.3), (0.3, 0.46))
        ),
        _band(screen, body[3], (-0.1, 0.68), (-0.45, 0.45), Stuff.SCREEN),
        _band(screen, body[3], (0.78, 0.95), (-0.34, 0.34), Stuff.TRIM),
        _band(back, body[0], (0.14, 0.44), (-0.43, 0.43), Stuff.GLASS),
        _band(back, body[0], (0.50, 0.70), (-0.5, 0.5), Stuff.SECOND),
        _band(back, body[0], (0.74, 0.88), (-0.36, 0.36), Stuff.TRIM),
        *(
            _band(back, body[0], (0.72, 0.84), x, Stuff.TAILLIGHT)
            for x in ((-0.49, -0.4), (0.4, 0.49))
        ),
        _band(back, body[0], (0.90, 0.97), (-0.14, 0.14), Stuff.REAR_PLATE),
    ]
    stripe = [(-0.5, 0.28), (0.5, 0.28), (0.5, 0.42), (-0.5, 0.42)]
    flanks = [(stripe, Stuff.SECOND)]
    flanks += [
        ([(y, 0.50), (y + 0.135, 0.50), (y + 0.135, 0.84), (y, 0.84)], Stuff.GLASS)
        for y in (-0.48, -0.335, -0.19, -0.045, 0.10, 0.255)
    ]
    for outline, stuff in flanks:
        faces.append(([(0.5, *p) for p in outline], stuff))
        faces.append(([(-0.5, *p) for p in reversed(outline)], stuff))
    return faces + _bus_sides()


def _bus_wheels() -> list[Face]:
    faces: list[Face] = []
    for y, ahead in ((0.42, 1), (-0.40, -1)):
        for x in ((-0.48, -0.30), (0.30, 0.48)):
            faces.append((_facing(*x, y, 0.0, 0.12, ahead), Stuff.TYRE))
    return faces


def _bus_sides() -> list[Face]:
    faces: list[Face] = []
    for y in (0.27, -0.26):
        for stuff, share in ((Stuff.TYRE, 1.0), (Stuff.HUB, 0.55)):
            rim = _disc(y, 0.155, share * 0.044, share * 0.155)
            faces.append(([(0.5, *p) for p in rim], stuff))
            faces.append(([(-0.5, *p) for p in reversed(rim)], stuff))
    return faces


def _extruded(profile: Profile, lean: Sequence[float], stuff: int) -> list[Face]:
    """A profile drawn out sideways: its strips, then its two flanks; `lean`: half widths."""
    faces: list[Face] = []
    ring = list(zip(profile, lean, strict=True))
    for (a, wa), (b, wb) in zip(ring, ring[1:] + ring[:1], strict=True):
        faces.append(([(wa, *a), (-wa, *a), (-wb, *b), (wb, *b)], stuff))
    faces.append(([(w, *p) for p, w in ring], stuff))
    faces.append(([(-w, *p) for p, w in reversed(ring)], stuff))
    return faces


def _band(
    a: tuple[float, float],
    b: tuple[float, float],
    along: tuple[float, float],
    across: tuple[float, float],
    stuff: int,
    narrow: tuple[float, float] = (1.0, 1.0),
) -> Face:
    """A part of the strip from a to b: its share along it, and from left to right.

    `narrow` is the strip's width at a and at b, as a factor of `across`.
    """
    corners = []
    for t, side in ((0, 1), (0, 0), (1, 0), (1, 1)):
        share = along[t]
        y, z = (p + (q - p) * share for p, q in zip(a, b, strict=True))
        x = across[side] * (narrow[0] + (narrow[1] - narrow[0]) * share)
        corners.append((x, y, z))
    return corners, stuff


def _on_sides(outline: Profile, profile: Profile, lean: Sequence[float]) -> list[Face]:
    """A pane on both flanks of a cabin."""
    foot, top = profile[0][1], max(z for _, z in profile)
    wide, slim = max(lean), min(lean)

    def half(z: float) -> float:
        return wide + (slim - wide) * (z - foot) / (top - foot)

    right = [(half(z), y, z) for y, z in outline]
    return [(right, Stuff.GLASS), ([(-x, y, z) for x, y, z in reversed(right)], Stuff.GLASS)]


def _facing(
    x0: float, x1: float, y: float, z0: float, z1: float, ahead: int
) -> list[tuple[float, float, float]]:
    """An upright rectangle that faces ahead (1) or back (-1)."""
    a, b = (x1, x0) if ahead > 0 else (x0, x1)
    return [(a, y, z0), (b, y, z0), (b, y, z1), (a, y, z1)]


def _disc(y: float, z: float, half_length: float, half_height: float) -> Profile:
    turns = [2 * math.pi * k / 12 for k in range(12)]
    return [(y + half_length * math.cos(t), z + half_height * math.sin(t)) for t in turns]
