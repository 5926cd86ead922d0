"""Textures: grainy surfaces made once, and pictures that are turned and scaled into a patch."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from datagen.rng import Stream, rng_for
from datagen.scene import Transform

from ._canvas import window
from ._colours import RGB


@dataclass(frozen=True)
class Grain:
    """A surface that drifts between two colours, under fine noise of strength `rough`."""

    one: RGB
    other: RGB
    rough: float
    patch: int  # px, size of the drifting patches


GRAINS = {
    "grass": Grain((94, 128, 62), (126, 138, 74), 0.065, 26),
    "meadow": Grain((108, 138, 60), (150, 152, 84), 0.08, 18),
    "asphalt": Grain((92, 94, 98), (104, 104, 106), 0.045, 14),
    "soil": Grain((132, 106, 76), (152, 128, 94), 0.07, 20),
}

_FIRST_GRAIN = 1000  # indices below belong to the digits


def grain_rng(k: int) -> np.random.Generator:
    return rng_for(0, _FIRST_GRAIN + k, Stream.SPRITES)


def grain(kind: Grain, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 [height, width, 3]; beyond `_TILE` px it goes on as its own mirror image."""
    tile = _grain_tile(kind, min(height, _TILE), min(width, _TILE), rng)
    beyond = (0, height - tile.shape[0]), (0, width - tile.shape[1]), (0, 0)
    return np.pad(tile, beyond, mode="symmetric")


_TILE = 1024


def _grain_tile(kind: Grain, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    drift = _noise(height, width, kind.patch, rng) + 0.5 * _noise(height, width, 5, rng)
    mix = np.clip(0.5 + 0.45 * drift, 0, 1)[..., None]
    light = 1 + kind.rough * (
        _noise(height, width, 1, rng) + 0.7 * _noise(height, width, 2, rng) + 0.4 * drift
    )
    base = (1 - mix) * np.array(kind.one) + mix * np.array(kind.other)
    return np.clip(base * light[..., None], 0, 255).astype(np.uint8)


def _noise(height: int, width: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise float32 [height, width], deviation about 0.7, with blobs of about `size` px."""
    coarse = rng.standard_normal((height // size + 4, width // size + 4)).astype(np.float32)
    if size == 1:
        return coarse[:height, :width]
    full = cv2.resize(coarse, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
    return full[:height, :width]


class Picture:
    """A texture with its halved copies, so that a small image of it is an average, not a sample.

    pixels: uint8 [h, w] (coverage), [h, w, 3], or [h, w, 4] (ink and coverage, premultiplied).
    """

    def __init__(self, pixels: np.ndarray) -> None:
        self._levels = [pixels]
        self.height, self.width = pixels.shape[:2]

    def level(self, texels_per_pixel: float) -> np.ndarray:
        """The copy with at least one and less than two texels a pixel, as far as there is one."""
        k = 0
        while texels_per_pixel >= 2 and min(self._levels[k].shape[:2]) >= 2:
            texels_per_pixel, k = texels_per_pixel / 2, k + 1
            if k == len(self._levels):
                h, w = self._levels[-1].shape[:2]
                size = (max(w // 2, 1), max(h // 2, 1))
                half = cv2.resize(self._levels[-1], size, interpolation=cv2.INTER_AREA)
                self._levels.append(half)
        return self._levels[k]

    def warp(self, at: Transform, width: float, height: float) -> tuple[int, int, np.ndarray]:
        """Column, row and pixels of the picture, `width` x `height` of its own units, around `at`.

        Transparent (zero) outside; the patch reaches one pixel beyond the picture's edge.
        """
        width, height = max(width * at.scale, 1e-3), max(height * at.scale, 1e-3)
        c, s = math.cos(at.yaw), math.sin(at.yaw)
        half_x = (abs(c) * width + abs(s) * height) / 2 + 1
        half_y = (abs(s) * width + abs(c) * height) / 2 + 1
        x, y, w, h = window(at.x - half_x, at.y - half_y, at.x + half_x, at.y + half_y)
        texture = self.level(min(self.width / width, self.height / height))
        fx, fy = texture.shape[1] / width, texture.shape[0] / height
        dx, dy = x + 0.5 - at.x, y + 0.5 - at.y  # centre of the patch's first pixel
        inverse = np.array(
            [
                [c * fx, s * fx, (c * dx + s * dy) * fx + texture.shape[1] / 2 - 0.5],
                [-s * fy, c * fy, (c * dy - s * dx) * fy + texture.shape[0] / 2 - 0.5],
            ]
        )
        return x, y, cv2.warpAffine(texture, inverse, (w, h), flags=_FLAGS)


_FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
