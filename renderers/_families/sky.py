"""Families of what lies behind the street: the sky, which lights it, and the skyline."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from .._attributes import Colour, Name, Number, Values
from .._textures import grain_rng
from .family import Piece
from .geometry import RGB, Geometry, join, placement
from .materials import Material
from .surfaces import SIZE, drift

_RADIUS = 400.0  # m, of the dome
_COLUMNS, _ROWS = 128, 28  # of the dome's corners
_SKYLINES = 8
_STEPS = 1440  # corners of a skyline

Linear = tuple[float, float, float]  # red, green, blue; 1: white


@dataclass(frozen=True)
class Light:
    """What falls on the street. A level white surface shows the sun's part plus `ambient_up`."""

    sun: Linear = (0.12, 0.12, 0.12)  # on a surface that faces it
    direction: tuple[float, float, float] = (0.43, -0.63, 0.65)  # towards the sun, length 1
    ambient_up: Linear = (0.93, 0.95, 0.98)  # on a surface that faces the sky
    ambient_down: Linear = (0.34, 0.34, 0.33)  # on one that faces the ground
    haze: Linear = (0.85, 0.87, 0.88)
    haze_distance: float = 900.0  # m at which 1 / e of a thing's own colour is left


@dataclass(frozen=True)
class _Shade:
    """A kind of sky: its colours as one sees them, and its light."""

    zenith: RGB
    horizon: RGB
    cloud: RGB
    clouds: float  # how much of the sky they cover, 0 to 1
    light: Light


_SHADES: dict[str, _Shade] = {
    "overcast": _Shade((206, 212, 218), (243, 245, 246), (224, 228, 231), 0.6, Light()),
    "blue": _Shade(
        (84, 132, 200),
        (216, 229, 238),
        (246, 247, 248),
        0.22,
        Light(
            sun=(1.45, 1.34, 1.16),
            ambient_up=(0.27, 0.33, 0.43),
            ambient_down=(0.17, 0.16, 0.14),
            haze=(0.70, 0.78, 0.84),
            haze_distance=1500.0,
        ),
    ),
    "cloudy": _Shade(
        (118, 150, 190),
        (222, 229, 233),
        (240, 241, 242),
        0.8,
        Light(
            sun=(0.82, 0.79, 0.72),
            ambient_up=(0.47, 0.51, 0.57),
            ambient_down=(0.22, 0.215, 0.205),
            haze=(0.74, 0.79, 0.82),
            haze_distance=1100.0,
        ),
    ),
    "dusk": _Shade(
        (112, 128, 152),
        (208, 198, 186),
        (106, 116, 130),
        0.7,
        Light(
            sun=(0.16, 0.12, 0.08),
            ambient_up=(0.40, 0.44, 0.51),
            ambient_down=(0.16, 0.16, 0.165),
            haze=(0.58, 0.56, 0.54),
            haze_distance=700.0,
        ),
    ),
}


class Sky:
    """All around; `light` is the brightness of what stands below it.

    The sun stands `elevation` rad above the horizon and `azimuth` rad, anticlockwise from above,
    from behind the camera.
    """

    reads = (
        Name("shade", "overcast", tuple(_SHADES)),
        Number("light", 1.0, 0.0, 2.0),
        Number("azimuth", 0.6, -7.0, 7.0),
        Number("elevation", 0.7, 0.05, 1.5),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        size = (_RADIUS, _RADIUS, _RADIUS)
        return [Piece(_dome(self.reads[0].of(values)), placement(size=size))]

    def light(self, values: Values) -> Light:
        """What falls on everything under this sky."""
        shade, level, azimuth, elevation = self.reads
        base, share = _SHADES[shade.of(values)].light, level.of(values)
        around, up = azimuth.of(values), elevation.of(values)
        flat = math.cos(up)
        return Light(
            sun=_times(base.sun, share),
            direction=(flat * math.sin(around), -flat * math.cos(around), math.sin(up)),
            ambient_up=_times(base.ambient_up, share),
            ambient_down=_times(base.ambient_down, share),
            haze=base.haze,  # that of the sky, whatever the light on the street
            haze_distance=base.haze_distance,
        )


def _times(light: Linear, share: float) -> Linear:
    return light[0] * share, light[1] * share, light[2] * share


class Skyline:
    """Far trees and roofs all around, up to `tall` metres at `far` metres."""

    reads = (
        Number("tall", 9.0, 0.1, 100.0),
        Number("far", 160.0, 1.0, 390.0),
        Number("exemplar", 0.0, 0.0, 1.0),
        Colour("colour", "#7f8484"),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        tall, far, exemplar, colour = self.reads
        r, z = far.of(values), tall.of(values)
        kind = exemplar.pick(values, _SKYLINES)
        return [Piece(_skyline(kind), placement(size=(r, r, z)), colour.of(values))]


@cache
def _dome(shade: str) -> Geometry:
    """Half a ball of radius 1, and a little below the horizon; rows are denser low down."""
    share = np.linspace(0, 1, _ROWS) ** 1.7
    rise = np.concatenate([[-0.06], share * math.pi / 2])
    around = np.linspace(0, 2 * math.pi, _COLUMNS + 1)
    points = np.stack(
        [
            np.cos(rise)[:, None] * np.sin(around)[None],
            np.cos(rise)[:, None] * np.cos(around)[None],
            np.repeat(np.sin(rise)[:, None], _COLUMNS + 1, axis=1),
        ],
        axis=2,
    )
    colours = _seen(_SHADES[shade], rise, grain_rng(6500 + tuple(_SHADES).index(shade)))
    down = np.full(points.shape, (0.0, 0.0, -1.0))
    return _sheet(points, down, colours, Material.SKY)


def _seen(shade: _Shade, rise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colours float [rows, columns, 3] of a sky; clouds are flatter towards the horizon."""
    high = np.sin(np.maximum(rise, 0))[:, None, None]
    sky = np.array(shade.horizon) + high**0.55 * np.subtract(shade.zenith, shade.horizon)
    field = 0.7 * drift(8, rng) + 0.5 * drift(16, rng) + 0.35 * drift(64, rng)
    rows = (np.log(0.06 + np.maximum(rise, 0)) * 70).astype(int) % SIZE
    columns = (np.arange(_COLUMNS + 1) * (SIZE // _COLUMNS)) % SIZE
    cover = field[rows][:, columns] + 2.4 * (shade.clouds - 0.5)
    share = (1 / (1 + np.exp(-4 * cover)))[..., None] * 0.85
    share = share * (1 - np.exp(-high / 0.05))  # haze hides them at the horizon
    return sky * (1 - share) + np.array(shade.cloud) * share


@cache
def _skyline(kind: int) -> Geometry:
    """Two rings 1 high, of radius 1 and more, the nearer one lower and darker."""
    rng = grain_rng(6520 + kind)
    return join([_ring(1.0, 0.62, 205, rng), _ring(1.15, 1.0, 250, rng)])


def _ring(radius: float, tall: float, light: float, rng: np.random.Generator) -> Geometry:
    heights = _heights(rng)
    heights *= tall / heights.max()
    around = np.linspace(0, 2 * math.pi, _STEPS + 1)
    foot = np.stack([radius * np.cos(around), radius * np.sin(around), 0 * around], axis=1)
    head = foot.copy()
    head[:, 2] = np.append(heights, heights[0])
    inwards = np.tile(-foot / radius + (0, 0, 1.2), (2, 1, 1))
    each = light * rng.uniform(0.82, 1.0, _STEPS)
    ink = np.append(each, each[0])[None, :, None] * np.array([[[0.78]], [[1.0]]])
    return _sheet(np.stack([foot, head]), inwards, np.repeat(ink, 3, axis=2), Material.CLOTH)


def _heights(rng: np.random.Generator) -> np.ndarray:
    """Crowns of many sizes, ragged, between them roofs; float [_STEPS]."""
    line = np.full(_STEPS, 0.30) + 0.08 * rng.random(_STEPS)
    for _ in range(330):
        middle, half = rng.integers(_STEPS), rng.uniform(3, 11)
        away = (np.arange(_STEPS) - middle + _STEPS // 2) % _STEPS - _STEPS // 2
        crown = rng.uniform(0.35, 1.0) * np.sqrt(np.clip(1 - (away / half) ** 2, 0, 1))
        line = np.maximum(line, crown * (1 + 0.10 * rng.standard_normal(_STEPS)))
    for _ in range(14):
        start, long, tall = rng.integers(_STEPS), rng.integers(12, 28), rng.uniform(0.35, 0.6)
        slope = rng.choice([0.0, 0.12]) * (1 - np.abs(np.linspace(-1, 1, long)))
        line[(start + np.arange(long)) % _STEPS] = tall + slope
    return np.maximum(line, 0.2)


def _sheet(
    points: np.ndarray, normals: np.ndarray, colours: np.ndarray, material: Material
) -> Geometry:
    """A net of corners float [rows, columns, 3]."""
    rows, columns = points.shape[:2]
    n = rows * columns
    k = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)[None]).ravel()
    quads = np.stack([k, k + columns, k + 1, k + 1, k + columns, k + columns + 1], axis=1)
    turned = normals.reshape(n, 3)
    return Geometry(
        points.reshape(n, 3).astype(np.float32),
        (turned / np.linalg.norm(turned, axis=1, keepdims=True)).astype(np.float32),
        np.zeros((n, 2), np.float32),
        np.clip(np.rint(colours.reshape(n, 3)), 0, 255).astype(np.uint8),
        np.full(n, material, np.uint8),
        quads.reshape(-1, 3).astype(np.uint32),
    )
