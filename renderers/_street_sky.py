"""Painters of what lies behind the street: the sky, which lights it, and the skyline."""

import math
from functools import lru_cache

import cv2
import numpy as np

from datagen.scene import Transform

from ._attributes import Colour, Name, Number, Values
from ._canvas import Drawing, Patch, tint
from ._colours import RGB
from ._painting import InPerspective, Site
from ._solids import HAZE, NOTHING, haze
from ._textures import grain_rng

# Of each sky: its colour at the top and at the horizon, that of its clouds, and how many.
_SKIES: dict[str, tuple[RGB, RGB, RGB, float]] = {
    "overcast": ((246, 249, 250), (253, 253, 253), (236, 240, 243), 0.5),
    "blue": ((208, 234, 247), (252, 254, 254), (252, 253, 253), 0.3),
    "cloudy": ((150, 166, 178), (226, 230, 232), (236, 238, 238), 0.8),
    "dusk": ((148, 166, 174), (208, 218, 212), (112, 128, 134), 0.9),
}
_ROOM = 160  # px by which the clouds are larger than the canvas


# The colour of the light on the street, as a factor of red, green and blue.
_DAYLIGHT: dict[str, tuple[float, float, float]] = {
    "overcast": (1.0, 1.0, 1.0),
    "blue": (0.98, 1.0, 1.05),
    "cloudy": (0.97, 1.0, 1.04),
    "dusk": (0.84, 1.0, 1.12),
}


class Sky:
    """The whole canvas; `light` is the brightness of what stands below this sky."""

    reads = (Name("shade", "overcast", tuple(_SKIES)), Number("light", 1.0, 0.0, 2.0))

    def daylight(self, values: Values) -> tuple[float, float, float]:
        """What the red, green and blue of a thing in perspective are multiplied by."""
        shade, light = self.reads
        r, g, b = _DAYLIGHT[shade.of(values)]
        return r * light.of(values), g * light.of(values), b * light.of(values)

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        shade = self.reads[0].of(values)
        field = _sky(shade, site.width, site.height, round(site.view.horizon))
        dx = int(site.rng.integers(0, _ROOM))
        ink = field[:, dx : dx + site.width]
        cover = np.full(ink.shape[:2], 255, np.uint8)
        return Drawing(Patch(0, 0, cover, ink, opaque=True))


@lru_cache(maxsize=32)
def _sky(shade: str, width: int, height: int, horizon: int) -> np.ndarray:
    """uint8 [height, width + _ROOM, 3]; clouds flatten towards the horizon."""
    top, low, cloud, amount = _SKIES[shade]
    fall = np.clip(np.arange(height) / max(horizon, 1), 0, 1)[:, None, None] ** 1.3
    base = np.array(top) * (1 - fall) + np.array(low) * fall
    rng = grain_rng(1600 + tuple(_SKIES).index(shade))
    clouds = np.zeros((height, width + _ROOM), np.float32)
    for size, weight in ((64, 0.6), (24, 0.3), (9, 0.14)):
        coarse = rng.standard_normal((height // (size // 2) + 3, (width + _ROOM) // size + 3))
        clouds += weight * cv2.resize(
            coarse.astype(np.float32), (width + _ROOM, height), interpolation=cv2.INTER_CUBIC
        )
    share = (amount / (1 + np.exp(-3 * (clouds - 0.1))))[..., None] * (1 - 0.75 * fall)
    return np.clip(base * (1 - share) + np.array(cloud) * share, 0, 255).astype(np.uint8)


class Skyline(InPerspective):
    """A far row of trees and roofs along the horizon, up to `tall` metres at `far` metres."""

    stands = False
    reads = (
        Number("tall", 9.0, 0.0, 100.0),
        Number("far", 160.0, 1.0, 10_000.0),
        Number("exemplar", 0.0, 0.0, 1.0),
        Colour("colour", "#7f8484"),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        tall, far, exemplar, colour = self.reads
        rise = site.view.scale(far.of(values)) * tall.of(values)
        bottom = math.ceil(site.view.horizon) + 1
        top = max(math.floor(site.view.horizon - rise) - 1, 0)
        if bottom <= top or top >= site.height:
            return NOTHING
        profile = _profile(round(exemplar.of(values) * 255), site.width)
        rows = np.arange(top, bottom)[:, None] + 1
        cover = np.clip(255 * (rows - (site.view.horizon - rise * profile)), 0, 255)
        cover = cover.astype(np.uint8)
        share = haze(far.of(values))
        r, g, b = (
            round(c * (1 - share) + h * share) for c, h in zip(colour.of(values), HAZE, strict=True)
        )
        return Drawing(Patch(0, top, cover, tint(cover, (r, g, b))))


@lru_cache(maxsize=512)
def _profile(kind: int, width: int) -> np.ndarray:
    """Heights in [0.2, 1] float [width]: hills of crowns, here and there a flat roof."""
    rng = grain_rng(5000 + kind)
    line = np.zeros(width)
    for size, weight in ((40, 0.35), (13, 0.45), (4, 0.35)):
        knots = rng.standard_normal(width // size + 3)
        line += weight * np.interp(np.arange(width) / size, np.arange(len(knots)), knots)
    line = 0.5 + 0.24 * line
    for _ in range(int(rng.integers(0, 4))):
        start, length = int(rng.integers(0, width)), int(rng.integers(8, 40))
        line[start : start + length] = rng.uniform(0.5, 1.0)
    return np.clip(line, 0.2, 1.0)
