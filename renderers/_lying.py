"""Surfaces that lie on the ground in perspective: asphalt, paving, grass, earth."""

from functools import cache

import cv2
import numpy as np

from ._camera import View
from ._textures import Grain, Picture, grain, grain_rng

TEXELS = 12  # a metre
_TILE = 512  # texels; the surface repeats after so many
_FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP

_GRAINS = {
    "asphalt": Grain((84, 86, 90), (90, 91, 94), 0.035, 90),
    "paving": Grain((112, 110, 107), (122, 119, 115), 0.035, 60),
    "grass": Grain((70, 86, 48), (88, 98, 58), 0.10, 40),
    "earth": Grain((112, 98, 80), (128, 112, 90), 0.12, 24),
}
SURFACES = tuple(_GRAINS)


@cache
def surface(kind: str) -> Picture:
    """A square tile uint8 [512, 512, 3] that joins itself on all sides."""
    quarter = grain(_GRAINS[kind], _TILE // 2, _TILE // 2, grain_rng(1500 + SURFACES.index(kind)))
    half = np.concatenate([quarter, quarter[::-1]])
    tile = np.ascontiguousarray(np.concatenate([half, half[:, ::-1]], axis=1))
    if kind == "paving":  # joints of slabs
        for k in range(0, _TILE, 8):
            tile[k] = tile[k] * 0.90
            tile[:, k] = tile[:, k] * 0.90
    return Picture(tile)


def lay(
    picture: Picture,
    window: tuple[int, int, int, int],
    view: View,
    origin: tuple[float, float],
    turn: tuple[float, float] = (1.0, 0.0),
) -> np.ndarray:
    """What a window of the canvas (column, row, width, height) shows of a tiled ground.

    uint8 [h, w, 3]; `origin`: texels that lie below the camera; `turn`: cosine and sine of the
    tiles' yaw. Along an image row the ground has one distance, so rows that need the same level
    of the picture are done together. Rows above the horizon are made as if just below it.
    """
    x, y, w, h = window
    below = np.maximum(y + np.arange(h) + 0.5 - view.horizon, 0.25)
    distance = view.focal * view.eye / below
    texels = TEXELS * distance / view.focal * np.sqrt(np.maximum(distance / view.eye, 1))
    levels = np.minimum(np.maximum(np.log2(texels), 0).astype(int), 8)
    ground = np.array(  # pixels to metres on the map, homogeneous
        [
            [view.eye, 0, -view.eye * view.width / 2],
            [0, 0, view.eye * view.focal],
            [0, 1, -view.horizon],
        ]
    )
    c, s = turn[0] * TEXELS, turn[1] * TEXELS
    to_texels = np.array([[c, s, origin[0]], [-s, c, origin[1]], [0, 0, 1.0]]) @ ground
    strips = []
    first = 0
    for last in [*(np.flatnonzero(np.diff(levels)) + 1).tolist(), h]:
        level = picture.level(2.0 ** float(levels[first]))
        share = level.shape[0] / picture.height
        shrink = np.array([[share, 0, -0.5], [0, share, -0.5], [0, 0, 1.0]])
        shift = np.array([[1, 0, x + 0.5], [0, 1, y + first + 0.5], [0, 0, 1.0]])
        inverse = shrink @ to_texels @ shift
        size = (w, last - first)
        strips.append(
            cv2.warpPerspective(level, inverse, size, flags=_FLAGS, borderMode=cv2.BORDER_WRAP)
        )
        first = last
    return strips[0] if len(strips) == 1 else cv2.vconcat(strips)
