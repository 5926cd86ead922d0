"""Which detection found which thing, at an IoU of 0.5 and by COCO's rules; boxes or masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from pycocotools import mask as coco_mask

from datagen.labelled import ANY, Detections, Labelled, Picture, Thing
from datagen.scoring.coco import MOST

IOU = 0.5
NOTHING = -1  # found where nothing is: wrong
LET_PASS = -2  # neither right nor wrong: on what is ignored, or beyond the 100 surest


@dataclass(frozen=True)
class Target:
    """A thing that counts, and where it is."""

    picture: int
    place: int  # in the picture's things
    thing: Thing


@dataclass(frozen=True, eq=False)
class Matches:
    """All detections of a dataset, the surest first, and all G things that count."""

    categories: tuple[str, ...]
    targets: tuple[Target, ...]  # [G]
    score: np.ndarray  # float64 [N], falling
    category: np.ndarray  # intp [N]
    picture: np.ndarray  # intp [N]
    box: np.ndarray  # float64 [N, 4], x, y, width, height, px
    target: np.ndarray  # intp [N], row of `targets`, NOTHING or LET_PASS

    @property
    def wanted(self) -> np.ndarray:
        """Category of each target: intp [G]."""
        return np.array([one.thing.category for one in self.targets], np.intp)

    def found(self, threshold: float) -> np.ndarray:
        """Bool [G]: by a detection as sure as this or surer."""
        found = np.zeros(len(self.targets), bool)
        found[self.target[(self.target >= 0) & (self.score >= threshold)]] = True
        return found


def match(truth: Labelled, found: Sequence[Detections]) -> Matches:
    """Boxes matched once for all: what counts in which slice is decided afterwards.

    The surer detection chooses first, its own category's best thing that is left.
    """
    targets: list[Target] = []
    columns: dict[str, list[np.ndarray]] = {
        name: [] for name in ("score", "category", "picture", "box", "target")
    }
    for number, (picture, one) in enumerate(zip(truth.pictures, found, strict=True)):
        rows = np.full(len(picture.things), LET_PASS)  # thing -> its row among the targets
        for place, thing in enumerate(picture.things):
            if thing.counts:
                rows[place] = len(targets)
                targets.append(Target(number, place, thing))
        matched = match_picture(picture, one)
        columns["target"].append(np.where(matched >= 0, _taken(rows, matched), matched))
        columns["score"].append(one.scores.astype(np.float64))
        columns["category"].append(one.categories.astype(np.intp))
        columns["picture"].append(np.full(len(matched), number))
        columns["box"].append(one.boxes.astype(np.float64).reshape(-1, 4))
    joined = {name: _joined(name, parts) for name, parts in columns.items()}
    order = np.argsort(-joined["score"], kind="stable")
    sorted_columns = {name: column[order] for name, column in joined.items()}
    return Matches(truth.categories, tuple(targets), **sorted_columns)


def match_picture(picture: Picture, found: Detections) -> np.ndarray:
    """intp [N]: place of the thing that each detection found, NOTHING, or LET_PASS.

    A thing that is ignored can be found often, and keeps its place here.
    """
    matched = np.full(len(found.scores), LET_PASS, np.intp)
    for category in np.unique(found.categories).tolist():
        mine = np.flatnonzero(found.categories == category)
        mine = mine[np.argsort(-found.scores[mine], kind="stable")][: MOST[-1]]
        places = [k for k, t in enumerate(picture.things) if t.category in (category, ANY)]
        places.sort(key=lambda k: not picture.things[k].counts)  # what counts comes first
        things = [picture.things[k] for k in places]
        chosen = choose(
            overlaps(found.boxes[mine], things), np.array([not t.counts for t in things], bool)
        )
        matched[mine] = np.where(chosen >= 0, _taken(np.array(places, np.intp), chosen), NOTHING)
    return matched


def overlaps(boxes: np.ndarray, things: Sequence[Thing]) -> np.ndarray:
    """[N, G] IoU of boxes; with what is ignored the share of the detection that lies in it."""
    if not len(boxes) or not things:
        return np.zeros((len(boxes), len(things)))
    theirs = np.array([thing.box for thing in things], np.float64)
    crowds = [int(not thing.counts) for thing in things]
    return np.asarray(coco_mask.iou(cast(Any, boxes.astype(np.float64)), cast(Any, theirs), crowds))


def choose(shares: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """intp [N]: the column that each row gets, rows in order; -1: none of at least IOU is left.

    What is ignored, and stands last, is chosen only where nothing else is left, by many rows.
    """
    counted = int((~ignored).sum())
    chosen = np.full(len(shares), -1, np.intp)
    free = np.ones(counted, bool)
    for row in np.flatnonzero((shares >= IOU).any(axis=1)).tolist():
        mine, others = np.where(free, shares[row, :counted], 0.0), shares[row, counted:]
        if (mine >= IOU).any():
            chosen[row] = _last_best(mine)
            free[chosen[row]] = False
        elif (others >= IOU).any():
            chosen[row] = counted + _last_best(others)
    return chosen


def _last_best(values: np.ndarray) -> int:
    """COCO takes the last of several that are equal."""
    return len(values) - 1 - int(np.argmax(values[::-1]))


def _taken(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """values[places], with anything where a place is negative."""
    if not len(values):
        return np.zeros(len(places), np.intp)
    return values[np.maximum(places, 0)]


def _joined(name: str, parts: Sequence[np.ndarray]) -> np.ndarray:
    if parts:
        return np.concatenate(parts)
    if name == "box":
        return np.zeros((0, 4))
    return np.zeros(0, np.float64 if name == "score" else np.intp)
