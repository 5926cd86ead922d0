"""KITTI's object benchmark in the image: average precision of the easy, moderate and hard things.

Written from the benchmark's definition (Geiger et al. 2012; 40 recalls: Simonelli et al. 2019).
A thing counts when it is as high, as visible and as whole as the difficulty asks. All others of
its category are ignored, as are those of the neighbouring category, and detections lower than
that height. Detections that are over by the IoU's share in a region without labels (DontCare, or a
crowd) are ignored, too. For each score the things choose in the labels' order: each gets the
detection that overlaps it most, above the IoU, of those that are left.

The development kit reads the precision at 41 scores that it samples from those of the right
detections, so that with less than some hundred things the higher recalls stay empty, and a perfect
detector of 20 things has an AP of 0.475. Here every score is read, and precision at a recall is
the best of those that reach it; of some hundred things and more the two are about a point apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datagen.dataset.export.to_kitti import occluded
from datagen.labelled import ANY, Detections, Labelled, Picture, Thing

NEIGHBOURS = {"car": "van", "pedestrian": "person_sitting"}
OFFICIAL = {"car": 0.7, "van": 0.7, "truck": 0.7}  # least IoU; of all others 0.5
LOOSE = 0.5
Recalls = Literal["R40", "R11"]
POINTS: Mapping[Recalls, np.ndarray] = {
    "R40": np.arange(1, 41) / 40,
    "R11": np.arange(0, 11) / 10,
}


@dataclass(frozen=True)
class Difficulty:
    """What of the things counts."""

    height: float  # least, px
    occluded: int  # most, 0 to 3
    truncation: float  # most


DIFFICULTIES = {
    "easy": Difficulty(40, 0, 0.15),
    "moderate": Difficulty(25, 1, 0.3),
    "hard": Difficulty(25, 2, 0.5),
}
Table = dict[str, dict[str, float | None]]  # category -> difficulty -> AP


def kitti(
    truth: Labelled, found: Sequence[Detections], *, official: bool = False
) -> dict[Recalls, Table]:
    """AP of each category and difficulty, 0 to 1; None where nothing counts.

    IoUs above 0.5 count; `official`: above 0.7 for cars, vans and trucks. Detections' categories
    are numbers of the truth's.
    """
    tables: dict[Recalls, Table] = {"R40": {}, "R11": {}}
    for number, name in enumerate(truth.categories):
        least = OFFICIAL.get(name.lower(), LOOSE) if official else LOOSE
        curves = {
            key: precision_recall(truth, found, number, difficulty, least)
            for key, difficulty in DIFFICULTIES.items()
        }
        for recalls, points in POINTS.items():
            tables[recalls][name] = {k: _mean(curve, points) for k, curve in curves.items()}
    return tables


def is_judged(truth: Labelled) -> bool:
    """Is it known of every thing how much of it is hidden, so that difficulties can be told?"""
    things = [t for one in truth.pictures for t in one.things if t.counts]
    known = ("occluded", "visible_fraction")
    return bool(things) and all(any(name in t.facts for name in known) for t in things)


def occlusion(thing: Thing) -> int:
    """KITTI's 0 to 3, from the label or, for ours, by the rule of `datagen export`."""
    if "occluded" in thing.facts:
        return int(thing.facts["occluded"])
    measured = {"amodal_area": 1.0, "area": thing.facts.get("visible_fraction", 1.0)}
    return occluded({**measured, "truncation": thing.facts.get("truncation", 0.0)})


def precision_recall(
    truth: Labelled,
    found: Sequence[Detections],
    category: int,
    difficulty: Difficulty,
    least: float,
) -> np.ndarray | None:
    """float64 [n, 2]: recall and precision at every score, highest first; None: nothing counts."""
    sides = [
        _side(truth, picture, one, category, difficulty, least)
        for picture, one in zip(truth.pictures, found, strict=True)
    ]
    things = sum(int(side.counts.sum()) for side in sides)
    if not things:
        return None
    right, wrong = 0, 0
    points: list[tuple[float, float]] = []
    rows = [(-s, k, d) for k, side in enumerate(sides) for d, s in enumerate(side.scores.tolist())]
    rows.sort()
    states = [(0, 0)] * len(sides)
    for place, (score, k, d) in enumerate(rows):
        # One more detection changes its own picture only.
        before, states[k] = states[k], sides[k].counted(d + 1)
        right, wrong = right + states[k][0] - before[0], wrong + states[k][1] - before[1]
        is_last = place + 1 == len(rows) or rows[place + 1][0] != score
        if is_last and right + wrong:
            points.append((right / things, right / (right + wrong)))
    return np.array(points).reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class _Side:
    """One picture: D detections of the category, the surest first, and G things that can match."""

    scores: np.ndarray  # [D], falling
    shares: np.ndarray  # [D, G] IoU
    counts: np.ndarray  # bool [G]; others are ignored
    low: np.ndarray  # bool [D], lower than the difficulty's things
    pardoned: np.ndarray  # bool [D], lies in a region without labels
    least: float

    def counted(self, surest: int) -> tuple[int, int]:
        """(right, wrong) among this many of the surest."""
        free = np.ones(surest, bool)
        right = 0
        for thing in range(len(self.counts)):
            near = free & (self.shares[:surest, thing] > self.least)
            preferred = near & ~self.low[:surest]
            if preferred.any():
                chosen = int(np.argmax(np.where(preferred, self.shares[:surest, thing], -1.0)))
                right += int(self.counts[thing])
            elif near.any():
                chosen = int(np.argmax(near))
            else:
                continue
            free[chosen] = False
        return right, int((free & ~self.low[:surest] & ~self.pardoned[:surest]).sum())


def _side(
    truth: Labelled,
    picture: Picture,
    found: Detections,
    category: int,
    difficulty: Difficulty,
    least: float,
) -> _Side:
    mine = np.flatnonzero(found.categories == category)
    mine = mine[np.argsort(-found.scores[mine], kind="stable")]
    boxes = _corners(found.boxes[mine])
    neighbour = NEIGHBOURS.get(truth.categories[category].lower())
    regions = [t for t in picture.things if not t.counts and t.category in (ANY, category)]
    asked = {k for k, n in enumerate(truth.categories) if k == category or n.lower() == neighbour}
    things = [t for t in picture.things if t.counts and t.category in asked]
    counts = [t.category == category and _is_counted(t, difficulty) for t in things]
    union, _ = _overlaps(boxes, things)
    _, inside = _overlaps(boxes, regions)
    return _Side(
        scores=found.scores[mine].astype(np.float64),
        shares=union,
        counts=np.array(counts, bool),
        low=boxes[:, 3] - boxes[:, 1] < difficulty.height,
        pardoned=np.any(inside > least, axis=1).reshape(-1),
        least=least,
    )


def _is_counted(thing: Thing, difficulty: Difficulty) -> bool:
    return (
        thing.box[3] - 1 >= difficulty.height
        and occlusion(thing) <= difficulty.occluded
        and float(thing.facts.get("truncation", 0.0)) <= difficulty.truncation
    )


def _corners(boxes: np.ndarray) -> np.ndarray:
    """x, y, width, height -> KITTI's left, top, right, bottom: centres of the outermost pixels."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + np.maximum(boxes[:, 2:] - 1, 0)], axis=1)


def _overlaps(boxes: np.ndarray, things: Sequence[Thing]) -> tuple[np.ndarray, np.ndarray]:
    """[D, G]: intersection over union, and over the detection's own area."""
    theirs = _corners(np.array([thing.box for thing in things]))
    low = np.maximum(boxes[:, None, :2], theirs[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], theirs[None, :, 2:])
    both = np.maximum(high - low, 0).prod(axis=2)
    mine = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)[:, None]
    other = (theirs[:, 2:] - theirs[:, :2]).prod(axis=1)[None]
    return both / np.maximum(mine + other - both, 1e-12), both / np.maximum(mine, 1e-12)


def _mean(curve: np.ndarray | None, points: np.ndarray) -> float | None:
    """Mean over the recalls of the best precision that reaches each."""
    if curve is None:
        return None
    reached = curve[None, :, 0] >= points[:, None] - 1e-12  # [points, n]
    best = np.max(np.where(reached, curve[None, :, 1], 0.0), axis=1, initial=0.0)
    return float(best.mean())
