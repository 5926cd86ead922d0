"""Structure accuracy: the share of pictures with what the data's rules ask for, where they ask it.

Jiang and Ahn ("Generative Neurosymbolic Machines", 2020) had people judge 250 samples; here rules
judge any number. Digits are read by a classifier. Nothing is asked of the model that made them, so
any generators of pictures can be compared. Set the value of real pictures, which the classifier
bounds, beside every reading. The Arrow room is judged by labels.

Lengths are for pictures of 64 px a side and grow with them. Ink is what is brighter than 0.3;
specks of fewer than 6 px do not count.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, permutations

import cv2
import numpy as np

from datagen.errors import InputError
from datagen.frame import Box3D
from datagen.labels import Annotation
from datagen.metrics.digits import CROP, INK, Box, crop, grey

SIDE = 64  # px: the side of the pictures that lengths are told for
SPECK = 6  # px of area
SLACK = (0.6, 1.27)  # of a digit's usual longer side
TOLERANCE = 3.0  # px that a digit may stand away from its mirrored place
SURE = 0.8  # probability of its digit, for the strict accuracy
# Degrees that an arrow may turn away from what it points at. Things of the Arrow room fill about 13
# to either side, as seen from it.
TURN = 15.0
ARROW, SHAPES = "arrow", ("sphere", "cube", "cylinder")

# Crops float32 [M, 20, 20] -> probabilities float32 [M, 10].
Read = Callable[[np.ndarray], np.ndarray]
_CLOCKWISE = ((0, 0), (1, 0), (1, 1), (0, 1))  # quarters: column, row


@dataclass(frozen=True)
class Structure:
    """Shares of pictures; each reading by itself, and all at once."""

    accuracy: float  # all three below
    error: float  # standard error of the accuracy
    strict: float  # right, and the classifier is sure of every digit
    found: float  # as many digits, or things, as there should be; digits of the right size
    placed: float  # where they should be
    read: float  # those that they should be
    # px from mirrored places, of the worst digit of a picture, or degrees from the odd thing to
    # where the arrow points; mean. nan: no such rule.
    deviation: float
    coverage: tuple[float, ...]  # of the right pictures, the share of each arrangement
    pictures: int


@dataclass(frozen=True)
class _Judged:
    """One picture."""

    found: bool = False
    placed: bool = False
    read: bool = False
    sure: bool = False
    deviation: float = float("nan")
    arrangement: int = 0

    @property
    def right(self) -> bool:
        return self.found and self.placed and self.read


def mnist_4(images: np.ndarray, read: Read) -> Structure:
    """Four digits n, n + 1, n + 2, n + 3, clockwise from the top left, mirrored about the middle.

    One digit a quarter; |x| and |y| of the four differ from their means by 3 px at most. Images are
    uint8 [N, S, S, 3] or [N, S, S]. Coverage is that of n, from 0 to 6.
    """
    return _summary(_judged(images, read, _FOUR), 7)


def mnist_10(images: np.ndarray, read: Read) -> Structure:
    """Each digit once: 0, 1 across from 8, 9, and 2, 3, 4 across from 5, 6, 7.

    0 and 1 are at the top left or at the bottom right, 2, 3 and 4 at the top right or at the bottom
    left. Anywhere in its quarter a digit is in its place. Coverage is that of the four ways.
    """
    return _summary(_judged(images, read, _TEN), 4)


def mnist_4_10(images: np.ndarray, read: Read) -> Structure:
    """Right as the one, with digits as small as the other's, or as the other.

    Coverage is that of n, then that of the four ways.
    """
    four, ten = (_judged(images, read, rule) for rule in (_SMALL_FOUR, _TEN))
    either = [
        _moved(b, 7) if (b.right, b.found) > (a.right, a.found) else a
        for a, b in zip(four, ten, strict=True)
    ]
    return _summary(either, 11)


def arrow_room(pictures: Sequence[Sequence[Annotation]]) -> Structure:
    """Three things, and an arrow that points at the one whose shape differs from the other two's.

    Of each picture its labels, with boxes in space, such as `labels.annotate` gives of frames of
    the world `arrow_room`; the categories are those of this world. The arrow points at the thing
    that is the least aside from its heading, over the floor, and by 15 degrees at most. Labels are
    sure, so the strict accuracy is the other one. Coverage is that of the shapes of the odd one and
    the two: first a sphere and cubes, then a sphere and cylinders, a cube and spheres, and so on.
    """
    return _summary([_pointed(one) for one in pictures], len(_ODD_AND_TWO))


# ------------------------------------------------------------------------------------------- rules


@dataclass(frozen=True)
class _Rule:
    """How many digits each quarter has, clockwise, how long they are, what they must be."""

    counts: tuple[int, int, int, int]
    longest: float  # px
    # Digits of each quarter, sorted -> the arrangement that they are; None: none.
    arrangement: Callable[[Sequence[tuple[int, ...]]], int | None]
    mirrored: bool


def _four(quarters: Sequence[tuple[int, ...]]) -> int | None:
    (first,) = quarters[0]
    if first <= 6 and [q[0] for q in quarters] == [first + k for k in range(4)]:
        return first
    return None


def _ten(quarters: Sequence[tuple[int, ...]]) -> int | None:
    low, high = (0, 1), (8, 9)
    left, right = (2, 3, 4), (5, 6, 7)
    ways: list[tuple[tuple[int, ...], ...]] = [(low, left, high, right), (low, right, high, left),
            (high, left, low, right), (high, right, low, left)]  # fmt: skip
    return ways.index(tuple(quarters)) if tuple(quarters) in ways else None


_FOUR = _Rule((1, 1, 1, 1), 15.0, _four, mirrored=True)
_SMALL_FOUR = replace(_FOUR, longest=10.7)
_TEN = _Rule((2, 3, 2, 3), 10.7, _ten, mirrored=False)


# ---------------------------------------------------------------------------------- the Arrow room

_ODD_AND_TWO = tuple(permutations(SHAPES, 2))


def _pointed(labelled: Sequence[Annotation]) -> _Judged:
    arrows = [_box(one) for one in labelled if one.category == ARROW]
    things = [(_shape(one), _box(one)) for one in labelled if one.category != ARROW]
    if len(arrows) != 1 or len(things) != 3:
        return _Judged()
    counts = Counter(shape for shape, _ in things)
    if len(counts) != 2:
        return _Judged(found=True)
    (two, _), (odd, _) = counts.most_common()
    asides = [(_aside(arrows[0], box), shape) for shape, box in things]
    (deviation,) = (aside for aside, shape in asides if shape == odd)
    return _Judged(
        found=True,
        placed=deviation == min(asides)[0] and deviation <= TURN,
        read=True,
        sure=True,
        deviation=deviation,
        arrangement=_ODD_AND_TWO.index((odd, two)),
    )


def _shape(thing: Annotation) -> str:
    if thing.category not in SHAPES:
        raise InputError(
            f"structure: a thing of category {thing.category} is none of the Arrow room's; give "
            f"labels of {', '.join(SHAPES)} and {ARROW}"
        )
    return thing.category


def _box(thing: Annotation) -> Box3D:
    if thing.box3d is None:
        raise InputError(
            "structure: where an arrow points is told by boxes in space (box3d), and these labels "
            "have none; give those of pictures that `mesh` has drawn"
        )
    return thing.box3d


def _aside(arrow: Box3D, thing: Box3D) -> float:
    """Degrees from where the arrow points to where the thing is, on the level."""
    x, z = (thing.centre[k] - arrow.centre[k] for k in (0, 2))
    return abs(math.degrees(math.remainder(math.atan2(-z, x) - arrow.rotation_y, math.tau)))


# ------------------------------------------------------------------------------------------ judging


def _judged(images: np.ndarray, read: Read, rule: _Rule) -> list[_Judged]:
    shown = grey(images)
    side = shown.shape[1]
    if shown.shape[1] != shown.shape[2] or side < SIDE // 2 or side % 2:
        raise InputError(f"structure: pictures of {shown.shape[2]} x {side} px; give square ones")
    boxes = [_boxes(picture, rule, side / SIDE) for picture in shown]
    crops = [crop(p, b) for p, found in zip(shown, boxes, strict=True) for b in found or ()]
    said = read(np.array(crops, np.float32).reshape(-1, CROP, CROP))
    at, judged = 0, []
    for found in boxes:
        judged.append(_judge(found, said[at : at + len(found or ())], rule, side))
        at += len(found or ())
    return judged


def _judge(boxes: list[Box] | None, said: np.ndarray, rule: _Rule, side: int) -> _Judged:
    if boxes is None:
        return _Judged()
    digits, ends = said.argmax(1), np.cumsum((0, *rule.counts))
    quarters = [tuple(sorted(digits[a:b].tolist())) for a, b in pairwise(ends)]
    arrangement = rule.arrangement(quarters)
    deviation = _deviation(boxes, side) * SIDE / side if rule.mirrored else float("nan")
    return _Judged(
        found=True,
        placed=not deviation > TOLERANCE,
        read=arrangement is not None,
        sure=bool(said.max(1).min() > SURE),
        deviation=deviation,
        arrangement=arrangement or 0,
    )


def _deviation(boxes: list[Box], side: int) -> float:
    """How far the worst digit stands from where the mean of |x| and |y| would have it, px."""
    at = np.array([((a + c) / 2 - side / 2, (b + d) / 2 - side / 2) for a, b, c, d in boxes])
    away = np.abs(at)
    return float(np.abs(away - away.mean(0)).max())


def _boxes(picture: np.ndarray, rule: _Rule, scale: float) -> list[Box] | None:
    """The digits' boxes, quarter by quarter clockwise; None: there are too few, or of odd sizes."""
    half = len(picture) // 2
    found: list[Box] = []
    for (column, row), count in zip(_CLOCKWISE, rule.counts, strict=True):
        x, y = column * half, row * half
        pieces = _pieces(picture[y : y + half, x : x + half] > INK, SPECK * scale * scale)
        boxes = _united(pieces, count)
        found += [(a + x, b + y, c + x, d + y) for a, b, c, d in boxes]
        low, high = (rule.longest * scale * slack for slack in SLACK)
        if len(boxes) != count or not all(low <= max(c - a, d - b) <= high for a, b, c, d in boxes):
            return None
    return found


def _pieces(ink: np.ndarray, speck: float) -> list[Box]:
    """Boxes of connected ink, specks left out."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    return [(x, y, x + w, y + h) for x, y, w, h, area in stats[1:].tolist() if area >= speck]


def _united(boxes: list[Box], count: int) -> list[Box]:
    """A digit may be in pieces: the nearest two are joined until there are as many as should be."""
    left = list(boxes)
    while len(left) > count:
        pairs = [(_gap(a, b), i, j) for j, b in enumerate(left) for i, a in enumerate(left[:j])]
        _, i, j = min(pairs)
        a, b = left.pop(j), left.pop(i)
        left.append((min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])))
    return left


def _gap(a: Box, b: Box) -> float:
    across = max(a[0], b[0]) - min(a[2], b[2])
    along = max(a[1], b[1]) - min(a[3], b[3])
    return float(np.hypot(max(across, 0), max(along, 0)))


# ---------------------------------------------------------------------------------------- summaries


def _moved(judged: _Judged, arrangements: int) -> _Judged:
    rest = {name: getattr(judged, name) for name in ("found", "placed", "read", "sure")}
    return _Judged(**rest, arrangement=judged.arrangement + arrangements)


def _summary(judged: Sequence[_Judged], arrangements: int) -> Structure:
    if not judged:
        raise InputError("structure: no pictures")
    share = lambda of: float(np.mean([of(one) for one in judged]))  # noqa: E731
    accuracy = share(lambda one: one.right)
    right = [one.arrangement for one in judged if one.right]
    counts = np.bincount(right, minlength=arrangements) / max(1, len(right))
    away = [one.deviation for one in judged if one.deviation == one.deviation]
    return Structure(
        accuracy=accuracy,
        error=float(np.sqrt(accuracy * (1 - accuracy) / len(judged))),
        strict=share(lambda one: one.right and one.sure),
        found=share(lambda one: one.found),
        placed=share(lambda one: one.found and one.placed),
        read=share(lambda one: one.found and one.read),
        deviation=float(np.mean(away)) if away else float("nan"),
        coverage=tuple(counts.tolist()),
        pictures=len(judged),
    )
