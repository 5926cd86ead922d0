"""Pictures under other light and from other cameras: what things are called must not hang on it."""

import cv2
import numpy as np


def varied(image: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """uint8 [H, W, 3] with other colours, contrast and sharpness; `share` 0 leaves it as it is.

    With share 1: colours mixed by up to a quarter, contrast between a half and double, brightness
    by up to 60 grey levels, blur up to 1.2 px and noise up to 12 grey levels. Positions stay.
    """
    if share == 0:
        return image
    mix = np.eye(3) + share * rng.uniform(-0.25, 0.25, (3, 3))
    contrast = 2.0 ** (share * rng.uniform(-1, 1))
    lift = share * rng.uniform(-60, 60)
    blur, noise = share * rng.uniform(0, 1.2), share * rng.uniform(0, 12)
    # Around the middle grey: colours stay in range, and what is bright stays bright.
    turned = cv2.transform(image.astype(np.float32) - 128, contrast * mix) + (128 + lift)
    if blur > 0.3:
        turned = cv2.GaussianBlur(turned, (0, 0), blur)
    turned += noise * rng.standard_normal(turned.shape, np.float32)
    return np.clip(np.rint(turned), 0, 255).astype(np.uint8)
