"""From light to the file's pixels: exposure, lens, blur, noise and JPEG, as a camera adds them."""

import math
from functools import cache, cached_property

import cv2
import numpy as np
from pydantic import Field

from datagen.errors import InputError
from datagen.interfaces import Component

from ._camera import View
from ._noise import Noise

_STRAY = 0.01  # px; where the lens folds the picture, its inverse is farther off
HEADROOM = 2.0  # the brightest light that a pixel of the colour pass holds; 1 is white


class Sensor(Component):
    """All off but the exposure: pictures are clean unless a recipe asks otherwise."""

    exposure: float = Field(default=0.0, ge=-6.0, le=6.0)  # stops
    contrast: float = Field(default=0.0, ge=-1.0, le=1.0)  # of middle tones; 0 as it is
    blur: float = Field(default=0.0, ge=0.0, le=8.0)  # std of the lens' blur, px
    noise: float = Field(default=0.0, ge=0.0, le=64.0)  # std in grey levels, each channel its own
    distortion: tuple[float, float] = (0.0, 0.0)  # k1, k2 of OpenCV's radial model
    jpeg: int | None = Field(default=None, ge=1, le=100)  # quality; None: not compressed

    def develop(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """uint8 [H, W, 3], square roots of light -> sRGB as the camera stores it."""
        image = cv2.LUT(image, _curve(self.exposure, self.contrast))
        if self.blur > 0:
            image = cv2.GaussianBlur(image, (0, 0), self.blur)
        image = Noise(self.noise).add(image, rng)
        if self.jpeg is None:
            return image
        done, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self.jpeg])
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert done and decoded is not None
        return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


@cache
def _curve(exposure: float, contrast: float) -> np.ndarray:
    """uint8 [256]: sRGB of a stored square root; highlights roll off instead of clipping."""
    light = (np.arange(256) / 255) ** 2 * HEADROOM * 2.0**exposure
    knee = 0.7
    rolled = knee + (1 - knee) * (1 - np.exp(-(light - knee) / (1 - knee)))
    light = np.where(light > knee, rolled, light)
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    srgb = srgb + contrast * (srgb - 0.5) * (1 - np.abs(2 * srgb - 1))
    return np.rint(np.clip(srgb, 0, 1) * 255).astype(np.uint8)


class Lens:
    """Radial distortion: what each pixel of the picture shows of a larger one without it."""

    def __init__(self, view: View, distortion: tuple[float, float]) -> None:
        self.view = view
        self._k = distortion
        border = _border(view)
        reach = self._straight(border)
        if not np.abs(self.bent(reach) - border).max() < _STRAY:
            raise InputError(
                f"a lens with `distortion` {list(distortion)} shows nothing at the border of this "
                "picture; take less distortion or a longer `camera.focal`"
            )
        centre = np.array([view.width / 2, view.horizon])
        # Without distortion the border is seen where it is; the margin covers what bends in.
        beyond = np.abs(reach - centre).max(axis=0) - np.abs(border - centre).max(axis=0)
        self.margin = tuple(max(0, math.ceil(b)) + 1 for b in beyond.tolist())

    @cached_property
    def picture(self) -> tuple[np.ndarray, np.ndarray]:
        """`maps` of the whole picture."""
        return self.maps(0, 0, self.view.width, self.view.height)

    @property
    def wide(self) -> View:
        """The view to draw, `margin` pixels larger on every side."""
        v, (mx, my) = self.view, self.margin
        return View(v.width + 2 * mx, v.height + 2 * my, v.focal, v.horizon + my, v.eye)

    def maps(self, left: int, top: int, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """For a window of the picture: columns and rows, float32 [h, w], in the wide one."""
        x, y = np.meshgrid(left + np.arange(width) + 0.5, top + np.arange(height) + 0.5)
        straight = self._straight(np.stack([x, y], axis=-1))
        source = straight + self.margin - 0.5
        return source[..., 0].astype(np.float32), source[..., 1].astype(np.float32)

    def bent(self, points: np.ndarray) -> np.ndarray:
        """Places in the picture, px [..., 2], of places without distortion."""
        unit, k = self._unit(points), self._k
        r2 = (unit**2).sum(axis=-1, keepdims=True)
        return self._pixels(unit * (1 + k[0] * r2 + k[1] * r2 * r2))

    def _straight(self, points: np.ndarray) -> np.ndarray:
        """The inverse of `bent`, by fixed point iteration."""
        target = self._unit(points)
        unit = target.copy()
        for _ in range(30):
            r2 = (unit**2).sum(axis=-1, keepdims=True)
            unit = target / np.maximum(1 + self._k[0] * r2 + self._k[1] * r2 * r2, 0.2)
        return self._pixels(unit)

    def _unit(self, points: np.ndarray) -> np.ndarray:
        return (points - (self.view.width / 2, self.view.horizon)) / self.view.focal

    def _pixels(self, unit: np.ndarray) -> np.ndarray:
        return unit * self.view.focal + (self.view.width / 2, self.view.horizon)


def _border(view: View) -> np.ndarray:
    """float [N, 2]: points along the picture's border, px."""
    x, y = np.linspace(0, view.width, 65), np.linspace(0, view.height, 65)
    sides = [
        np.stack([x, np.zeros(65)], 1),
        np.stack([x, np.full(65, float(view.height))], 1),
        np.stack([np.zeros(65), y], 1),
        np.stack([np.full(65, float(view.width)), y], 1),
    ]
    return np.concatenate(sides)
