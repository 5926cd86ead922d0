"""Families of what lies flat in the street: land, pavements, carriageways and their markings."""

import math
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import numpy as np

from .._attributes import Name, Number, Values
from .._textures import grain_rng
from .contact import contact_edge
from .family import Piece
from .geometry import RGB, WHITE, Geometry, box, join, placement, polygon
from .materials import Material

SURFACES = {
    "asphalt": Material.ASPHALT,
    "paving": Material.PAVING,
    "grass": Material.GRASS,
    "earth": Material.EARTH,
}
_BELOW = -0.02  # m; the land lies under every road
_SPAN = 600.0  # m of land
_STEP = 25.0  # m; long strips have corners this often, so that clipping stays exact
_STONE = 0.15  # m, a kerb's width
_LINES = 0.008  # m above the road
_PAINT = 0.010  # m above the road, over the lines
_COAT = 0.0015  # m between strokes of a marking that cross
_DASH, _PERIOD = 3.0, 9.0  # m
_YELLOW: RGB = (226, 188, 78)


class Land:
    """Ground of 600 x 600 m about its node, a little below all roads."""

    reads = (Name("surface", "paving", tuple(SURFACES)),)

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        return [Piece(_land(self.reads[0].of(values)), placement((0, 0, _BELOW)))]


class Pavement:
    """A strip of `width` x `height` metres, `kerb` metres above the road."""

    reads = (
        Number("width", 2.5, 0.05, 1000.0),
        Number("height", 200.0, 0.05, 2000.0),
        Number("kerb", 0.12, 0.01, 1.0),
        Name("surface", "paving", tuple(SURFACES)),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        width, height, kerb, surface = self.reads
        w, h, z = width.of(values), height.of(values), kerb.of(values)
        stone = min(_STONE, 0.25 * w)
        cuts = _cuts(h)
        top = placement(size=(w - 2 * stone, h, z))
        pieces = [Piece(_slab(SURFACES[surface.of(values)], cuts), top)]
        for x, yaw in ((w / 2, 0.0), (-w / 2, math.pi)):
            foot = (x, -h / 2 if yaw == 0 else h / 2, 0.0)
            pieces.append(Piece(_kerbstone(cuts), placement(foot, yaw, (stone, h, z))))
            pieces.append(contact_edge(foot, yaw, h, 0.3))
        return pieces


class Carriageway:
    """A road of `width` x `height` metres along its own y, with a centre line and edge lines."""

    reads = (
        Number("width", 7.0, 0.05, 1000.0),
        Number("height", 200.0, 0.05, 2000.0),
        Number("lanes", 2.0, 1.0, 6.0),
        Name("centre", "dashes", ("dashes", "solid", "none")),
        Name("edges", "none", ("none", "yellow", "white")),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        width, height, lanes, centre, edges = self.reads
        w, h, n = width.of(values), height.of(values), round(lanes.of(values))
        pieces = [Piece(_road(n, _cuts(h)), placement(size=(w, h, 1)))]
        for k in range(1, n):
            kind = centre.of(values) if 2 * k == n else "dashes"
            pieces += _line(w * (k / n - 0.5), h, kind)
        return pieces + _edge_lines(w, h, edges.of(values))


class Marking:
    """Paint on the road, `width` x `height` metres: a stop line, a zebra crossing, a box."""

    reads = (
        Number("width", 3.0, 0.1, 100.0),
        Number("height", 0.3, 0.1, 100.0),
        Name("kind", "stop", ("stop", "zebra", "box", "arrow")),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        width, height, kind = self.reads
        w, h, name = width.of(values), height.of(values), kind.of(values)
        if name == "zebra":
            return _zebra(w, h)
        if name == "box":
            return _box(w, h)
        whole = placement((0, 0, _PAINT), size=(w, h, 1))
        return [Piece(_arrow() if name == "arrow" else _strip(1, WHITE), whole)]


def _cuts(length: float) -> int:
    """In how many parts a strip is cut; powers of two, so that strips of all lengths share few."""
    return 2 ** max(0, math.ceil(math.log2(length / _STEP)))


def _runs(count: int) -> Iterator[tuple[int, int]]:
    """Starts and lengths of runs that make up `count`; lengths are powers of two."""
    start = 0
    while start < count:
        length = 2 ** ((count - start).bit_length() - 1)
        yield start, length
        start += length


def _grid(columns: np.ndarray, rows: np.ndarray, light: np.ndarray, material: Material) -> Geometry:
    """A level sheet with corners at columns (x) and rows (y); light: float [rows, columns], 0-1."""
    x, y = np.meshgrid(columns, rows)
    n, across = x.size, len(columns)
    k = (np.arange(len(rows) - 1)[:, None] * across + np.arange(across - 1)[None]).ravel()
    quads = np.stack([k, k + 1, k + across + 1, k, k + across + 1, k + across], axis=1)
    grey = np.rint(255 * light).astype(np.uint8)
    return Geometry(
        np.stack([x.ravel(), y.ravel(), np.zeros(n)], axis=1).astype(np.float32),
        np.tile(np.array([0, 0, 1], np.float32), (n, 1)),
        np.zeros((n, 2), np.float32),
        np.repeat(grey.ravel()[:, None], 3, axis=1),
        np.full(n, material, np.uint8),
        quads.reshape(-1, 3).astype(np.uint32),
    )


@cache
def _land(surface: str) -> Geometry:
    """Its light drifts from corner to corner, which hides that the texture repeats."""
    line = np.linspace(-_SPAN / 2, _SPAN / 2, round(_SPAN / _STEP) + 1)
    rng = grain_rng(6200 + tuple(SURFACES).index(surface))
    light = 1 - 0.14 * rng.random((len(line), len(line)))
    return _grid(line, line, light, SURFACES[surface])


@cache
def _slab(material: Material, cuts: int) -> Geometry:
    """Top and ends of a pavement, 1 wide, long and high."""
    sheet = _grid(np.array([-0.5, 0.5]), np.linspace(-0.5, 0.5, cuts + 1), _even(cuts), material)
    sheet.positions[:, 2] = 1.0
    return join([sheet, box((-0.5, -0.5, 0), (0.5, 0.5, 1), material, sides=("back", "front"))])


def _even(cuts: int) -> np.ndarray:
    return np.ones((cuts + 1, 2))


@cache
def _kerbstone(cuts: int) -> Geometry:
    """Along y from 0 to 1; its face looks along x at x = 0, its back is at x = -1."""
    outline = [(0.0, 0.0), (0.0, 0.8), (-0.12, 1.0), (-1.0, 1.0)]
    y = np.linspace(0, 1, cuts + 1)
    parts = []
    for (x0, z0), (x1, z1) in pairwise(outline):
        for a, b in pairwise(y.tolist()):
            corners = [(x0, a, z0), (x0, b, z0), (x1, b, z1), (x1, a, z1)]
            parts.append(polygon(corners, Material.CONCRETE))
    ring = [*outline, (-1.0, 0.0)]
    parts.append(polygon([(x, 1.0, z) for x, z in ring[::-1]], Material.CONCRETE))
    parts.append(polygon([(x, 0.0, z) for x, z in ring], Material.CONCRETE))
    return join(parts)


@cache
def _road(lanes: int, cuts: int) -> Geometry:
    """Darker in the middle of each lane, where oil drips, and along the gutters."""
    offsets, levels = [0.02, 0.28, 0.5, 0.72], [1.0, 0.985, 0.91, 0.985]
    columns = [(k + share) / lanes - 0.5 for k in range(lanes) for share in offsets]
    line = np.array([0.86, *levels * lanes, 1.0, 0.86])
    across = np.array([-0.5, *columns, 0.5 - 0.02 / lanes, 0.5])
    light = np.tile(line, (cuts + 1, 1))
    return _grid(across, np.linspace(-0.5, 0.5, cuts + 1), light, Material.ASPHALT)


@cache
def _strip(cuts: int, colour: RGB) -> Geometry:
    """Paint, 1 x 1 around the origin."""
    rows = np.linspace(-0.5, 0.5, cuts + 1)
    sheet = _grid(np.array([-0.5, 0.5]), rows, _even(cuts), Material.MARKING)
    sheet.colours[...] = colour
    return sheet


@cache
def _bars(count: int, share: float) -> Geometry:
    """`count` bars along y, 1 wide, one from 0 to `share` of every unit of y."""
    parts = []
    for k in range(count):
        corners = [(-0.5, k, 0), (0.5, k, 0), (0.5, k + share, 0), (-0.5, k + share, 0)]
        parts.append(polygon(corners, Material.MARKING))
    return join(parts)


@cache
def _arrow() -> Geometry:
    """Points along y; 1 x 1 around the origin."""
    shaft = [(-0.125, -0.5, 0), (0.125, -0.5, 0), (0.125, 0.1, 0), (-0.125, 0.1, 0)]
    head = [(-0.5, 0.1, 0), (0.5, 0.1, 0), (0, 0.5, 0)]
    return join([polygon(shaft, Material.MARKING), polygon(head, Material.MARKING)])


def _line(x: float, length: float, kind: str) -> list[Piece]:
    """A line along the road: unbroken, or dashes of 3 m with gaps of 6 m."""
    if kind == "none":
        return []
    if kind == "solid" or length < _DASH:
        return [_solid(x, length, 0.12, WHITE)]
    count = int((length + _PERIOD - _DASH) // _PERIOD)
    start = -(count * _PERIOD - (_PERIOD - _DASH)) / 2
    size = (0.12, _PERIOD, 1)
    return [
        Piece(_bars(n, _DASH / _PERIOD), placement((x, start + k * _PERIOD, _LINES), size=size))
        for k, n in _runs(count)
    ]


def _solid(x: float, length: float, width: float, colour: RGB) -> Piece:
    matrix = placement((x, 0, _LINES), size=(width, length, 1))
    return Piece(_strip(_cuts(length), colour), matrix)


def _edge_lines(width: float, length: float, kind: str) -> list[Piece]:
    if kind == "none":
        return []
    insets, colour = ((0.25, 0.50), _YELLOW) if kind == "yellow" else ((0.3,), WHITE)
    return [
        _solid(side * (width / 2 - inset), length, 0.10, colour)
        for side in (-1, 1)
        for inset in insets
        if inset < 0.4 * width
    ]


def _zebra(width: float, height: float) -> list[Piece]:
    bars = max(2, round(width / 1.2))
    pitch = width / bars
    size = (height, pitch, 1)
    first = width / 2 - 0.25 * pitch  # a quarter turn takes y to -x
    return [
        Piece(_bars(n, 0.5), placement((first - k * pitch, 0, _PAINT), math.pi / 2, size))
        for k, n in _runs(bars)
    ]


def _box(width: float, height: float) -> list[Piece]:
    """A yellow box: its border and diagonals, each a coat above those that it crosses."""
    w, h, thick = width / 2, height / 2, 0.15
    pieces = []
    for side in (-1, 1):
        pieces.append(_stroke((side * w, -h), (side * w, h), thick, _PAINT))
        pieces.append(_stroke((-w, side * h), (w, side * h), thick, _PAINT + _COAT))
    n = min(max(2, round((width + height) / 3.5)), 24)
    for k in range(1, n):
        t = k * (width + height) / n
        ax, ay = -w + min(t, width), -h + max(0.0, t - width)
        bx, by = -w + max(0.0, t - height), -h + min(t, height)
        pieces.append(_stroke((ax, ay), (bx, by), thick, _PAINT - _COAT))
        pieces.append(_stroke((-ax, ay), (-bx, by), thick, _PAINT + 2 * _COAT))
    return pieces


def _stroke(a: tuple[float, float], b: tuple[float, float], width: float, z: float) -> Piece:
    along = math.hypot(b[0] - a[0], b[1] - a[1])
    yaw = math.atan2(b[1] - a[1], b[0] - a[0]) - math.pi / 2
    middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, z)
    return Piece(_strip(1, _YELLOW), placement(middle, yaw, (width, along, 1)))
