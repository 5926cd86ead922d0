"""How well things are found by what is known exactly of them: hidden, cut off, far, crowded...

In a slice only its own things count. Detections matched to other things are neither right nor
wrong. Those matched to nothing belong to no slice, so they are false in every one; by height alone
they are sorted by their own. So a slice of few things has a low AP50 for that reason too:
`normalised` (Hoiem et al. 2012) is the AP50 that it had if all things were like its own, and can be
compared between slices and with the whole.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from datagen.labelled import Labelled, Thing
from datagen.scoring.coco import RECALLS
from datagen.scoring.matching import NOTHING, Matches

HEIGHT = "height"
EDGES: Mapping[str, tuple[float, ...]] = {  # of the slices; a last one that is finite is inside
    "visible_fraction": (0, 0.1, 0.4, 0.7, 0.95, 1),
    "occluded": (0, 1, 2, 3, 4),  # KITTI's, for those whose visible fraction nobody knows
    "truncation": (0, 0.001, 0.15, 0.3, 0.5, 1),
    "distance": (0, 10, 20, 30, 50, 80, math.inf),  # metres
    HEIGHT: (0, 16, 25, 40, 80, 160, math.inf),  # px of the box
    "crowding": (0, 1, 2, 3, 5, math.inf),  # other things whose boxes overlap this one's
    "things": (1, 2, 4, 7, 11, 21, math.inf),  # in the picture
}
_COUNTS = ("occluded", "crowding", "things")


@dataclass(frozen=True)
class Origin:
    """What in its scene's grammar made a thing."""

    symbol: str
    above: frozenset[str]  # symbols of the nodes above it
    rules: frozenset[int]  # by which it and the nodes above it were expanded


Origins = Sequence[Mapping[str, Origin]]  # of each picture: path of a node -> its origin


@dataclass(frozen=True)
class Slice:
    """Things alike in one factor. Measures are None where nothing can be measured."""

    factor: str
    label: str
    low: float | None  # low <= value < high; None: no number, or without end
    high: float | None
    things: int
    AP50: float | None
    normalised: float | None
    recall: float | None  # at the score of the best F1
    rule: int | None = None  # of the grammar, for the factor "rule"

    def to_json(self) -> dict[str, Any]:
        plain = dict(vars(self))
        if self.rule is None:
            del plain["rule"]
        return plain


def slices(
    matches: Matches,
    truth: Labelled,
    threshold: float,
    origins: Origins | None = None,
    rules: Mapping[int, str] | None = None,
) -> list[Slice]:
    """By every factor that is known of a thing; slices without a thing are left out.

    `rules`: number -> text of the grammar's rules that something was chosen against.
    """
    measured = _Measured(matches, threshold)
    made: list[Slice] = []
    for factor, values in factors(matches, truth).items():
        own = factor == HEIGHT
        for low, high in _pairs(EDGES[factor]):
            inside = _inside(values, low, high, EDGES[factor][-1])
            heights = _inside(matches.box[:, 3], low, high, math.inf) if own else None
            end = high if math.isfinite(high) else None
            label = _label(factor, low, high)
            made += measured.slice(inside, heights, factor=factor, label=label, low=low, high=end)
    for factor, label, rule, inside in _made_by(matches, origins or [], rules or {}):
        made += measured.slice(inside, None, factor=factor, label=label, rule=rule)
    return made


def average_precision(right: np.ndarray, things: int, weight: float = 1.0) -> float | None:
    """COCO's, of detections by falling score: mean of the precision at 101 recalls.

    `weight`: how many right ones each right one stands for.
    """
    if not things:
        return None
    hits = np.cumsum(right)
    precision = weight * hits / np.maximum(weight * hits + np.cumsum(~right), 1e-12)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(hits / things, RECALLS, side="left")
    return float(np.append(best, 0.0)[first].mean())


class _Measured:
    """Matches, ready to be sliced."""

    def __init__(self, matches: Matches, threshold: float) -> None:
        self.matches = matches
        self.found = matches.found(threshold)
        self.wanted = matches.wanted

    def slice(self, inside: np.ndarray, alarms: np.ndarray | None, **about: Any) -> Iterator[Slice]:
        """Of the targets `inside`, bool [G]; `alarms`, bool [N]: the unmatched that are false."""
        if not inside.any():
            return
        plain, normalised = [], []
        for category in np.unique(self.wanted[inside]).tolist():
            mine = self.wanted == category
            things, everything = int((inside & mine).sum()), int(mine.sum())
            right = self._right(inside, alarms, category)
            plain.append(average_precision(right, things))
            weight = 1.0 if alarms is not None else everything / things
            normalised.append(average_precision(right, things, weight))
        yield Slice(
            **{"low": None, "high": None, **about},
            things=int(inside.sum()),
            AP50=float(np.mean(plain)),
            normalised=float(np.mean(normalised)),
            recall=float(self.found[inside].mean()),
        )

    def _right(self, inside: np.ndarray, alarms: np.ndarray | None, category: int) -> np.ndarray:
        """Of the category's detections that count in the slice: which are right."""
        target = self.matches.target[self.matches.category == category]
        hits = np.append(inside, False)[np.maximum(target, -1)] & (target >= 0)
        false = target == NOTHING
        if alarms is not None:
            false &= alarms[self.matches.category == category]
        return hits[hits | false]


def factors(matches: Matches, truth: Labelled) -> dict[str, np.ndarray]:
    """Factor -> float64 [G], nan where it is not known; without those that nobody knows."""
    neighbours = [_neighbours(picture.things) for picture in truth.pictures]
    counts = [sum(t.counts for t in picture.things) for picture in truth.pictures]
    values: dict[str, list[float]] = {name: [] for name in EDGES}
    for one in matches.targets:
        facts = one.thing.facts
        for name in ("visible_fraction", "occluded", "truncation", "distance"):
            values[name].append(float(facts.get(name, math.nan)))
        values[HEIGHT].append(one.thing.box[3])
        values["crowding"].append(neighbours[one.picture][one.place])
        values["things"].append(counts[one.picture])
    columns = {name: np.array(column, np.float64) for name, column in values.items()}
    return {name: column for name, column in columns.items() if np.isfinite(column).any()}


def _neighbours(things: Sequence[Thing]) -> list[int]:
    """How many other things each one's box overlaps."""
    boxes = np.array([thing.box for thing in things], np.float64).reshape(-1, 4)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    over = (low[:, None] < high[None]) & (low[None] < high[:, None])  # [G, G, 2]
    real = np.array([thing.category >= 0 for thing in things], bool)
    both = over.all(axis=2) & real[None] & ~np.eye(len(things), dtype=bool)
    return both.sum(axis=1).tolist()


def _pairs(edges: Sequence[float]) -> Iterator[tuple[float, float]]:
    return pairwise(edges)


def _inside(values: np.ndarray, low: float, high: float, last: float) -> np.ndarray:
    return (values >= low) & ((values < high) | ((high == last) & (values == last)))


def _label(factor: str, low: float, high: float) -> str:
    if factor == "truncation" and high <= 0.15:
        return "0" if low == 0 else "0-0.15"
    if math.isinf(high):
        return f"{low:g}+"
    if factor in _COUNTS:
        return f"{low:g}" if high - low == 1 else f"{low:g}-{high - 1:g}"
    return f"{low:g}-{high:g}"


Group = tuple[str, str, int | None, Callable[[Origin], bool]]  # factor, label, rule, who is in it


def _made_by(
    matches: Matches, origins: Origins, rules: Mapping[int, str]
) -> Iterator[tuple[str, str, int | None, np.ndarray]]:
    """Factor, label, rule and things: by symbol, by a symbol above, by a rule on the way."""
    known = [_origin(one.picture, one.thing, origins) for one in matches.targets]
    some = [one for one in known if one is not None]
    groups: list[Group] = []
    for symbol in sorted({one.symbol for one in some}):
        groups.append(("symbol", symbol, None, lambda one, s=symbol: one.symbol == s))
    for symbol in sorted({name for one in some for name in one.above}):
        groups.append(("under", symbol, None, lambda one, s=symbol: s in one.above))
    for rule, text in rules.items():
        groups.append(("rule", text, rule, lambda one, r=rule: r in one.rules))
    for factor, label, rule, belongs in groups:
        inside = np.array([one is not None and belongs(one) for one in known], bool)
        # A symbol above or a rule that all have in common tells nothing.
        if inside.any() and (factor == "symbol" or not inside.all()):
            yield factor, label, rule, inside


def _origin(picture: int, thing: Thing, origins: Origins) -> Origin | None:
    path = thing.facts.get("path")
    return origins[picture].get(str(path)) if picture < len(origins) else None
