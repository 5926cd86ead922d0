"""Pictures of where a detector fails: the worst ones, easy things that it misses, and what it is
surest of."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from datagen.detecting.sides import Sides
from datagen.labelled import Box
from datagen.reading import load_image
from datagen.report.crops import Crop, crop_sheet
from datagen.scoring.matching import NOTHING, Matches

SHOWN, COLUMNS = 24, 6  # cut-outs of each
PICTURES, WIDE = 6, 3  # whole pictures, and how many beside each other
WORST, MISSES, ALARMS = "worst", "misses", "alarms"


@dataclass(frozen=True)
class Failures:
    """Sheets, uint8 [H, W, 3] RGB, and their titles, by name; none of what does not happen."""

    sheets: Mapping[str, np.ndarray]
    titles: Mapping[str, str]


def failures(sides: Sides, matches: Matches, threshold: float) -> Failures:
    """Errors and misses are those at the score `threshold`; alarms are the surest at any."""
    missed = [_Shown(*_of_target(matches, k)) for k in _easiest(matches, threshold)]
    alarms = [_Shown(*_of_alarm(matches, k)) for k in _surest(matches)]
    crops = {
        WORST: worst_pictures(sides, matches, threshold),
        MISSES: _crops(sides, matches, threshold, missed),
        ALARMS: _crops(sides, matches, threshold, alarms),
    }
    sheets = {
        name: crop_sheet(some, WIDE if name == WORST else COLUMNS)
        for name, some in crops.items()
        if some
    }
    titles = {
        WORST: "Pictures with the most errors; what is missed or a false alarm is thick",
        MISSES: "Missed things that show most, by category in turn",
        ALARMS: "Surest detections of what is not there, with their scores",
    }
    return Failures(sheets, {name: titles[name] for name in sheets})


def worst_pictures(sides: Sides, matches: Matches, threshold: float) -> list[Crop]:
    """Whole pictures, those with the most errors first; none without."""
    missed = [matches.targets[k] for k in np.flatnonzero(~matches.found(threshold))]
    sure = matches.score >= threshold
    wrong = np.flatnonzero(sure & (matches.target == NOTHING))
    of_missed = Counter(target.picture for target in missed)
    of_wrong = Counter(matches.picture[wrong].tolist())
    return [
        Crop(
            image=load_image(sides.truth.pictures[number]),
            about=None,
            caption=f"{of_missed[number]} missed, {of_wrong[number]} false",
            labels=[t.box for t in sides.truth.pictures[number].things],
            detections=[
                _box(matches.box[k]) for k in np.flatnonzero(sure & (matches.picture == number))
            ],
            thick={t.thing.box for t in missed if t.picture == number}
            | {_box(matches.box[k]) for k in wrong if matches.picture[k] == number},
        )
        for number, _ in (of_missed + of_wrong).most_common(PICTURES)
    ]


@dataclass(frozen=True)
class _Shown:
    picture: int
    box: Box
    caption: str


def _easiest(matches: Matches, threshold: float) -> list[int]:
    """Targets that are missed: of each category in turn the one that shows most."""
    missed = np.flatnonzero(~matches.found(threshold)).tolist()
    missed.sort(key=lambda k: -_ease(matches, k))
    ranks: Counter[int] = Counter()
    turns: list[tuple[int, int]] = []
    for k in missed:
        category = matches.targets[k].thing.category
        turns.append((ranks[category], k))
        ranks[category] += 1
    turns.sort(key=lambda turn: turn[0])
    return [k for _, k in turns[:SHOWN]]


def _ease(matches: Matches, k: int) -> float:
    """Pixels that show, times the share of it that they are."""
    thing = matches.targets[k].thing
    return thing.area * float(thing.facts.get("visible_fraction", 1.0))


def _surest(matches: Matches) -> list[int]:
    return np.flatnonzero(matches.target == NOTHING)[:SHOWN].tolist()


def _of_target(matches: Matches, k: int) -> tuple[int, Box, str]:
    target = matches.targets[k]
    name = matches.categories[target.thing.category]
    visible = target.thing.facts.get("visible_fraction")
    told = "" if visible is None else f", {int(100 * float(visible))} % visible"
    return target.picture, target.thing.box, f"{name}{told}"


def _of_alarm(matches: Matches, k: int) -> tuple[int, Box, str]:
    name = matches.categories[int(matches.category[k])]
    return int(matches.picture[k]), _box(matches.box[k]), f"{name}, {matches.score[k]:.2f}"


def _crops(sides: Sides, matches: Matches, threshold: float, shown: Sequence[_Shown]) -> list[Crop]:
    images = {
        number: load_image(sides.truth.pictures[number])
        for number in {one.picture for one in shown}
    }
    return [
        Crop(
            image=images[one.picture],
            about=one.box,
            caption=one.caption,
            labels=[t.box for t in sides.truth.pictures[one.picture].things],
            detections=_around(matches, threshold, one),
            thick={one.box},
        )
        for one in shown
    ]


def _around(matches: Matches, threshold: float, one: _Shown) -> list[Box]:
    """What is found in the picture for sure, and the detection itself."""
    rows = np.flatnonzero((matches.picture == one.picture) & (matches.score >= threshold))
    boxes = [_box(matches.box[k]) for k in rows]
    mine = (matches.picture == one.picture) & (matches.box == one.box).all(axis=1)
    return boxes if one.box in boxes or not mine.any() else [*boxes, one.box]


def _box(values: np.ndarray) -> Box:
    x, y, w, h = values.tolist()
    return x, y, w, h
