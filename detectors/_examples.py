"""Labelled pictures as a network sees them: resized pixels, boxes by corners, masks as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from datagen import rle
from datagen.labelled import Picture, Thing
from datagen.reading import load_image

_CACHE = 1 << 30  # bytes of pictures that stay decoded


@dataclass(frozen=True)
class Example:
    """One picture and its labels, all in the same pixels."""

    image: np.ndarray  # uint8 [H, W, 3] RGB
    boxes: np.ndarray  # float32 [N, 4], x0, y0, x1, y1
    categories: np.ndarray  # int64 [N]
    masks: np.ndarray | None  # uint8 [N, H, W], 0 and 1
    ignored: np.ndarray  # float32 [M, 4], as boxes


class Album:
    """The pictures of a training, decoded and resized once where memory allows."""

    def __init__(self, pictures: Sequence[Picture], side: int | None, *, masks: bool) -> None:
        self._pictures, self._side, self._masks = pictures, side, masks
        self._kept: dict[int, np.ndarray] = {}
        self._room = _CACHE

    def __len__(self) -> int:
        return len(self._pictures)

    def example(self, k: int) -> Example:
        """Picture `k` with all its labels."""
        picture = self._pictures[k]
        image = self._image(k)
        height, width = image.shape[:2]
        scale = np.array([width / picture.width, height / picture.height] * 2, np.float32)
        things = [t for t in picture.things if t.counts]
        found = _boxes(things, scale, width, height)
        seen = _has_area(found)
        things = [t for t, is_seen in zip(things, seen, strict=True) if is_seen]
        ignored = _boxes([t for t in picture.things if not t.counts], scale, width, height)
        return Example(
            image,
            found[seen],
            np.array([t.category for t in things], np.int64),
            _masks(things, width, height) if self._masks else None,
            ignored[_has_area(ignored)],
        )

    def _image(self, k: int) -> np.ndarray:
        if k in self._kept:
            return self._kept[k]
        image = resized(load_image(self._pictures[k]), self._side)
        # The first to come stay: each epoch wants all pictures, and would push out the oldest.
        if image.nbytes <= self._room:
            self._kept[k] = image
            self._room -= image.nbytes
        return image


def resized(image: np.ndarray, side: int | None) -> np.ndarray:
    """uint8 [H, W, 3] with its shorter side `side` px long; None: as it is."""
    height, width = image.shape[:2]
    if side is None or side == min(height, width):
        return image
    scale = side / min(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Averaged over areas when made smaller: lines between the pixels would else be lost.
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _boxes(things: Sequence[Thing], scale: np.ndarray, width: int, height: int) -> np.ndarray:
    """float32 [N, 4] by corners, clipped to the picture."""
    box = np.array([t.box for t in things], np.float32).reshape(-1, 4)
    corners = np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], 1) * scale
    return corners.clip(0, np.array([width, height] * 2, np.float32))


def _has_area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


def _masks(things: Sequence[Thing], width: int, height: int) -> np.ndarray:
    """uint8 [N, H, W]; a mask too thin for the smaller picture may come out empty."""
    masks = np.zeros((len(things), height, width), np.uint8)
    found = rle.decode([t.mask for t in things if t.mask is not None]) if things else masks
    assert len(found) == len(things), "all have masks"
    for mask, columns in zip(masks, found, strict=True):  # columns: COCO's order, [W, H]
        if columns.shape == (width, height):
            mask[:] = columns.T
        else:
            mask[:] = cv2.resize(columns.T * np.uint8(255), (width, height)) > 127
    return masks
