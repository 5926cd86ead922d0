"""MNIST-4: four digits n, n + 1, n + 2, n + 3, clockwise, in mirrored places of 64 x 64 px.

The data set of Jiang and Ahn (2020), rebuilt from its published samples, at half its size.
"""

import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from datagen.rng import Stream, rng_for

SIDE, PATCH, LONGEST = 64, 16, 15  # px: a picture, a digit's square, the longer side of its ink
NEAREST, FURTHEST = 9, 23  # px of a digit's centre from the picture's, each way
HELD_OUT = 10_000  # of MNIST's training digits, from the end: no network sees them in training
# Clockwise from the top left, as x and y away from the middle.
CORNERS = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])


@dataclass(frozen=True)
class Digits:
    """uint8 [N, 16, 16], ink centred, and what each one is."""

    patches: np.ndarray
    labels: np.ndarray

    def split(self) -> tuple["Digits", "Digits"]:
        """What is learned from, what is tested on."""
        k = len(self.labels) - HELD_OUT
        first, last = (Digits(self.patches[p], self.labels[p]) for p in (slice(k), slice(k, None)))
        return first, last


@dataclass(frozen=True)
class Scenes:
    """Pictures and what is in them."""

    pictures: np.ndarray  # uint8 [N, 64, 64, 3], read-only
    squares: np.ndarray  # int [N, 4, 4] px: left, top, right, bottom of the 16 px patches
    boxes: np.ndarray  # likewise, of the ink
    labels: np.ndarray  # int [N, 4]


@cache
def digits(folder: Path) -> Digits:
    """All digits of the folder's train-images-idx3-ubyte.gz, brought to size."""
    images = np.frombuffer(_unpacked(folder / "train-images-idx3-ubyte.gz"), np.uint8, offset=16)
    labels = np.frombuffer(_unpacked(folder / "train-labels-idx1-ubyte.gz"), np.uint8, offset=8)
    patches = np.stack([_centred(image) for image in images.reshape(-1, 28, 28)])
    return Digits(patches, labels.astype(np.int64))


def _unpacked(path: Path) -> bytes:
    with gzip.open(path) as file:
        return file.read()


def _centred(image: np.ndarray) -> np.ndarray:
    left, top, right, bottom = ink_box(image > 0)
    ink = image[top:bottom, left:right]
    scale = LONGEST / max(ink.shape)
    h, w = (max(1, round(side * scale)) for side in ink.shape)
    small = cv2.resize(ink, (w, h), interpolation=cv2.INTER_AREA)
    patch = np.zeros((PATCH, PATCH), np.uint8)
    y, x = (PATCH - h) // 2, (PATCH - w) // 2
    patch[y : y + h, x : x + w] = small
    return patch


def ink_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is set; the last two just beyond it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def scenes(known: Digits, seed: int, count: int) -> Scenes:
    """`count` pictures; no two of their digits overlap."""
    rng = rng_for(seed, 0, Stream.PICTURES)
    by_class = [np.flatnonzero(known.labels == d) for d in range(10)]
    first = rng.integers(7, size=count)
    away = rng.integers(NEAREST, FURTHEST + 1, size=(count, 2))
    labels = first[:, None] + np.arange(4)
    chosen = rng.random((count, 4))
    grey = np.zeros((count, SIDE, SIDE), np.uint8)
    squares = np.zeros((count, 4, 4), np.int64)
    boxes = np.zeros((count, 4, 4), np.int64)
    for k in range(count):
        for corner in range(4):
            members = by_class[labels[k, corner]]
            patch = known.patches[members[int(chosen[k, corner] * len(members))]]
            x, y = (SIDE // 2 + CORNERS[corner] * away[k] - PATCH // 2).tolist()
            grey[k, y : y + PATCH, x : x + PATCH] = patch
            squares[k, corner] = x, y, x + PATCH, y + PATCH
            boxes[k, corner] = np.add((x, y, x, y), ink_box(patch > 0))
    # A view: three equal channels of one.
    pictures = np.broadcast_to(grey[..., None], (*grey.shape, 3))
    return Scenes(pictures, squares, boxes, labels)
