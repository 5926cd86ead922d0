"""A label's exact mask, whatever form it is stored in."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from datagen import rle
from datagen.dataset.export.selection import Item
from datagen.errors import InputError


def exact(item: Item) -> list[tuple[Mapping[str, Any], rle.RLE]]:
    """Every label of an image beside its mask."""
    height, width = item.image["height"], item.image["width"]
    stored = [one.get("segmentation") for one in item.annotations]
    pairs = []
    for one, mask in zip(
        item.annotations, rle.of_segmentations(stored, height, width), strict=True
    ):
        if isinstance(mask, InputError):
            raise InputError(f"image {item.image['id']}, annotation {one.get('id')}: {mask}")
        pairs.append((one, mask))
    return pairs


def pixels(masks: Sequence[rle.RLE]) -> np.ndarray:
    """bool [n, H, W] of an image's masks; n >= 1."""
    return rle.decode(masks).transpose(0, 2, 1).astype(bool)
