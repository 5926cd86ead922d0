"""How a camera's picture lies on the fine grid that is drawn."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from .._camera import NEAR, View

FAR = 1000.0  # m


@dataclass(frozen=True)
class FineView:
    """`fine` samples a pixel and axis, one of them at the pixel's centre.

    An even number of them takes the samples on the pixel's borders as well, with half the weight
    (the trapezoid rule): so the one at the centre, whose thing and depth are the pixel's, is of
    the same pass as those that make its colour.
    """

    view: View
    fine: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the fine grid."""
        extra = 1 - self.fine % 2
        return self.fine * self.view.width + extra, self.fine * self.view.height + extra

    @property
    def projection(self) -> np.ndarray:
        """float64 [4, 4]: the scene's frame, m -> clip space of the fine grid, row 0 at the top."""
        v, s = self.view, float(self.fine)
        shift = 0.5 * (1 - self.fine % 2)
        width, height = self.size
        near, far = NEAR, FAR
        return np.array(
            [
                [2 * s * v.focal / width, s * v.width / width + 2 * shift / width - 1, 0, 0],
                [
                    0,
                    2 * (s * v.horizon + shift) / height - 1,
                    -2 * s * v.focal / height,
                    2 * s * v.focal * v.eye / height,
                ],
                [0, (far + near) / (far - near), 0, -2 * far * near / (far - near)],
                [0, 1, 0, 0],
            ]
        )

    def sees(self, spheres: np.ndarray) -> np.ndarray:
        """bool [N]: which spheres float [N, 4] (middle, radius) reach into the picture."""
        v = self.view
        x, y, z, r = np.asarray(spheres, float).T
        down = v.eye - z
        inside = y + r > NEAR
        for across, slope, ahead in (
            (x, v.focal, v.width / 2),
            (-x, v.focal, v.width / 2),
            (down, v.focal, v.horizon),
            (-down, v.focal, v.height - v.horizon),
        ):
            # A border of the picture is a plane through the eye: here its normal points inwards.
            inside &= slope * across + ahead * y >= -r * math.hypot(slope, ahead) - 1.0
        return inside

    def centres(self, fine: np.ndarray) -> np.ndarray:
        """Of a fine grid [Hf, Wf, ...], the samples at the pixels' centres, [H, W, ...]."""
        start = self.fine // 2
        v = self.view
        return fine[start :: self.fine, start :: self.fine][: v.height, : v.width]

    def averaged(self, fine: np.ndarray) -> np.ndarray:
        """uint8 [Hf, Wf, 3] -> [H, W, 3]: the mean over each pixel's square."""
        if self.fine == 1:
            return fine
        if self.fine % 2:
            return cv2.resize(
                fine, (self.view.width, self.view.height), interpolation=cv2.INTER_AREA
            )
        taps = np.full(self.fine + 1, 1 / self.fine, np.float32)
        taps[[0, -1]] /= 2
        return np.ascontiguousarray(self.centres(cv2.sepFilter2D(fine, -1, taps, taps)))


def metres(depth: np.ndarray) -> np.ndarray:
    """Depth buffer values float32 -> metres along the optical axis; inf where nothing was drawn."""
    drawn = depth * np.float32(NEAR - FAR)
    drawn += np.float32(FAR)
    np.divide(np.float32(FAR * NEAR), drawn, out=drawn)
    empty = depth >= 1.0
    if empty.any():
        drawn[empty] = np.inf
    return drawn
