"""Flat shapes as anti-aliased coverage: polygons filled on a finer grid, then averaged.

Pixel conventions: pixel (row r, column c) covers [c, c + 1) x [r, r + 1); a thing's local origin
is its centre, x right and y down before its yaw.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from datagen.scene import Transform

from ._canvas import window

SHIFT = 8  # fractional bits of OpenCV's fixed-point coordinates
Ink = tuple[int, ...]  # one value for each channel

_FINE_PIXELS = 2**24  # cap of the finer grid; larger shapes use a coarser one


def rectangle(width: float, height: float) -> np.ndarray:
    """Corners float [4, 2] around the origin."""
    w, h = max(width, 0.0) / 2, max(height, 0.0) / 2
    return np.array([[-w, -h], [w, -h], [w, h], [-w, h]])


def ring(n: int, width: float, height: float) -> np.ndarray:
    """n points float [n, 2] on the ellipse around the origin; the first points up."""
    angle = np.arange(n) * (2 * math.pi / n) - math.pi / 2
    return np.stack([np.cos(angle) * (width / 2), np.sin(angle) * (height / 2)], axis=1)


def place(at: Transform, points: np.ndarray) -> np.ndarray:
    """Local points float [..., 2] in canvas pixels."""
    c, s = at.scale * math.cos(at.yaw), at.scale * math.sin(at.yaw)
    return points @ np.array([[c, s], [-s, c]]) + (at.x, at.y)


class FineGrid:
    """A patch with `supersample` x `supersample` fine pixels in each pixel, around some points.

    OpenCV fills every fine pixel that an outline touches, so shapes come out half a fine pixel
    too large on each side; whoever draws a shape to measure takes `grow` off its extents.
    """

    def __init__(self, points: np.ndarray, supersample: int) -> None:
        left, top = points.min(axis=0).tolist()
        right, bottom = points.max(axis=0).tolist()
        self.x, self.y, self.w, self.h = window(left, top, right, bottom)
        self.fine = _fineness(self.w * self.h, supersample)

    def fill(self, target: np.ndarray, outlines: np.ndarray, colours: Sequence[Ink]) -> None:
        """Fill convex polygons, float [K, N, 2] in canvas pixels, one over the other."""
        for outline, colour in zip(self.fixed(outlines), colours, strict=True):
            cv2.fillConvexPoly(target, outline, colour, cv2.LINE_8, SHIFT)

    def fixed(self, points: np.ndarray) -> np.ndarray:
        """Canvas pixels float [..., 2] as OpenCV's fixed-point places on the fine grid."""
        # Fine pixel u covers [u, u + 1): its centre, OpenCV's whole number, is at u + 0.5.
        local = (points - (self.x, self.y)) * self.fine - 0.5
        return np.rint(local * (1 << SHIFT)).astype(np.int32)

    def blank(self, *channels: int) -> np.ndarray:
        return np.zeros((self.h * self.fine, self.w * self.fine, *channels), np.uint8)

    def average(self, target: np.ndarray) -> np.ndarray:
        if self.fine == 1:
            return target
        return cv2.resize(target, (self.w, self.h), interpolation=cv2.INTER_AREA)


def grow(at: Transform, supersample: int) -> float:
    """By how much OpenCV's fill widens a shape, in the shape's own units."""
    return 1 / (supersample * at.scale)


def cover(points: np.ndarray, supersample: int) -> tuple[int, int, np.ndarray]:
    """Column, row and coverage uint8 [h, w] of a convex polygon float [N, 2] in canvas pixels."""
    grid = FineGrid(points, supersample)
    target = grid.blank()
    grid.fill(target, points[None], [(255,)])
    return grid.x, grid.y, grid.average(target)


def _fineness(pixels: int, supersample: int) -> int:
    return max(1, min(supersample, int(math.sqrt(_FINE_PIXELS / pixels))))
