"""Painters of what stands along the kerb: lamp posts, signs, traffic lights, walls and hedges."""

import math

import numpy as np

from datagen.scene import Transform

from . import _shapes
from ._attributes import Colour, Name, Number, Values
from ._canvas import Drawing
from ._colours import RGB
from ._painting import InPerspective, Site
from ._solids import Mesh, ground_shadow, outlined, solid

_METAL: RGB = (112, 114, 114)
_BLACK: RGB = (30, 31, 33)
_WHITE: RGB = (226, 226, 222)
_RED: RGB = (178, 34, 40)
_BLUE: RGB = (36, 78, 150)
_LAMP: RGB = (206, 206, 198)
_LIT: dict[str, RGB] = {"red": (246, 60, 50), "amber": (250, 180, 50), "green": (70, 240, 170)}


class LampPost(InPerspective):
    """A post `tall` metres high; its arm reaches `arm` metres along its own x (0: none)."""

    reads = (
        Number("tall", 7.0, 0.3, 30.0),
        Number("arm", 1.2, -10.0, 10.0),
        Number("thick", 0.16, 0.01, 2.0),
        Colour("colour", "#707270"),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        tall, arm, thick, colour = self.reads
        h, reach, d = tall.of(values), arm.of(values), thick.of(values)
        rgb = colour.of(values)
        parts = [(_bar(0.0, d, 0.0, h), rgb), (_bar(0.0, 1.5 * d, 0.0, 0.14 * h), rgb)]
        if abs(reach) > 0.05:
            parts += [(_slab(0.0, reach, 0.94 * h, h, 0.6 * d), rgb), (_lamp(reach, h), _LAMP)]
        body = outlined(site, at, parts).body
        return Drawing(body, ground_shadow(site, at, 4 * d, 3 * d, 0.3))


class Sign(InPerspective):
    """A plate `size` metres across on a post; its face looks along its own y."""

    reads = (
        Number("tall", 2.6, 0.3, 12.0),
        Number("size", 0.7, 0.05, 5.0),
        Name("kind", "round", ("round", "blue", "triangle", "panel", "keep")),
        Colour("colour", "#2a5a3c"),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        tall, size, kind, colour = self.reads
        h, d = tall.of(values), size.of(values)
        plates = _plates(kind.of(values), d, h - d / 2, colour.of(values))
        if math.cos(at.yaw) * at.y + math.sin(at.yaw) * -at.x > 0:  # its back
            plates = [(plates[0][0], _METAL)]
        parts = [(_bar(0.0, 0.08, 0.0, h), _METAL), *plates]
        body = outlined(site, at, parts).body
        return Drawing(body, ground_shadow(site, at, 0.4, 0.3, 0.3))


class TrafficLight(InPerspective):
    """Three lights on a post, one of them lit."""

    reads = (
        Number("tall", 3.6, 0.5, 12.0),
        Name("lit", "red", tuple(_LIT)),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        tall, lit = self.reads
        h, glow = tall.of(values), lit.of(values)
        parts = [
            (_bar(0.0, 0.13, 0.0, h), (74, 76, 76)),
            (_bar(0.0, 0.62, h - 1.25, h), _BLACK),
            (_bar(0.0, 0.40, h - 1.15, h - 0.1), (20, 20, 22)),
        ]
        for k, name in enumerate(_LIT):
            ink = _LIT[name] if name == glow else (44, 42, 42)
            parts.append((_plate(_shapes.ring(12, 0.27, 0.27), h - 0.28 - 0.35 * k), ink))
        body = outlined(site, at, parts).body
        return Drawing(body, ground_shadow(site, at, 0.5, 0.4, 0.3))


class Barrier(InPerspective):
    """A wall or hedge along its own y: `width` thick, `height` long, `tall` above ground."""

    reads = (
        Number("width", 0.4, 0.02, 20.0),
        Number("height", 10.0, 0.1, 200.0),
        Number("tall", 1.1, 0.05, 20.0),
        Colour("colour", "#7c6a5c"),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        width, height, tall, colour = self.reads
        size = np.array([width.of(values), height.of(values), tall.of(values)])
        return Drawing(solid(site, at, _BOX, size, np.array([colour.of(values)], float)).body)


def _box() -> Mesh:
    """Width and length 1 around the origin, 1 high."""
    a, corners = 0.5, []
    for (x, y), (u, v) in (((a, -a), (a, a)), ((a, a), (-a, a)), ((-a, a), (-a, -a)),
                           ((-a, -a), (a, -a))):  # fmt: skip
        corners.append(([(x, y, 0.0), (u, v, 0.0), (u, v, 1.0), (x, y, 1.0)], 0))
    corners.append(([(-a, -a, 1.0), (a, -a, 1.0), (a, a, 1.0), (-a, a, 1.0)], 0))
    return Mesh.of(corners)


_BOX = _box()


def _bar(x: float, width: float, foot: float, head: float) -> np.ndarray:
    """An upright rectangle float [4, 3] across the thing's own y."""
    w = width / 2
    return np.array([(x - w, 0, foot), (x + w, 0, foot), (x + w, 0, head), (x - w, 0, head)])


def _slab(x0: float, x1: float, z0: float, z1: float, thick: float) -> np.ndarray:
    """A slanting arm from (x0, z0) to (x1, z1)."""
    return np.array([(x0, 0, z0 - thick), (x1, 0, z1 - thick), (x1, 0, z1), (x0, 0, z0)])


def _lamp(reach: float, z: float) -> np.ndarray:
    return _slab(reach - 0.1, reach + math.copysign(0.7, reach), z, z + 0.04, 0.16)


def _plate(ring: np.ndarray, z: float) -> np.ndarray:
    """A flat outline float [N, 2] stood upright around the height z."""
    return np.column_stack([ring[:, 0], np.zeros(len(ring)), z - ring[:, 1]])


def _plates(kind: str, size: float, z: float, colour: RGB) -> list[tuple[np.ndarray, RGB]]:
    """The painted layers of a sign's face, the largest first."""
    disc = _shapes.ring(16, size, size)
    if kind == "round":
        return [(_plate(disc, z), _RED), (_plate(0.72 * disc, z), _WHITE),
                (_bar(0.0, 0.3 * size, z - 0.15 * size, z + 0.15 * size), _BLACK)]  # fmt: skip
    if kind == "blue":
        return [(_plate(disc, z), _BLUE),
                (_bar(0.0, 0.14 * size, z - 0.3 * size, z + 0.3 * size), _WHITE)]  # fmt: skip
    if kind == "triangle":
        three = _shapes.ring(3, size, size)
        return [(_plate(three, z), _RED), (_plate(0.6 * three, z), _WHITE)]
    if kind == "keep":
        return [(_plate(disc, z), _BLUE), (_plate(0.86 * disc, z), _WHITE),
                (_plate(0.78 * disc, z), _BLUE)]  # fmt: skip
    half = 0.75 * size
    return [
        (_bar(0.0, 2 * half, z - size / 2, z + size / 2), _WHITE),
        (_bar(0.0, 1.84 * half, z - 0.44 * size, z + 0.44 * size), colour),
        (_bar(0.0, 1.2 * half, z + 0.08 * size, z + 0.2 * size), _WHITE),
        (_bar(-0.1 * half, 0.9 * half, z - 0.2 * size, z - 0.08 * size), _WHITE),
    ]
