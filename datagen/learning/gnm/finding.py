"""The things that GNM finds in a photo, in the photo's own pixels."""

from collections.abc import Iterator

import numpy as np

from datagen import rle
from datagen.dataset.targets import fitted, window
from datagen.labelled import Detections
from datagen.learning.gnm.objects import Found, infer
from datagen.models.gnm import Gnm


def found_in(model: Gnm, photo: np.ndarray, threshold: float | None = None) -> Detections:
    """What the model reads out of uint8 [H, W, 3] of any size, all of its one category.

    It looks at the middle of the photo, cut and resized as the photos were that it learned from;
    of the rest nothing is said. A pixel is of a thing from `threshold` on, as in the pictures that
    it makes. Things that it draws nowhere are left out.
    """
    height, width = photo.shape[:2]
    canvas = model.sizes.canvas
    part = window(width, height, canvas)
    (read,) = infer(model, fitted(photo, canvas)[None], threshold, [part])
    things = sorted(_drawn(read, part, height, width), key=lambda thing: -thing[0])
    masks = tuple(mask for _, mask in things)
    return Detections(
        rle.boxes(masks).astype(np.float32),
        np.array([score for score, _ in things], np.float32),
        np.zeros(len(things), np.int32),
        masks,
    )


def _drawn(
    read: Found, part: tuple[int, int, int, int], height: int, width: int
) -> Iterator[tuple[float, rle.RLE]]:
    """Score and mask of what shows in a part (left, top, width, height) of the photo."""
    left, top, across, down = part
    seen = np.s_[top : top + down, left : left + across]
    for shape, score in zip(read.shapes, read.scores.tolist(), strict=True):
        if shape is None:
            continue
        mask = np.zeros((height, width), bool)  # one at a time: photos are large
        mask[seen] = shape.inside(height, width)[seen]
        if mask.any():
            yield score, rle.encode(mask)
