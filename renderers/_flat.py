"""Painters of flat shapes and of the ground."""

import math

import numpy as np

from datagen.scene import Transform

from . import _shapes
from ._attributes import Colour, Name, Number, Values
from ._canvas import Drawing, Patch, tint
from ._colours import RGB, parse
from ._painting import Site
from ._textures import GRAINS, grain, grain_rng

_ROUND = 64  # corners of the polygon that stands for an ellipse


class Rect:
    """A rectangle, `width` along its own x and `height` along its own y."""

    reads = (Number("width", 10.0), Number("height", 10.0), Colour("colour", "white"))

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        width, height, colour = self.reads
        less = _shapes.grow(at, site.supersample)
        corners = _shapes.rectangle(width.of(values) - less, height.of(values) - less)
        return _flat(at, corners, colour.of(values), site)


class Ellipse:
    """An ellipse with the extents `width` and `height`."""

    reads = (Number("width", 10.0), Number("height", 10.0), Colour("colour", "white"))

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        width, height, colour = self.reads
        less = _shapes.grow(at, site.supersample)
        w, h = max(width.of(values) - less, 0.0), max(height.of(values) - less, 0.0)
        return _flat(at, _shapes.ring(_ROUND, w, h), colour.of(values), site)


class Polygon:
    """A regular polygon with `sides` corners on a circle of radius `radius`; one corner is up."""

    reads = (Number("sides", 3.0, 3.0, 64.0), Number("radius", 10.0), Colour("colour", "white"))

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        sides, radius, colour = self.reads
        n = round(sides.of(values))
        less = _shapes.grow(at, site.supersample) / math.cos(math.pi / n)
        across = max(2 * radius.of(values) - less, 0.0)
        return _flat(at, _shapes.ring(n, across, across), colour.of(values), site)


class Ground:
    """The whole canvas, wherever its node stands: a texture, or a plain colour."""

    reads = (Name("shade", "black", tuple(GRAINS), or_colour=True),)

    def __init__(self) -> None:
        self._fields: dict[tuple[str, int, int], np.ndarray] = {}
        self._covers: dict[tuple[int, int], np.ndarray] = {}

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        shade = self.reads[0].of(values)
        shape = site.height, site.width
        if shape not in self._covers:
            self._covers[shape] = np.full(shape, 255, np.uint8)
        cover = self._covers[shape]
        ink = self._crop(shade, site) if shade in GRAINS else _plain(cover, parse(shade))
        return Drawing(Patch(0, 0, cover, ink, opaque=True))

    def _crop(self, shade: str, site: Site) -> np.ndarray:
        """A random part of one large texture: cheaper than fresh noise, and never the same."""
        key = shade, site.height, site.width
        if key not in self._fields:
            large = site.height + _ROOM, site.width + _ROOM
            rng = grain_rng(tuple(GRAINS).index(shade))
            self._fields[key] = grain(GRAINS[shade], *large, rng)
        dy, dx = site.rng.integers(0, _ROOM, 2).tolist()
        return self._fields[key][dy : dy + site.height, dx : dx + site.width]


_ROOM = 192  # px by which the ground's texture is larger than the canvas


def _plain(cover: np.ndarray, colour: RGB) -> np.ndarray | None:
    return None if colour == (0, 0, 0) else tint(cover, colour)


def _flat(at: Transform, local: np.ndarray, colour: RGB, site: Site) -> Drawing:
    x, y, cover = _shapes.cover(_shapes.place(at, local), site.supersample)
    return Drawing(Patch(x, y, cover, tint(cover, colour)))
