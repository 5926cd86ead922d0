"""The textures that materials name: grounds, walls and bays of facades."""

from functools import cache

import numpy as np

from .facade_textures import BAYS, bay
from .surfaces import SURFACES, tile


@cache
def texture(name: str) -> np.ndarray:
    """uint8 [256, 256, 4], its top row first; it joins itself on all sides.

    Alpha is the share of the piece's tint in the colour: all of it on walls, none in windows.
    """
    if name in BAYS:
        pixels = bay(name)
    else:
        pixels = np.dstack([tile(name), np.full(tile(name).shape[:2], 255.0)])
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


NAMES = (*SURFACES, *BAYS)
