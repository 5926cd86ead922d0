"""Camera noise: one byte of randomness per value, through a table of normal quantiles."""

from statistics import NormalDist

import cv2
import numpy as np


class Noise:
    """Gaussian noise of `std` grey levels (256 different values, clipped near 2.9 std)."""

    def __init__(self, std: float) -> None:
        quantile = NormalDist().inv_cdf
        steps = np.array([quantile((k + 0.5) / 256) for k in range(256)])
        self._std = std
        self._table = np.rint(steps / steps.std() * std).astype(np.int16)

    def add(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """uint8 [H, W, 3], saturated."""
        if self._std == 0:
            return image
        dice = np.frombuffer(rng.bytes(image.size), np.uint8).reshape(image.shape)
        return cv2.add(image, cv2.LUT(dice, self._table), dtype=cv2.CV_8U)
