"""Pictures of people on foot and on bicycles, about 1.8 m high."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from ._textures import Picture, grain_rng

WALKERS = 12
RIDERS = 4  # of each view
TALL = 128  # texels of a picture's height
_FINE = 3  # drawn this much larger, then averaged

Point = tuple[float, float]
Ink = tuple[int, int, int, int]

_COAT: Ink = (232, 0, 0, 255)
_COAT_DARK: Ink = (180, 0, 0, 255)
_TROUSERS: Ink = (0, 225, 0, 255)
_TROUSERS_DARK: Ink = (0, 170, 0, 255)
_SKIN: Ink = (0, 0, 220, 255)
_BLACK: Ink = (0, 18, 18, 255)
_METAL: Ink = (0, 60, 60, 255)


class _Page:
    """A picture under construction; x and z in picture heights, z up from the ground."""

    def __init__(self, aspect: float) -> None:
        self.tall, self.wide = TALL * _FINE, round(TALL * aspect) * _FINE
        self.canvas = np.zeros((self.tall, self.wide, 4), np.uint8)

    def shape(self, points: Sequence[Point], ink: Ink) -> None:
        cv2.fillPoly(self.canvas, [self._at(points)], ink)

    def limb(self, points: Sequence[Point], thick: float, ink: Ink) -> None:
        width = max(1, round(thick * self.tall))
        cv2.polylines(self.canvas, [self._at(points)], False, ink, width)
        for point in self._at(points).tolist():
            cv2.circle(self.canvas, point, width // 2, ink, -1)

    def ball(self, x: float, z: float, rx: float, rz: float, ink: Ink) -> None:
        centre = self._at([(x, z)])[0].tolist()
        axes = (round(rx * self.tall), round(rz * self.tall))
        cv2.ellipse(self.canvas, centre, axes, 0, 0, 360, ink, -1)

    def ring(self, x: float, z: float, radius: float, ink: Ink, squeeze: float = 1.0) -> None:
        centre = self._at([(x, z)])[0].tolist()
        axes = (max(1, round(squeeze * radius * self.tall)), round(radius * self.tall))
        cv2.ellipse(self.canvas, centre, axes, 0, 0, 360, ink, max(2, round(0.022 * self.tall)))

    def picture(self) -> Picture:
        size = (self.wide // _FINE, TALL)
        small = cv2.resize(self.canvas, size, interpolation=cv2.INTER_AREA)
        small[:, 0], small[:, -1], small[0] = 0, 0, 0
        return Picture(small)

    def _at(self, points: Sequence[Point]) -> np.ndarray:
        x = self.wide / 2 + np.array([p[0] for p in points]) * self.tall
        y = self.tall * (1 - np.array([p[1] for p in points]))
        return np.rint(np.stack([x, y], axis=1)).astype(np.int32)


@cache
def walker(variant: int) -> Picture:
    """Coat, trousers, skin and coverage; half as wide as high."""
    rng = grain_rng(4000 + variant)
    page = _Page(0.5)
    stride = (-0.10, -0.04, 0.0, 0.05, 0.09, 0.12)[variant % 6]
    swing, long_coat = 0.6 * stride, rng.random() < 0.4
    page.limb(
        [(0.025, 0.50), (0.03 - stride * 0.5, 0.27), (0.03 - stride, 0.04)], 0.075, _TROUSERS_DARK
    )
    page.limb([(0.03 - stride, 0.025), (0.055 - stride, 0.025)], 0.04, _BLACK)
    page.limb(
        [(-0.025, 0.50), (-0.02 + stride * 0.5, 0.28), (-0.025 + stride, 0.04)], 0.078, _TROUSERS
    )
    page.limb([(-0.03 + stride, 0.025), (0.0 + stride, 0.025)], 0.04, _BLACK)
    hem = 0.36 if long_coat else 0.47
    page.limb([(0.085, 0.78), (0.11, 0.62), (0.10 + swing, 0.49)], 0.05, _COAT_DARK)
    page.shape([(-0.095, 0.82), (0.095, 0.82), (0.085, hem), (-0.085, hem)], _COAT)
    page.ball(0, 0.81, 0.095, 0.035, _COAT)
    page.limb([(-0.09, 0.78), (-0.115, 0.62), (-0.10 - swing, 0.48)], 0.052, _COAT)
    page.ball(-0.10 - swing, 0.465, 0.02, 0.025, _SKIN)
    page.ball(0, 0.915, 0.045, 0.062, _SKIN)
    page.ball(0, 0.935, 0.048, 0.05, _BLACK if rng.random() < 0.7 else _METAL)
    if rng.random() < 0.5:
        page.ball(0, 0.90, 0.036, 0.045, _SKIN)  # seen from the front
    if rng.random() < 0.35:  # a bag
        page.shape([(0.08, 0.52), (0.15, 0.52), (0.15, 0.38), (0.08, 0.38)], _BLACK)
    return page.picture()


@cache
def rider(view: str, variant: int) -> Picture:
    """Jacket, trousers, skin and coverage: "along" the view, or "across" it and to the right."""
    rng = grain_rng(4500 + variant)
    return _across(rng).picture() if view == "across" else _along(rng).picture()


def _along(rng: np.random.Generator) -> _Page:
    page = _Page(0.5)
    lean = rng.normal(0, 0.01)
    page.ring(0, 0.19, 0.17, _BLACK, squeeze=0.14)
    page.limb([(0, 0.3), (0, 0.5)], 0.02, _METAL)
    page.limb([(-0.05, 0.55), (-0.07, 0.36), (-0.05, 0.20)], 0.075, _TROUSERS)
    page.limb([(0.05, 0.55), (0.07, 0.40), (0.05, 0.30)], 0.075, _TROUSERS_DARK)
    page.limb([(-0.15, 0.57), (0.15, 0.57)], 0.018, _METAL)
    for side in (-1, 1):
        page.limb(
            [(side * 0.09, 0.80), (side * 0.145, 0.68), (side * 0.13, 0.58)], 0.05, _COAT_DARK
        )
    page.shape([(-0.10, 0.82), (0.10, 0.82), (0.08, 0.52), (-0.08, 0.52)], _COAT)
    page.ball(0, 0.81, 0.10, 0.04, _COAT)
    page.ball(lean, 0.92, 0.043, 0.06, _SKIN)
    page.ball(lean, 0.94, 0.048, 0.048, _BLACK)
    return page


def _across(rng: np.random.Generator) -> _Page:
    page = _Page(1.1)
    knee = rng.uniform(-0.05, 0.05)
    for x in (-0.29, 0.29):
        page.ring(x, 0.19, 0.175, _BLACK)
    frame = [(-0.29, 0.19), (-0.02, 0.19), (0.22, 0.50), (-0.10, 0.50), (-0.02, 0.19)]
    page.limb(frame, 0.016, _METAL)
    page.limb([(-0.29, 0.19), (-0.10, 0.50)], 0.014, _METAL)
    page.limb([(0.29, 0.19), (0.21, 0.56), (0.26, 0.60)], 0.016, _METAL)
    page.limb([(-0.12, 0.54), (0.08, 0.42 - knee), (0.0, 0.12)], 0.075, _TROUSERS)
    page.limb([(-0.12, 0.55), (-0.10, 0.55)], 0.07, _TROUSERS_DARK)
    page.limb([(-0.11, 0.58), (0.06, 0.80)], 0.125, _COAT)
    page.limb([(0.06, 0.79), (0.14, 0.66), (0.24, 0.60)], 0.045, _COAT_DARK)
    page.ball(0.11, 0.91, 0.046, 0.056, _SKIN)
    page.ball(0.10, 0.935, 0.052, 0.046, _BLACK)
    return page
