"""Painters of things seen from above: road, car, house, tree. Light comes from the upper left."""

import math

import cv2
import numpy as np

from datagen.scene import Transform

from . import _shapes
from ._attributes import Colour, Name, Number, Values
from ._canvas import Drawing, Patch, cast, soak
from ._colours import RGB, shade
from ._models import TREES, car_picture, road_picture, tree_picture
from ._painting import Site
from ._textures import Picture

_SUN = (-0.55, -0.60, 0.58)  # direction to the sun: x, y of the canvas, and up
_SLOPE = 0.75  # of pitched roofs, height over run
_AMBIENT = 0.62
_KEPT = 64  # pictures that a painter keeps; then it starts afresh


class Road:
    """A straight road along its own x: kerbs, asphalt, dashes between `lanes` lanes."""

    reads = (
        Number("width", 128.0, 0.0, 16_000.0),
        Number("height", 14.0, 0.0, 2_048.0),
        Number("lanes", 2.0, 1.0, 12.0),
    )

    def __init__(self) -> None:
        self._pictures: dict[tuple[int, ...], Picture] = {}

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        width, height = self.reads[0].of(values), self.reads[1].of(values)
        less = _shapes.grow(at, site.supersample)
        corners = _shapes.place(at, _shapes.rectangle(width - less, height - less))
        x, y, cover = _shapes.cover(corners, site.supersample)
        # The picture is a little longer than the road, so that its own soft end stays outside.
        left, top, colour = self._picture(values).warp(at, math.ceil(width) + 4, height + 4)
        inner = colour[y - top :, x - left :][: cover.shape[0], : cover.shape[1]]
        return Drawing(Patch(x, y, cover, soak(cover, inner)))

    def _picture(self, values: Values) -> Picture:
        key = tuple(math.ceil(entry.of(values)) for entry in self.reads)
        if key not in self._pictures:
            if len(self._pictures) >= _KEPT:
                self._pictures.clear()
            self._pictures[key] = Picture(road_picture(*key))
        return self._pictures[key]


class Car:
    """A car, front at its own +x: `length` along it, `width` across."""

    reads = (Number("length", 10.0), Number("width", 5.0), Colour("colour", "red"))

    def __init__(self) -> None:
        self._pictures: dict[RGB, Picture] = {}

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        length, width, colour = self.reads
        rgb = colour.of(values)
        if rgb not in self._pictures:
            if len(self._pictures) >= _KEPT:
                self._pictures.clear()
            self._pictures[rgb] = Picture(car_picture(rgb))
        body = _stamp(self._pictures[rgb], at, length.of(values), width.of(values))
        return Drawing(body, _shadow(body, at, 0.16 * width.of(values)))


class Tree:
    """A canopy of diameter `size`; `exemplar` in [0, 1) picks its shape."""

    reads = (Number("size", 9.0), Number("exemplar", 0.0, 0.0, 1.0), Colour("colour", "forest"))

    def __init__(self) -> None:
        self._pictures: dict[tuple[int, RGB], Picture] = {}

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        size, exemplar, colour = self.reads
        key = exemplar.pick(values, TREES), colour.of(values)
        if key not in self._pictures:
            if len(self._pictures) >= _KEPT * TREES:
                self._pictures.clear()
            self._pictures[key] = Picture(tree_picture(*key))
        body = _stamp(self._pictures[key], at, size.of(values), size.of(values))
        return Drawing(body, _shadow(body, at, 0.16 * size.of(values)))


class House:
    """A roof of `width` x `height`, its ridge along the longer side; `chimney` 1 adds one."""

    reads = (
        Number("width", 14.0),
        Number("height", 10.0),
        Name("roof", "gabled", ("gabled", "hipped", "flat")),
        Colour("colour", "terracotta"),
        Number("chimney", 1.0, 0.0, 1.0),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        width, height, roof, colour, chimney = self.reads
        w, h = width.of(values), height.of(values)
        less = _shapes.grow(at, site.supersample)
        footprint = _shapes.place(at, _shapes.rectangle(w - less, h - less))
        grid = _shapes.FineGrid(footprint, site.supersample)
        faces = _roof(at.yaw, w, h, roof.of(values), colour.of(values))
        if chimney.of(values) >= 0.5:
            faces += _chimney(w, h)
        outlines = np.array([outline for outline, _ in faces])
        cover, ink = grid.blank(), grid.blank(3)
        grid.fill(cover, footprint[None], [(255,)])
        grid.fill(ink, _shapes.place(at, outlines), [rgb for _, rgb in faces])
        inside = cv2.bitwise_and(ink, cv2.cvtColor(cover, cv2.COLOR_GRAY2RGB))
        body = Patch(grid.x, grid.y, grid.average(cover), grid.average(inside))
        return Drawing(body, _shadow(body, at, 0.2 * min(w, h)))


# Quadrilaterals in the house's frame with their colours; a triangle repeats a corner.
Faces = list[tuple[list[tuple[float, float]], RGB]]


def _roof(yaw: float, width: float, height: float, kind: str, colour: RGB) -> Faces:
    """The roof's planes, each in its light, then what lies on them."""
    if kind == "flat":
        inside = _box(0, 0, width - 2, height - 2)
        return [(_box(0, 0, width, height), shade(colour, 0.75)), (inside, _lit(colour, 0, 0, yaw))]
    if height > width:  # planes are made for a ridge along x, and turned
        turned = _roof(yaw + math.pi / 2, height, width, kind, colour)
        return [([(-y, x) for x, y in outline], rgb) for outline, rgb in turned]
    a, b = width / 2, height / 2
    end = a - b if kind == "hipped" else a
    faces: Faces = [
        ([(-a, -b), (a, -b), (end, 0), (-end, 0)], _lit(colour, 0, -_SLOPE, yaw)),
        ([(-a, b), (a, b), (end, 0), (-end, 0)], _lit(colour, 0, _SLOPE, yaw)),
    ]
    if kind == "hipped":
        faces += [
            ([(a, -b), (a, b), (end, 0), (end, 0)], _lit(colour, _SLOPE, 0, yaw)),
            ([(-a, -b), (-a, b), (-end, 0), (-end, 0)], _lit(colour, -_SLOPE, 0, yaw)),
        ]
    ridge = _box(0, 0, 2 * end, 0.04 * height + 0.2)
    return [*faces, (ridge, _lit(colour, 0, 0, yaw))]


def _lit(colour: RGB, down_x: float, down_y: float, yaw: float) -> RGB:
    """The colour of a plane that falls by (down_x, down_y) a pixel in a frame turned by `yaw`."""
    c, s = math.cos(yaw), math.sin(yaw)
    x, y, z = _SUN
    towards = (c * down_x - s * down_y) * x + (s * down_x + c * down_y) * y + z
    light = max(0.0, towards) / math.sqrt(down_x**2 + down_y**2 + 1)
    return shade(colour, _AMBIENT + 0.62 * light)


def _chimney(width: float, height: float) -> Faces:
    x, y, side = 0.22 * width, 0.12 * height, 0.18 * min(width, height)
    return [
        (_box(x, y, side, side), (112, 64, 56)),
        (_box(x, y, side / 2, side / 2), (36, 30, 30)),
    ]


def _box(x: float, y: float, width: float, height: float) -> list[tuple[float, float]]:
    w, h = max(width, 0.0) / 2, max(height, 0.0) / 2
    return [(x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h)]


def _stamp(picture: Picture, at: Transform, width: float, height: float) -> Patch:
    x, y, pixels = picture.warp(at, width, height)
    return Patch(x, y, cv2.extractChannel(pixels, 3), cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB))


def _shadow(body: Patch, at: Transform, distance: float) -> Patch:
    """Away from the sun, in whole pixels; at least one, or it would not be seen."""
    reach = max(1, round(distance * at.scale))
    return cast(body, reach, reach, 0.38)
