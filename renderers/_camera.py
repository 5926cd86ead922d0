"""A camera on a street: from metres on a map to pixels, and what lies too near to be seen.

The map's frame: x to the right of the camera in metres, y ahead of it, z up from the ground; the
camera stands above the origin and looks along y. Things in the street use it as their scene frame
(x and y of a `Transform`, whose yaw then turns anticlockwise as seen from above).
"""

import math
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from datagen.interfaces import Component
from datagen.scene import Transform

NEAR = 0.5  # m ahead of the camera; what is nearer is cut off
REACH = 0.5  # canvases; what lies farther beyond the border is cut off


class Camera(Component):
    """An upright pinhole camera; its horizon is level."""

    horizon: float = Field(default=0.49, gt=-2.0, lt=1.0)  # from the top, in canvas heights
    focal: float = Field(default=1.0, ge=0.1, le=10.0)  # focal length, in canvas widths
    height: float = Field(default=1.35, gt=0.0, le=100.0)  # of the eye above the ground, m


@dataclass(frozen=True, slots=True)
class View:
    """A camera on a canvas of `width` x `height` pixels; lengths but `eye` are pixels."""

    width: int
    height: int
    focal: float
    horizon: float
    eye: float  # m

    @classmethod
    def of(cls, camera: Camera, width: int, height: int) -> "View":
        return cls(width, height, camera.focal * width, camera.horizon * height, camera.height)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Map points float [..., 3], y at least NEAR -> canvas pixels float [..., 2]."""
        x, y, z = points[..., 0], points[..., 1], points[..., 2]
        grow = self.focal / y
        return np.stack([self.width / 2 + grow * x, self.horizon + grow * (self.eye - z)], axis=-1)

    def scale(self, distance: float) -> float:
        """Pixels a metre, `distance` metres ahead."""
        return self.focal / distance

    def bounds(self, pixels: np.ndarray, margin: float = 0.0) -> tuple[int, int, int, int] | None:
        """Column, row, width, height of the patch around points float [N, 2], cut to the reach.

        None when all of them lie beyond it.
        """
        left, top = (pixels.min(axis=0) - margin).tolist()
        right, bottom = (pixels.max(axis=0) + margin).tolist()
        if not math.isfinite(left + top + right + bottom):
            raise ValueError("its place is no finite number")
        dx, dy = round(REACH * self.width), round(REACH * self.height)
        x, y = math.floor(max(left, -dx)), math.floor(max(top, -dy))
        w = math.ceil(min(right, self.width + dx)) - x
        h = math.ceil(min(bottom, self.height + dy)) - y
        return (x, y, w, h) if w > 0 and h > 0 else None


def on_map(at: Transform, points: np.ndarray) -> np.ndarray:
    """A thing's own points float [..., 3] (x to its right, y ahead of it, z up) on the map."""
    if not math.isfinite(at.x + at.y + at.yaw + at.scale):
        raise ValueError("its place is no finite number")
    c, s = at.scale * math.cos(at.yaw), at.scale * math.sin(at.yaw)
    turn = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, at.scale]])
    return points @ turn + (at.x, at.y, 0.0)


def clip_near(outline: np.ndarray) -> np.ndarray:
    """The part of a convex polygon float [N, 3] that lies at least NEAR ahead, float [M, 3].

    Sutherland and Hodgman (1974), for the one plane.
    """
    ahead = outline[:, 1] - NEAR
    if ahead.min() >= 0:
        return outline
    kept: list[np.ndarray] = []
    for k in range(len(outline)):
        here, there = ahead[k - 1], ahead[k]
        if (here < 0) != (there < 0):
            kept.append(outline[k - 1] + (outline[k] - outline[k - 1]) * (here / (here - there)))
        if there >= 0:
            kept.append(outline[k])
    clipped = np.array(kept).reshape(-1, 3)
    clipped[:, 1] = np.maximum(clipped[:, 1], NEAR)  # rounding must not push a corner behind it
    return clipped
