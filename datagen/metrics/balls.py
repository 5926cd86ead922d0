"""Which pictures of balls in a bowl are as the world `balls_in_bowl` makes them, by colour alone.

Pixels are given to the nearest colour of the world; nothing is asked of the model that made them.
A valid picture is no proof of disentanglement: a model that draws the balls into its background has
valid pictures, too (see `disentanglement`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np

from datagen.errors import InputError

TABLE, BOWL, RED, BLUE = (40, 40, 40), (200, 200, 200), (220, 50, 40), (40, 60, 220)
AREA = (0.5, 1.7)  # of a ball's own: what is smaller or larger is none
STRAY = 0.3  # of a ball's area: pixels that may lie apart from the rest of it
NEAREST = 0.9  # of the diameter: balls whose middles are nearer overlap
INWARD = 0.4  # of the radius that the middle of a ball lies inside the bowl's hull, at least


@dataclass(frozen=True)
class Balls:
    """What is seen in N pictures."""

    seen: np.ndarray  # bool [N, B]: is the ball there, whole and alone?
    places: np.ndarray  # float [N, B, 2]: its middle, x, y in px; nan where it is not seen
    masks: np.ndarray  # bool [N, B, H, W]: the largest piece of its colour
    inside: np.ndarray  # bool [N, B]: is it seen, and in the bowl?
    pieces: np.ndarray  # int [N, B]: how many of its colour have about a ball's size
    stray: np.ndarray  # bool [N, B]: is more of its colour than a ball may lose in no such piece?


@dataclass(frozen=True)
class Validity:
    """Shares of pictures."""

    visible: float  # all balls are seen
    apart: float  # and none is on another
    inside: float  # all balls are seen, in the bowl
    valid: float  # all of this


def find_balls(
    images: np.ndarray,
    radius: float,
    *,
    balls: Sequence[tuple[int, int, int]] = (RED, BLUE),
    others: Sequence[tuple[int, int, int]] = (TABLE, BOWL),
) -> Balls:
    """In pictures uint8 [N, H, W, 3] of balls with a radius in px.

    The last of `others` is the bowl's colour. A ball lies in the bowl when its middle lies inside
    the convex hull of that colour by 0.4 radii: a ball that touches the rim covers some of it.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise InputError(
            f"balls: pictures are {images.dtype} {list(images.shape)}; give uint8 [N, H, W, 3]"
        )
    palette = np.array([*others, *balls], float)
    found = [_in_one(image, palette, len(others), radius) for image in images]
    return Balls(*(np.stack(part) for part in zip(*found, strict=True)))


def validity(found: Balls, radius: float) -> Validity:
    """Of pictures of balls with a radius in px."""
    visible = found.seen.all(1)
    apart = visible.copy()
    for i, j in combinations(range(found.places.shape[1]), 2):
        gaps = np.linalg.norm(found.places[:, i] - found.places[:, j], axis=1)
        apart &= gaps >= 2 * NEAREST * radius
    inside = visible & found.inside.all(1)
    return Validity(*(float(one.mean()) for one in (visible, apart, inside, apart & inside)))


def _in_one(
    image: np.ndarray, palette: np.ndarray, others: int, radius: float
) -> tuple[np.ndarray, ...]:
    nearest = np.square(image[:, :, None] - palette).sum(3).argmin(2)
    found = [_of_colour(nearest == k, radius) for k in range(others, len(palette))]
    places, masks, pieces, stray = (np.stack(part) for part in zip(*found, strict=True))
    hull = _hull(nearest == others - 1)
    depth = [-np.inf if np.isnan(p).any() else _depth(hull, p) for p in places]
    inside = np.array(depth) >= INWARD * radius
    return np.isfinite(places[:, 0]), places, masks, inside, pieces, stray


def _of_colour(mask: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray, int, bool]:
    """The middle, x, y in px, nan unless all is one ball; the rest as in `Balls`."""
    count, labels, stats, middles = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    if count == 1:
        return np.full(2, np.nan), mask, 0, False
    areas, own = stats[1:, cv2.CC_STAT_AREA], np.pi * radius * radius
    low, high = (share * own for share in AREA)
    fits = (areas >= low) & (areas <= high)
    pieces, stray = int(fits.sum()), bool(areas[~fits].sum() > STRAY * own)
    one = low <= areas.sum() <= high and areas.max() >= (1 - STRAY) * areas.sum()
    largest = 1 + areas.argmax()
    return middles[largest] + 0.5 if one else np.full(2, np.nan), labels == largest, pieces, stray


def _hull(mask: np.ndarray) -> np.ndarray | None:
    """The convex hull of the largest piece, for OpenCV; None where there is nothing."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if len(stats) == 1:
        return None
    largest = 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
    return cv2.convexHull(np.argwhere(labels == largest)[:, ::-1].astype(np.float32) + 0.5)


def _depth(hull: np.ndarray | None, place: np.ndarray) -> float:
    """How far inside the hull a place is, px; below 0 outside."""
    if hull is None:
        return -np.inf
    return cv2.pointPolygonTest(hull, place.tolist(), measureDist=True)
