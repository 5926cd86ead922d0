"""CMP Facades as shared in pairs: the photo on the left, its map in twelve colours on the right."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from datagen.dataset.targets import rgb
from datagen.errors import InputError
from datagen.reading.images import opened

_COLOURS: dict[str | None, tuple[int, int, int]] = {
    None: (0, 0, 222),  # what is not the facade
    "wall": (0, 48, 255),
    "window": (0, 128, 255),
    "door": (0, 208, 255),
    "cornice": (32, 255, 222),
    "sill": (112, 255, 143),
    "balcony": (191, 255, 64),
    "blind": (255, 240, 0),
    "decoration": (255, 160, 0),
    "moulding": (255, 80, 0),
    "pillar": (255, 0, 0),
    "shop": (175, 0, 0),
}
NAMES = tuple(_COLOURS)
# Of a distance in RGB, levels: colours are 33 apart and more, and JPEG moves those of edges.
_TOLERANCE = 16
_COARSE = 2  # low bits of a level that are not looked at
_SURE = 0.5  # share of a map's pixels that must be near a colour; by far fewer it is a photo


def values(file: Path) -> np.ndarray:
    """uint8 [h, w], indices into NAMES; pixels between two colours are as the nearest sure one."""
    nearest, sure = _judged(_halves(file)[1])
    if sure.mean() < _SURE:
        raise InputError(
            f"{file}: {1 - sure.mean():.0%} of its right half has none of the colours of Facades; "
            "give pairs with the photo on the left and its map on the right"
        )
    _, labels = cv2.distanceTransformWithLabels(
        (~sure).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    place = labels.astype(np.intp)
    found = np.zeros(int(place.max()) + 1, np.uint8)
    found[place[sure]] = nearest[sure]
    return found[place]


def photo(file: Path) -> np.ndarray:
    """uint8 [h, w, 3] RGB: the left half."""
    return _halves(file)[0]


def is_pair(file: Path) -> bool:
    """Is its right half a map in the colours of Facades?"""
    try:
        return bool(_judged(_halves(file)[1])[1].mean() >= _SURE)
    except InputError:
        return False


def _halves(file: Path) -> tuple[np.ndarray, np.ndarray]:
    with opened(file) as image:
        pixels = rgb(image)
    half, odd = divmod(pixels.shape[1], 2)
    if odd or half == 0:
        raise InputError(
            f"{file}: is {pixels.shape[1]} px wide, no pair of pictures of equal width; replace it"
        )
    return pixels[:, :half], pixels[:, half:]


def _judged(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [h, w]: the nearest colour; bool [h, w]: it is near enough to be sure."""
    nearest, sure = _table()
    r, g, b = np.moveaxis(pixels >> _COARSE, 2, 0)
    return nearest[r, g, b], sure[r, g, b]


@cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    """As of `_judged`, for every colour to its six high bits: [64, 64, 64]."""
    levels = (np.arange(256 >> _COARSE) + 0.5) * (1 << _COARSE) - 0.5
    colours = np.array(list(_COLOURS.values()), float)
    r, g, b = (np.square(levels[:, None] - colours[:, k]) for k in range(3))  # [64, 12] each
    far = r[:, None, None] + g[None, :, None] + b[None, None]
    return far.argmin(axis=3).astype(np.uint8), far.min(axis=3) <= _TOLERANCE**2
