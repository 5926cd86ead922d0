"""Families of what stands along the kerb: lamp posts, signs, traffic lights, poles, bins."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from .._attributes import Colour, Name, Number, Values
from . import plates
from .contact import contact_disc
from .family import Piece
from .geometry import RGB, WHITE, Geometry, Point, box, join, lathe, placement, rod
from .materials import Material

_METAL: RGB = (112, 114, 114)
_BLACK: RGB = (36, 37, 39)
_LIT: dict[str, RGB] = {"red": (250, 58, 44), "amber": (252, 176, 46), "green": (60, 236, 160)}
_NEAR = 35.0  # m; farther away posts have fewer sides


def sides(distance: float) -> int:
    """Of a post."""
    return 10 if distance < _NEAR else 5


class LampPost:
    """A post `tall` metres high; its arm reaches `arm` metres along its own x (0: none)."""

    reads = (
        Number("tall", 7.0, 0.3, 30.0),
        Number("arm", 1.2, -10.0, 10.0),
        Number("thick", 0.16, 0.01, 2.0),
        Colour("colour", "#707270"),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        tall, arm, thick, colour = self.reads
        h, reach, d = tall.of(values), arm.of(values), thick.of(values)
        rgb, n = colour.of(values), sides(distance)
        shaft = (0.94 if abs(reach) > 0.05 else 0.97) * h
        pieces = [
            Piece(_post(n), placement(size=(d / 2, d / 2, shaft)), rgb),
            Piece(_collar(n), placement(size=(0.75 * d, 0.75 * d, 0.14 * h)), rgb),
            contact_disc(0, 0, 2.2 * d),
        ]
        if abs(reach) > 0.05:
            elbow, end = (0.0, 0.0, 0.94 * h - 0.2 * d), (reach, 0.0, 0.985 * h)
            yaw = 0.0 if reach > 0 else np.pi
            lamp = placement((reach, 0, h), yaw)
            return [*pieces, _bar(elbow, end, 0.3 * d, rgb, n), Piece(_lantern(), lamp, rgb)]
        return [*pieces, Piece(_top_lantern(), placement((0, 0, h)), rgb)]


class Sign:
    """A plate `size` metres across on a post; its face looks along its own y."""

    reads = (
        Number("tall", 2.6, 0.3, 12.0),
        Number("size", 0.7, 0.05, 5.0),
        Name("kind", "round", plates.KINDS),
        Colour("colour", "#2a5a3c"),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        tall, size, kind, colour = self.reads
        h, d, name = tall.of(values), size.of(values), kind.of(values)
        d = min(d, h)
        half = plates.HALF_HEIGHT[name] * d
        plate = placement((0, 0.045, h - half), size=(d, 1, d))
        return [
            Piece(_post(sides(distance)), placement(size=(0.035, 0.035, h - 0.2 * half)), _METAL),
            Piece(plates.plate(name), plate, colour.of(values)),
            contact_disc(0, 0, 0.22),
        ]


class TrafficLight:
    """Three lights on a post that look along its own y, one of them lit."""

    reads = (
        Number("tall", 3.6, 0.5, 12.0),
        Name("lit", "red", tuple(_LIT)),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        tall, lit = self.reads
        h = tall.of(values)
        share = min(1.0, h / 1.6)  # a low one has a smaller head
        head = placement((0, 0, h), size=(share, share, share))
        return [
            Piece(
                _post(sides(distance)),
                placement(size=(0.065, 0.065, h - 0.1 * share)),
                (74, 76, 76),
            ),
            Piece(_head(lit.of(values), distance < _NEAR), head),
            contact_disc(0, 0, 0.3),
        ]


class Pole:
    """A wooden pole `tall` metres high with a crossarm along its own x."""

    reads = (
        Number("tall", 8.0, 0.5, 30.0),
        Number("thick", 0.26, 0.02, 2.0),
        Colour("colour", "#6a5a4a"),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        tall, thick, colour = self.reads
        h, d = tall.of(values), thick.of(values)
        return [
            Piece(_post(sides(distance)), placement(size=(d / 2, d / 2, h)), colour.of(values)),
            Piece(_crossarm(), placement((0, 0.4 * d, 0.93 * h)), colour.of(values)),
            contact_disc(0, 0, 1.6 * d),
        ]


class Bin:
    """A litter bin `tall` metres high."""

    reads = (Number("tall", 1.05, 0.3, 3.0), Colour("colour", "#2e3432"))

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        tall, colour = self.reads
        h = tall.of(values)
        shape = _bin(sides(distance))
        return [
            Piece(shape, placement(size=(h, h, h)), colour.of(values)),
            contact_disc(0, 0, 0.5 * h),
        ]


class Bench:
    """A bench `width` metres long; who sits on it looks along its own y."""

    reads = (Number("width", 1.6, 0.5, 6.0), Colour("colour", "#6e5844"))

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        width, colour = self.reads
        w = width.of(values)
        feet = [contact_disc(side * 0.42 * w, 0, 0.35) for side in (-1, 1)]
        return [Piece(_bench(), placement(size=(w, 1, 1)), colour.of(values)), *feet]


@cache
def _post(n: int) -> Geometry:
    """Radius 1 at the foot, 1 high; CLOTH is matt and takes the piece's colour."""
    shaft = lathe([(1.0, 0.0), (0.72, 1.0)], n, Material.CLOTH)
    return join([shaft, lathe([(0.72, 1.0), (0.0, 1.0)], n, Material.CLOTH)])


@cache
def _collar(n: int) -> Geometry:
    profile = [(1.0, 0.0), (1.0, 0.9), (0.62, 1.0)]
    return lathe(profile, n, Material.CLOTH)


@cache
def _tube(n: int) -> Geometry:
    return rod((0, 0, 0), (0, 0, 1), (1.0, 0.8), n, Material.CLOTH)


def _bar(start: Point, end: Point, radius: float, rgb: RGB, n: int) -> Piece:
    """A straight tube in the plane of x and z."""
    a, along = np.asarray(start, float), np.subtract(end, start)
    x = np.array([along[2], 0.0, -along[0]])
    x *= radius / np.linalg.norm(x)
    matrix = np.column_stack([x, (0, radius, 0), along, a]).astype(np.float32)
    return Piece(_tube(n), matrix, rgb)


@cache
def _lantern() -> Geometry:
    """At an arm's end, 0.7 m long; its top is z = 0."""
    low, high = -0.14, 0.0
    foot = [(-0.12, -0.13, low), (0.62, -0.11, low), (0.62, 0.11, low), (-0.12, 0.13, low)]
    head = [(-0.08, -0.08, high), (0.5, -0.07, high), (0.5, 0.07, high), (-0.08, 0.08, high)]
    lens = [(0.0, 0.09, low), (0.54, 0.08, low), (0.54, -0.08, low), (0.0, -0.09, low)]
    frame = _frustum(foot, head)
    glass = plates.prism(lens, (0, 0, -0.03), Material.LAMP, (206, 204, 192))
    return join([frame, glass])


def _frustum(foot: Sequence[Point], head: Sequence[Point]) -> Geometry:
    """A closed body between two rings, each anticlockwise from above."""
    return plates.between(foot, head, Material.CLOTH, WHITE)


@cache
def _top_lantern() -> Geometry:
    """On a post, its top at z = 0."""
    glass = lathe([(0.09, -0.42), (0.17, -0.08)], 6, Material.LAMP, (214, 212, 200))
    lid = lathe([(0.21, -0.08), (0.15, -0.03), (0.0, 0.0)], 6, Material.CLOTH)
    base = lathe([(0.05, -0.5), (0.10, -0.42)], 6, Material.CLOTH)
    return join([base, glass, lid])


@cache
def _head(lit: str, fine: bool) -> Geometry:
    """Box, board and three lamps below z = 0; looks along y."""
    board = plates.slab(0.62, (-1.20, 0.0), (0.075, 0.085), (30, 31, 33), (232, 230, 224), 0.02)
    parts = [board, box((-0.17, 0.09, -1.12), (0.17, 0.24, -0.08), colour=_BLACK)]
    dim = {"red": (64, 22, 20), "amber": (62, 44, 18), "green": (18, 50, 38)}
    for k, name in enumerate(_LIT):
        z = -0.25 - 0.35 * k
        glows = name == lit
        material = Material.LAMP if glows else Material.GLASS
        colour = _LIT[name] if glows else dim[name]
        lens = plates.ring(10 if fine else 6, 0.22)
        parts.append(plates.facing(lens, z, 0.252, material, colour))
        if fine:
            parts.append(_visor(z))
    return join(parts)


def _visor(z: float) -> Geometry:
    """A half tube over a lamp."""
    shell = rod((0, 0.24, z), (0, 0.42, z), (0.125, 0.125), 10, colour=_BLACK)
    above = shell.positions[:, 2] > z - 0.045
    kept = shell.faces[above[shell.faces].all(axis=1)]
    return plates.with_faces(shell, kept)


@cache
def _crossarm() -> Geometry:
    """1.6 m long, with insulators."""
    parts = [box((-0.8, 0.0, -0.06), (0.8, 0.09, 0.06), Material.CLOTH)]
    for x in (-0.7, -0.35, 0.35, 0.7):
        parts.append(
            rod((x, 0.045, 0.06), (x, 0.045, 0.18), (0.035, 0.025), 5, colour=(150, 150, 144))
        )
    return join(parts)


@cache
def _bin(n: int) -> Geometry:
    body = lathe([(0.25, 0.0), (0.27, 0.78)], n, Material.CLOTH)
    gap = lathe([(0.22, 0.78), (0.22, 0.88)], n, colour=(22, 22, 22))
    lid = lathe([(0.28, 0.88), (0.26, 0.95), (0.0, 1.0)], n, Material.CLOTH)
    shelf = lathe([(0.27, 0.78), (0.0, 0.78)], n, Material.CLOTH)
    return join([body, shelf, gap, lid])


@cache
def _bench() -> Geometry:
    """1 long; boards in the piece's colour on two iron frames."""
    parts = []
    for y in (-0.16, 0.0, 0.16):
        parts.append(box((-0.5, y - 0.065, 0.41), (0.5, y + 0.065, 0.45), Material.CLOTH))
    for z in (0.58, 0.74):
        parts.append(box((-0.5, -0.30, z), (0.5, -0.26, z + 0.12), Material.CLOTH))
    for x in (-0.42, 0.40):
        parts.append(box((x, -0.25, 0), (x + 0.03, -0.20, 0.80), colour=_BLACK))
        parts.append(box((x, 0.14, 0), (x + 0.03, 0.19, 0.405), colour=_BLACK))
    return join(parts)
