"""Flat things that face along y: the plates of signs, boards and lenses."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from .geometry import RGB, WHITE, Geometry, Point, box, join, polygon
from .materials import Material

KINDS = ("round", "blue", "triangle", "panel", "keep")
# From a plate's middle to its top, of its size.
HALF_HEIGHT = {"round": 0.5, "blue": 0.5, "triangle": 0.5, "panel": 0.5, "keep": 0.5}
_COAT = 0.010  # m between the layers of a face
_RED: RGB = (168, 38, 42)
_BLUE: RGB = (38, 76, 142)
_PALE: RGB = (226, 226, 222)
_INK: RGB = (34, 34, 36)
_BACK: RGB = (126, 128, 128)

Outline = np.ndarray  # float [N, 2]: to the right of who looks at the front, and up


def ring(n: int, size: float) -> Outline:
    """A round outline `size` across; the first corner is at the top."""
    angle = np.arange(n) * (2 * math.pi / n)
    return size / 2 * np.stack([-np.sin(angle), np.cos(angle)], axis=1)


def rectangle(width: float, low: float, high: float, x: float = 0.0) -> Outline:
    w = width / 2
    return np.array([(x - w, low), (x - w, high), (x + w, high), (x + w, low)])[::-1]


def facing(
    outline: Outline, z: float, y: float, material: Material = Material.PLAIN, colour: RGB = WHITE
) -> Geometry:
    """A face at depth y around the height z that looks along y."""
    corners = [(-right, y, z + up) for right, up in outline.tolist()]
    shape = polygon(corners, material, colour)
    if shape.normals[0, 1] > 0:
        return shape
    return polygon(corners[::-1], material, colour)


@cache
def plate(kind: str) -> Geometry:
    """1 across in x and z around the origin; y in metres, its back at 0."""
    shapes = _layers(kind)
    layers = []
    for k, (outline, material, colour) in enumerate(shapes):
        level = 0.012 + _COAT * min(k, 2)
        layers.append(facing(outline, 0.0, level, material, colour))
    outer = shapes[0][0]
    corners = [(x, 0.0, z) for x, z in outer.tolist()]
    return join([*layers, _rim(outer, 0.012), _backward(corners)])


def _backward(corners: Sequence[Point]) -> Geometry:
    shape = polygon(corners, Material.PLAIN, _BACK)
    if shape.normals[0, 1] < 0:
        return shape
    return polygon(list(corners)[::-1], Material.PLAIN, _BACK)


def _rim(outline: Outline, deep: float) -> Geometry:
    parts = []
    for (ax, az), (bx, bz) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        corners = [(ax, 0, az), (ax, deep, az), (bx, deep, bz), (bx, 0, bz)]
        parts.append(polygon(corners, Material.PLAIN, _BACK))
    return join(parts)


Layer = tuple[Outline, Material, RGB]


def _layers(kind: str) -> list[Layer]:
    """The painted layers of a sign's face, the largest first; from the third on none overlap."""
    plain = Material.PLAIN
    disc = ring(16, 1.0)
    if kind == "round":
        digits = _digit(-0.15, "3") + _digit(0.15, "0")
        return [(disc, plain, _RED), (0.76 * disc, plain, _PALE),
                *[(digit, plain, _INK) for digit in digits]]  # fmt: skip
    if kind == "blue":
        head = np.array([(-0.2, 0.08), (0.0, 0.34), (0.2, 0.08)])
        return [(disc, plain, _PALE), (0.94 * disc, plain, _BLUE),
                (rectangle(0.12, -0.32, 0.08), plain, _PALE), (head, plain, _PALE)]  # fmt: skip
    if kind == "triangle":
        three = np.array([(-0.55, -0.45), (0.0, 0.5), (0.55, -0.45)])
        inner = 0.62 * three - (0, 0.045)
        return [(three, plain, _RED), (inner, plain, _PALE),
                (rectangle(0.08, -0.14, 0.16), plain, _INK),
                (rectangle(0.08, -0.25, -0.19), plain, _INK)]  # fmt: skip
    if kind == "keep":
        arrow = np.array([(-0.30, -0.30), (-0.27, 0.03), (0.03, -0.27)])
        shaft = np.array([(-0.18, -0.08), (0.16, 0.26), (0.26, 0.16), (-0.08, -0.18)])
        return [(disc, plain, _PALE), (0.92 * disc, plain, _BLUE),
                (arrow, plain, _PALE), (shaft, plain, _PALE)]  # fmt: skip
    lines = [(0.9, 0.12, 0.24, -0.1), (0.6, -0.06, 0.04, -0.25), (0.75, -0.30, -0.18, -0.18)]
    return [(rectangle(1.5, -0.5, 0.5), plain, _PALE),
            (rectangle(1.42, -0.45, 0.45), Material.CLOTH, WHITE),
            *[(rectangle(w, low, high, x), plain, _PALE) for w, low, high, x in lines]]  # fmt: skip


def _digit(x: float, name: str) -> list[Outline]:
    """Strokes of a digit 0.2 wide and 0.36 high that do not overlap."""
    strokes = [rectangle(0.20, z - 0.025, z + 0.025, x) for z in (0.155, -0.155)]
    right = rectangle(0.05, -0.13, 0.13, x + 0.075)
    if name == "0":
        return [*strokes, right, rectangle(0.05, -0.13, 0.13, x - 0.075)]
    return [*strokes, right, rectangle(0.13, -0.025, 0.025, x - 0.015)]


def slab(
    width: float,
    z: tuple[float, float],
    y: tuple[float, float],
    colour: RGB,
    border: RGB,
    edge: float,
) -> Geometry:
    """A board with a pale border on its front."""
    body = box((-width / 2, y[0], z[0]), (width / 2, y[1], z[1]), colour=border)
    face = facing(
        rectangle(width - 2 * edge, z[0] + edge, z[1] - edge), 0.0, y[1] + 0.003, colour=colour
    )
    back = polygon(
        [(-width / 2, y[0] - 0.003, z[0]), (width / 2, y[0] - 0.003, z[0]),
         (width / 2, y[0] - 0.003, z[1]), (-width / 2, y[0] - 0.003, z[1])],
        Material.PLAIN,
        colour,
    )  # fmt: skip
    return join([body, face, back])


def between(
    foot: Sequence[Point], head: Sequence[Point], material: Material, colour: RGB
) -> Geometry:
    """A closed body between two rings, each anticlockwise from above."""
    n = len(foot)
    parts = [polygon(list(head), material, colour), polygon(list(foot)[::-1], material, colour)]
    for k in range(n):
        ahead = (k + 1) % n
        corners = [foot[k], foot[ahead], head[ahead], head[k]]
        parts.append(polygon(corners, material, colour))
    return join(parts)


def prism(ring: Sequence[Point], down: Point, material: Material, colour: RGB) -> Geometry:
    """A ring, clockwise from above, pushed `down`: what a lens is below its frame."""
    low = [np.add(corner, down).tolist() for corner in ring][::-1]
    return between(low, list(ring)[::-1], material, colour)


def with_faces(geometry: Geometry, faces: np.ndarray) -> Geometry:
    """Only these faces; corners that none uses stay away as well."""
    used, index = np.unique(faces, return_inverse=True)
    return replace(
        geometry,
        positions=geometry.positions[used],
        normals=geometry.normals[used],
        uv=geometry.uv[used],
        colours=geometry.colours[used],
        materials=geometry.materials[used],
        faces=index.reshape(faces.shape).astype(np.uint32),
    )
