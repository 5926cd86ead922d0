"""Families of what grows: street trees, and walls and hedges."""

import math
from functools import cache

import numpy as np

from .._attributes import Colour, Name, Number, Values
from .._textures import grain_rng
from .contact import contact_disc, contact_edge
from .family import Piece
from .foliage import leaves, standing, unit
from .geometry import RGB, Geometry, box, join, moved, placement
from .materials import Material
from .roofs import block
from .trees import KINDS, VARIANTS, tree

_COPING = 0.07  # m
_SEGMENT = 3.0  # m of a hedge
_HEDGES = 3  # different segments


def detail(distance: float) -> int:
    """0 near, 1 beyond 35 m, 2 beyond 80 m."""
    return 0 if distance <= 35 else 1 if distance <= 80 else 2


class StreetTree:
    """A tree `tall` metres high; `exemplar` picks its shape, `colour` is that of its leaves."""

    reads = (
        Number("tall", 7.0, 0.1, 60.0),
        Name("kind", "bare", KINDS),
        Number("exemplar", 0.0, 0.0, 1.0),
        Colour("colour", "forest"),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        tall, kind, exemplar, colour = self.reads
        size, name, look = tall.of(values), kind.of(values), exemplar.of(values) * VARIANTS
        variant = min(int(look), VARIANTS - 1)
        yaw = 2 * math.pi * (look - variant)  # the rest of `exemplar` turns it
        matrix = placement(yaw=yaw, size=(size, size, size))
        reach = {"shrub": 0.7, "conifer": 0.2}.get(name, 0.06) * size
        return [
            Piece(tree(name, variant, detail(distance)), matrix, _leaf(colour.of(values))),
            contact_disc(0, 0, reach),
        ]


class Barrier:
    """A wall along its own y, or a hedge where its colour is a green."""

    reads = (
        Number("width", 0.4, 0.02, 20.0),
        Number("height", 10.0, 0.1, 200.0),
        Number("tall", 1.1, 0.05, 20.0),
        Colour("colour", "#7c6a5c"),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        width, height, tall, colour = self.reads
        w, h, z = width.of(values), height.of(values), tall.of(values)
        rgb = colour.of(values)
        body = _hedge(w, h, z, rgb, distance) if _is_green(rgb) else _wall(w, h, z, rgb)
        feet = [
            contact_edge((w / 2, -h / 2, 0), 0.0, h, 0.35),
            contact_edge((-w / 2, h / 2, 0), math.pi, h, 0.35),
        ]
        return body + feet


def _leaf(rgb: RGB) -> RGB:
    """A tint whose leaves, many of which lie in the shade, are of this colour on the whole."""
    grey = sum(rgb) / 3
    share = zip(rgb, (1.75, 1.6, 1.45), strict=True)  # the sun makes leaves yellower
    r, g, b = (min(255, round(more * (0.62 * c + 0.38 * grey))) for c, more in share)
    return r, g, b


def _is_green(rgb: RGB) -> bool:
    r, g, b = rgb
    return g > 1.04 * r and g > 1.1 * b


def _wall(width: float, length: float, tall: float, rgb: RGB) -> list[Piece]:
    """Brick, or plaster where the colour is a grey, below a coping."""
    material = Material.BRICK if max(rgb) - min(rgb) > 18 else Material.PLASTER
    stone = min(_COPING, 0.3 * tall)
    body = placement(size=(width, length, tall - stone))
    ledge = placement((0, 0, tall - stone), size=(width + 0.08, length, stone))
    return [Piece(block(material), body, rgb), Piece(block(Material.CONCRETE), ledge)]


def _hedge(width: float, length: float, tall: float, rgb: RGB, distance: float) -> list[Piece]:
    count = max(1, round(length / _SEGMENT))
    part = length / count
    fine = detail(distance)
    size = (width, part, tall)
    pieces = []
    for k in range(count):
        middle = (0, (k + 0.5) * part - length / 2, 0)
        turned = placement(middle, math.pi * (k % 2), size)
        pieces.append(Piece(_segment((k // 2) % _HEDGES, fine), turned, _leaf(rgb)))
    return pieces


@cache
def _segment(variant: int, fine: int) -> Geometry:
    """A clipped box of leaves, 1 x 1 x 1; they have their shape at 0.7 x 3 x 1.3 m."""
    rng = grain_rng(6400 + variant)
    count, size = ((260, 0.13), (60, 0.28), (16, 0.5))[fine]
    half = np.array([0.35, 1.5, 0.65])
    core = box((-0.44, -0.5, 0), (0.44, 0.5, 0.94), Material.FOLIAGE, (120, 122, 106))
    coat = moved(_coat(half, count, size, rng), placement((0, 0, 0.5), size=(0.5 / half).tolist()))
    return standing(join([core, coat]))


def _coat(half: np.ndarray, count: int, size: float, rng: np.random.Generator) -> Geometry:
    """Leaves over the long sides, the ends and the top of a box of half extents float [3]."""
    areas = np.array([half[1] * half[2]] * 2 + [half[0] * half[1]] + [half[0] * half[2] / 2] * 2)
    ways = np.array([(1, 0, 0), (-1, 0, 0), (0, 0, 1), (0, 1, 0), (0, -1, 0)], float)
    out = ways[rng.choice(5, count, p=areas / areas.sum())]
    places = half * np.where(out == 0, rng.uniform(-0.97, 0.97, (count, 3)), 0.88 * out)
    round_off = places / half  # shoulders are lit as if round
    soft = unit(out + 0.35 * round_off * np.array([1, 0, 1]))
    light = 0.62 + 0.16 * round_off[:, 2] + 0.10 * out[:, 2]
    light *= rng.uniform(0.72, 1.3, count)
    hue = np.array([1.04, 1.0, 0.84]) + rng.normal(0, 0.04, (count, 3))
    return leaves(places, soft, 255 * light[:, None] * hue, size, rng)
