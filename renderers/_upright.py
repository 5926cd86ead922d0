"""Pictures on upright walls in perspective."""

import math
from itertools import pairwise

import cv2
import numpy as np

from ._camera import View
from ._textures import Picture

_FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
_EDGE_ON = 1e-9  # m2; a wall whose plane goes through the eye shows nothing
_FARTHEST = 1e6  # m


def hang(
    picture: Picture,
    size: tuple[float, float],
    wall: np.ndarray,
    window: tuple[int, int, int, int],
    view: View,
) -> np.ndarray:
    """What a window of the canvas (column, row, width, height) shows of a picture on a wall.

    wall: float [4, 3] on the map, its left foot, right foot and heads. The picture's first
    `size` texels (from the left, from the top) fill it; beyond the wall it goes on somehow.

    Along an image column the wall has one distance, so columns that need the same level of the
    picture are done together. The map from pixels to texels is a homography, here in closed form.
    """
    x, y, w, h = window
    (ax, ay, _), (bx, by, _), tall = wall[0], wall[1], float(wall[2, 2])
    dx, dy, f = bx - ax, by - ay, view.focal
    apart = ay * dx - ax * dy  # twice the area between the eye and the wall's foot
    if abs(apart) < _EDGE_ON:
        return np.zeros((h, w, 4), np.uint8)
    n = np.array([ay, 0.0, -ax * f - ay * view.width / 2])  # n / d: share of the wall passed
    d = np.array([-dy, 0.0, dx * f + dy * view.width / 2])  # f apart / d: distance
    v = (tall - view.eye) * d + apart * np.array([0.0, 1.0, -view.horizon])
    to_texels = np.array([n * size[0], v * (size[1] / tall), d])
    depth = d[0] * (x + np.arange(w) + 0.5) + d[2]
    depth = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
    distance = np.minimum(np.abs(apart * f / depth), _FARTHEST)
    finest = distance**1.5 / f * math.sqrt(size[0] * size[1] / (tall * abs(apart)))
    strips = []
    for first, last in _runs(np.maximum(np.log2(finest + 1e-9), 0).astype(int)):
        level = picture.level(float(finest[first]))
        across, down = level.shape[1] / picture.width, level.shape[0] / picture.height
        shrink = np.array([[across, 0, -0.5], [0, down, -0.5], [0, 0, 1.0]])
        shift = np.array([[1, 0, x + first + 0.5], [0, 1, y + 0.5], [0, 0, 1.0]])
        inverse = shrink @ to_texels @ shift
        strips.append(
            cv2.warpPerspective(
                level, inverse, (last - first, h), flags=_FLAGS, borderMode=cv2.BORDER_REPLICATE
            )
        )
    return strips[0] if len(strips) == 1 else cv2.hconcat(strips)


def _runs(values: np.ndarray) -> list[tuple[int, int]]:
    """First and one past the last index of each run of equal values."""
    cuts = np.flatnonzero(np.diff(values)) + 1
    edges = [0, *cuts.tolist(), len(values)]
    return list(pairwise(edges))
