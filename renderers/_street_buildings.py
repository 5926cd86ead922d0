"""Painter of buildings: a box with facades in perspective and a roof against the sky."""

import math

import cv2
import numpy as np

from datagen.scene import Transform

from ._attributes import Colour, Name, Number, Values
from ._camera import clip_near, on_map
from ._canvas import Drawing, Patch
from ._colours import RGB
from ._facade_models import LENGTH, STOREY, STYLES, TEXELS, VARIANTS, facade
from ._painting import InPerspective, Site
from ._solids import HAZE, coverage, faces, faded, haze, lit_faces
from ._textures import Picture
from ._upright import hang

_ROOFS: dict[str, float] = {"flat": 0.0, "pitched": 0.6, "steep": 1.0}  # height over run
_SLATE: RGB = (92, 90, 94)
_OVERHANG = 0.35  # m of the eaves


class Building(InPerspective):
    """A block of `width` x `height` metres, its facades along its own y, `storeys` high."""

    reads = (
        Number("width", 10.0, 1.0, 60.0),
        Number("height", 14.0, 1.0, 100.0),
        Number("storeys", 3.0, 1.0, 9.0),
        Name("style", "terrace", STYLES),
        Name("roof", "pitched", tuple(_ROOFS)),
        Colour("colour", "beige"),
        Number("exemplar", 0.0, 0.0, 1.0),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        width, height, storeys, style, roof, colour, exemplar = self.reads
        w, h, floors = width.of(values), height.of(values), round(storeys.of(values))
        rgb = np.array(colour.of(values), float)
        block = _walls(w, h, floors * STOREY), _roof(w, h, floors * STOREY, _ROOFS[roof.of(values)])
        shapes = on_map(at, np.array([*block[0], *block[1]]))  # K, 4, 3
        points = shapes.reshape(-1, 3)
        seen, bright = lit_faces(points, 4 * np.arange(len(shapes)), site.view.eye)
        paints = np.array([rgb] * 4 + [_SLATE] * len(block[1]))
        colours = faded(paints[seen] * bright[:, None], at.y)
        spans = [(4 * k, 4 * k + 4) for k in seen.tolist()]
        body = faces(site, points, spans, colours).body
        variant = exemplar.pick(values, VARIANTS)
        for k, light in zip(seen.tolist(), bright.tolist(), strict=True):
            if k < 4:
                picture = facade(style.of(values) if k < 2 else "blank", floors, variant)
                _dress(body, shapes[k], picture, _paint(rgb, light, at.y), site)
        return Drawing(body)


Face = list[tuple[float, float, float]]  # four corners, anticlockwise from outside


def _walls(width: float, height: float, tall: float) -> list[Face]:
    """Facades to the right and to the left, then the walls ahead and behind, each from its feet."""
    a, b = width / 2, height / 2
    feet = [((a, -b), (a, b)), ((-a, b), (-a, -b)), ((a, b), (-a, b)), ((-a, -b), (a, -b))]
    return [[(*left, 0.0), (*right, 0.0), (*right, tall), (*left, tall)] for left, right in feet]


def _roof(width: float, height: float, eaves: float, slope: float) -> list[Face]:
    """Two planes with their ridge along y, what they leave open at the ends, and chimneys.

    A triangle repeats a corner.
    """
    a, b = width / 2, height / 2
    if slope == 0:
        return [[(a, -b, eaves), (a, b, eaves), (-a, b, eaves), (-a, -b, eaves)]]
    ridge, low, out = eaves + slope * a, eaves - slope * _OVERHANG, a + _OVERHANG
    return [
        [(-a, -b, eaves), (a, -b, eaves), (0, -b, ridge), (0, -b, ridge)],
        [(a, b, eaves), (-a, b, eaves), (0, b, ridge), (0, b, ridge)],
        [(out, -b, low), (out, b, low), (0, b, ridge), (0, -b, ridge)],
        [(-out, b, low), (-out, -b, low), (0, -b, ridge), (0, b, ridge)],
        *_chimney(-b + 0.8, ridge),
        *_chimney(b - 0.8, ridge),
    ]


def _chimney(y: float, ridge: float) -> list[Face]:
    foot = ridge - 0.7
    return [[(x, y + v, foot + z) for x, v, z in wall] for wall in _walls(0.7, 1.3, 2.0)]


def _paint(rgb: np.ndarray, light: float, distance: float) -> np.ndarray:
    """float [3, 5]: from a facade's four channels and 1 to its colour in this light and haze."""
    share = haze(distance)
    paint = np.zeros((3, 5))
    paint[:, :3] = np.eye(3) * (light * (1 - share))
    paint[:, 3] = rgb / 205 * (light * (1 - share))
    paint[:, 4] = np.array(HAZE) * share
    return paint


def _dress(body: Patch, wall: np.ndarray, picture: Picture, paint: np.ndarray, site: Site) -> None:
    """Put a facade's picture over its wall, into the ink of a body just made."""
    shown = clip_near(wall)
    if len(shown) < 3 or body.ink is None:
        return
    pixels = site.view.project(shown)
    h, w = body.cover.shape
    start = max(math.floor(float(pixels[:, 0].min())) - body.x, 0)
    stop = min(math.ceil(float(pixels[:, 0].max())) - body.x, w)
    if stop <= start:
        return
    window = body.x + start, body.y, stop - start, h
    length = float(np.linalg.norm(wall[1] - wall[0]))
    size = min(length, LENGTH) * TEXELS, picture.height
    coat = cv2.transform(hang(picture, size, wall, window, site.view), paint)
    share = cv2.cvtColor(coverage(site, [pixels], window), cv2.COLOR_GRAY2RGB)
    below = body.ink[:, start:stop]
    kept = cv2.multiply(below, cv2.bitwise_not(share), scale=1 / 255)
    below[...] = cv2.add(kept, cv2.multiply(coat, share, scale=1 / 255))
