"""Training pictures changed at random; labels follow."""

from dataclasses import replace

import cv2
import numpy as np

from datagen.settings.train import Augmentation

from ._examples import Example

_LOST = 0.2  # share of a thing that a crop must leave for it to be still asked for
_GREY = np.array([0.299, 0.587, 0.114])  # how bright red, green and blue look
# What has this as its columns turns colours about grey: two axes of colour, as in YIQ.
_YIQ = np.array([_GREY, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def augmented(rng: np.random.Generator, example: Example, settings: Augmentation) -> Example:
    """A function of its arguments alone; every draw is made, whatever the settings."""
    crops, flips = rng.random(2)
    corners = rng.random(4)
    if crops < settings.crop:
        example = _cropped(example, corners)
    if flips < settings.flip:
        example = _flipped(example)
    image = _recoloured(example.image, rng.uniform(-1, 1, 4), settings)
    image = _blurred(image, rng.uniform(0, settings.blur))
    image = _noisy(image, rng.uniform(0, settings.noise), rng)
    return replace(example, image=image)


def _flipped(example: Example) -> Example:
    width = example.image.shape[1]

    def mirrored(boxes: np.ndarray) -> np.ndarray:
        x0, y0, x1, y1 = boxes.T
        return np.stack([width - x1, y0, width - x0, y1], 1)

    return replace(
        example,
        image=example.image[:, ::-1],
        boxes=mirrored(example.boxes),
        masks=None if example.masks is None else example.masks[:, :, ::-1],
        ignored=mirrored(example.ignored),
    )


def _cropped(example: Example, corners: np.ndarray) -> Example:
    """A part of at least half of each side; pixels keep their size, so things keep theirs.

    What loses nearly all of itself becomes an ignored region: nobody could be asked to find it.
    """
    height, width = example.image.shape[:2]
    w, h = max(1, round(width * (1 + corners[0]) / 2)), max(1, round(height * (1 + corners[1]) / 2))
    x, y = round(corners[2] * (width - w)), round(corners[3] * (height - h))
    masks = None if example.masks is None else example.masks[:, y : y + h, x : x + w]
    boxes = _within(example.boxes, x, y, w, h)
    left = _area(boxes) / _area(example.boxes)
    if masks is not None and example.masks is not None:
        pixels, whole = masks.any((1, 2)), example.masks.sum((1, 2))
        # Of a mask that came out empty, being too thin, the box must tell.
        left = np.where(whole > 0, masks.sum((1, 2)) / np.maximum(1, whole), left)
        boxes[pixels] = _around(masks[pixels])
    there, kept = _area(boxes) > 0, left >= _LOST
    ignored = _within(example.ignored, x, y, w, h)
    return Example(
        example.image[y : y + h, x : x + w],
        boxes[there & kept],
        example.categories[there & kept],
        None if masks is None else masks[there & kept],
        np.concatenate([ignored[_area(ignored) > 0], boxes[there & ~kept & (left > 0)]]),
    )


def _within(boxes: np.ndarray, x: int, y: int, w: int, h: int) -> np.ndarray:
    moved = boxes - np.array([x, y] * 2, np.float32)
    return moved.clip(0, np.array([w, h] * 2, np.float32))


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _around(masks: np.ndarray) -> np.ndarray:
    """float32 [N, 4]: the box around each mask, none of them empty."""
    x0, x1 = _ends(np.any(masks, axis=1))
    y0, y1 = _ends(np.any(masks, axis=2))
    return np.stack([x0, y0, x1, y1], 1).astype(np.float32)


def _ends(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First place of each row of bool [N, L] that is true, and the first after the last."""
    return seen.argmax(1), seen.shape[1] - seen[:, ::-1].argmax(1)


def _recoloured(image: np.ndarray, draws: np.ndarray, settings: Augmentation) -> np.ndarray:
    """Brightness, contrast, saturation and hue as one affine map of (R, G, B)."""
    bright = 1 + draws[0] * settings.brightness
    contrast = 1 + draws[1] * settings.contrast
    saturation = 1 + draws[2] * settings.saturation
    turn = 2 * np.pi * draws[3] * settings.hue
    cos, sin = saturation * np.cos(turn), saturation * np.sin(turn)
    colours = np.linalg.inv(_YIQ) @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ _YIQ
    grey = float(np.dot(cv2.mean(image)[:3], _GREY))  # contrast grows about the mean grey
    whole = np.concatenate(
        [bright * contrast * colours, np.full((3, 1), bright * (1 - contrast) * grey)], 1
    )
    return cv2.transform(np.ascontiguousarray(image), whole)


def _blurred(image: np.ndarray, deviation: float) -> np.ndarray:
    return image if deviation < 0.2 else cv2.GaussianBlur(image, (0, 0), deviation)


def _noisy(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    if deviation == 0:
        return image
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(deviation)
    return (image + noise).round().clip(0, 255).astype(np.uint8)
