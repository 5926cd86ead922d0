"""Does a generator draw an object where, and only where, it says? Told by taking objects away.

Ehrhardt et al., "RELATE" (2020), section A1.1: each object is toggled, and the place where the
picture changes most is set against the place that the model names. That distance alone says little
(a model that draws everything into its background has about 0.2 of the width, by chance); the other
measures say whether one object, the whole object and nothing else comes and goes. They are ours.

All take arrays: `changes` float [N, K, H, W] is how much each pixel of picture n changes when its
object k is taken away, in any unit; places are x, y in px from the top left corner, the middle of
the first pixel being (0.5, 0.5). What is nan, such as an absent object's place, is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from datagen.errors import InputError

_MOST_PAIRED = 7  # objects: all their orders are tried


def places_of(changes: np.ndarray) -> np.ndarray:
    """float [N, K, 2]: the place of the largest change; nan where nothing changes."""
    count, objects, _, width = _of_four(changes).shape
    flat = changes.reshape(count, objects, -1)
    at = flat.argmax(2)
    places = np.stack([at % width + 0.5, at // width + 0.5], 2)
    return np.where(flat.max(2)[..., None] > 0, places, np.nan)


@dataclass(frozen=True)
class PlaceError:
    """Median distances between places seen and told, as shares of the picture's width."""

    median: float
    corrected: float  # each object's constant offset taken away: what training cannot see
    offsets: tuple[tuple[float, float], ...]  # of each object, seen less told, shares of the width
    toggles: int  # that changed something


def place_error(seen: np.ndarray, told: np.ndarray, width: int) -> PlaceError:
    """Of places [N, K, 2] in px, seen in pictures of that width and told by the model.

    The median over all toggles is the paper's disentanglement distance. An object's offset is the
    median of its differences; it must not be estimated and reported on fewer than some 100 toggles.
    """
    if seen.shape != told.shape or seen.ndim != 3 or seen.shape[2] != 2:
        raise InputError(
            f"place_error: places {list(seen.shape)} and {list(told.shape)}; give [N, K, 2] twice"
        )
    away = (seen - told) / width
    known = ~np.isnan(away).any(2)
    if not known.any(0).all():
        raise InputError("place_error: an object is never seen; leave it out, and say so")
    offsets = np.nanmedian(away, axis=0)
    distances = [np.linalg.norm(d, axis=2)[known] for d in (away, away - offsets)]
    plain, corrected = (float(np.median(d)) for d in distances)
    pairs = tuple((float(x), float(y)) for x, y in offsets)
    return PlaceError(plain, corrected, pairs, int(known.sum()))


def clean_toggles(before: np.ndarray, after: np.ndarray) -> float:
    """Share of toggles that take exactly one thing out of a picture and leave all others.

    bool [N, B] which of B things that can be told apart are seen in a picture, and bool [N, K, B]
    which still are without its object k. 0 for a model that draws objects into its background; a
    picture in which nothing is seen to begin with counts against it.
    """
    if before.ndim != 2 or after.ndim != 3 or (len(before), before.shape[1]) != after.shape[::2]:
        raise InputError(
            f"clean_toggles: {list(before.shape)} and {list(after.shape)}; give [N, B], [N, K, B]"
        )
    gone = before[:, None] & ~after
    come = after & ~before[:, None]
    return float(((gone.sum(2) == 1) & ~come.any(2)).mean())


@dataclass(frozen=True)
class Agreement:
    """How well masks by toggling are those of the things themselves; means over all of them."""

    mask_iou: float
    box_iou: float
    good_boxes: float  # share of a box IoU of 0.75 and more
    pairing: tuple[int, ...]  # the thing that each object draws, in most pictures


def agreement(masks: np.ndarray, truth: np.ndarray) -> Agreement:
    """Of masks bool [N, K, H, W] of a model's objects with those of K things in the same pictures.

    An object draws the same thing in all pictures, and which one is not known: of all ways to pair
    them, the best is taken. A thing without pixels, whose mask has some, counts as 0.
    """
    _of_four(masks)
    if masks.shape != truth.shape or masks.shape[1] > _MOST_PAIRED:
        raise InputError(
            f"agreement: masks {list(masks.shape)} and {list(truth.shape)}; give [N, K, H, W] "
            f"twice, with K up to {_MOST_PAIRED}"
        )
    objects = range(masks.shape[1])
    overlap = np.array(
        [[mask_iou(masks[:, k], truth[:, j]).mean() for j in objects] for k in objects]
    )
    best = max(permutations(objects), key=lambda order: overlap[objects, order].sum())
    boxes = np.stack([box_iou(masks[:, k], truth[:, j]) for k, j in enumerate(best)])
    mask = float(overlap[objects, best].mean())
    return Agreement(mask, float(boxes.mean()), float((boxes >= 0.75).mean()), tuple(best))


def mask_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """float [N]: of masks bool [N, H, W]; 1 where both are empty."""
    union = (a | b).sum((1, 2))
    return np.where(union > 0, (a & b).sum((1, 2)) / np.maximum(union, 1), 1.0)


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """float [N]: of the tight boxes around masks bool [N, H, W]; 1 where both are empty."""
    p, q = _boxes(a), _boxes(b)
    low, high = np.maximum(p[:, :2], q[:, :2]), np.minimum(p[:, 2:], q[:, 2:])
    both = np.maximum(high - low, 0).prod(1)
    union = _area(p) + _area(q) - both
    return np.where(union > 0, both / np.maximum(union, 1), 1.0)


def _boxes(masks: np.ndarray) -> np.ndarray:
    """int [N, 4]: left, top, right, bottom, the last two not included; all 0 for an empty mask."""
    ends = []
    for axis in (1, 2):  # columns, rows
        seen = np.asarray(masks.any(axis))
        size = masks.shape[3 - axis]
        ends.append((seen.argmax(1), size - seen[:, ::-1].argmax(1)))
    (left, right), (top, bottom) = ends
    return np.stack([left, top, right, bottom], 1) * np.asarray(masks.any((1, 2)))[:, None]


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2]).prod(1)


@dataclass(frozen=True)
class Overlap:
    """How often two things of a picture are nearer than they may be."""

    share: float  # of pairs
    shuffled: float  # the same with the second thing out of another picture: no interaction
    pairs: int

    @property
    def ratio(self) -> float:
        """0: as things that never overlap; 1: as things that know nothing of each other."""
        return self.share / self.shuffled if self.shuffled else float("nan")


def overlap(places: np.ndarray, least: float, shifts: Sequence[int] = (1, 2, 3, 5, 8)) -> Overlap:
    """Of places [N, K, 2] in px, with the distance that things keep at least.

    Shuffled, the places of either thing are as before: so the ratio is not made small by things
    that spread out more. Pictures are shifted against one another by each of `shifts`.
    """
    count, things = places.shape[:2]
    if places.ndim != 3 or things < 2 or count <= max(shifts):
        raise InputError(
            f"overlap: places {list(places.shape)}; give [N, K, 2] of 2 things and more, in more "
            f"than {max(shifts)} pictures"
        )
    pairs = [(i, j) for j in range(things) for i in range(j)]
    near = np.concatenate([_near(places[:, i], places[:, j], least) for i, j in pairs])
    mixed = np.concatenate(
        [_near(places[:, i], np.roll(places[:, j], s, 0), least) for i, j in pairs for s in shifts]
    )
    if len(near) == 0:
        raise InputError("overlap: no picture has two things in known places")
    return Overlap(float(near.mean()), float(mixed.mean()), len(near))


def _near(a: np.ndarray, b: np.ndarray, least: float) -> np.ndarray:
    """Of pairs of known places."""
    distances = np.linalg.norm(a - b, axis=1)
    return distances[~np.isnan(distances)] < least


def _of_four(array: np.ndarray) -> np.ndarray:
    if array.ndim != 4 or 0 in array.shape:
        raise InputError(f"disentanglement: an array of {list(array.shape)}; give [N, K, H, W]")
    return array
