"""The rule of the re-weighting: how many times as often a training set should hold something.

A detector learns most from one more thing of a kind where (things of the kind that it misses in the
city) / (things of the kind that it was trained on) is largest: if its error on the kind falls like
n^-c, one more brings c times this ratio. The best division has the same ratio for all kinds: the
share of a kind in the training set is its share of all that is missed. Moving there takes a factor
(share of what is missed / share of what is made) to the power 1 / (1 + c).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datagen.advising.amounts import CUTS, SYMBOL, Key
from datagen.advising.evaluations import Slice
from datagen.errors import InputError

LEAST = 30  # things; the recall of fewer has a standard error of 9 points and more
MOST = 3.0  # times as many, at most
FALL = 0.5  # c, the exponent with which a detector's error is taken to fall

_NOT_THERE = {
    "symbol": "the recipe's grammar has no symbol of this name",
    "under": "the recipe's grammar has no symbol of this name",
    "rule": "the recipe's grammar has no such rule",
}


@dataclass(frozen=True)
class Wish:
    """One slice of the city. `made`, `factor` and shares are None where `why` says so."""

    key: Key
    things: int  # in the evaluated pictures
    missed: float  # of these, those that the detector does not find
    made: float | None = None  # by a scene of the recipe, on average
    share_missed: float | None = None  # of all that is missed and can be made
    share_made: float | None = None
    factor: float | None = None  # 1 to MOST: how many times as many there should be
    why: str = ""  # it is not used


def wishes(slices: Sequence[Slice], made: Mapping[Key, float], strength: float) -> list[Wish]:
    """A wish for each slice by symbol or rule, symbols first, what is missed most first.

    `made`: what a scene of the recipe holds on average. InputError where no symbol can be used.
    """
    found = [_seen(one, made) for one in slices if one.factor in CUTS and one.things > 0]
    symbols = [one for one in found if one.key.factor == SYMBOL]
    used = [one for one in symbols if not one.why]
    if not used:
        told = "; ".join(sorted({f"{one.key.label}: {one.why}" for one in symbols}))
        raise InputError(
            f"no symbol's slice can be used ({told or 'none has things'}); evaluate on more "
            "pictures, or give the recipe of the detector's training data with --recipe"
        )
    missed, total = sum(one.missed for one in used), sum(one.made or 0.0 for one in used)
    found.sort(key=lambda one: (CUTS.index(one.key.factor), -one.missed, one.key.label))
    return [one if one.why else _wished(one, missed, total, strength) for one in found]


def _seen(one: Slice, made: Mapping[Key, float]) -> Wish:
    key = Key(one.factor, one.label)
    missed = 0.0 if one.recall is None else one.things * (1 - one.recall)
    why = ""
    if key not in made:
        why = _NOT_THERE[one.factor]
    elif made[key] <= 0:
        why = "the recipe's grammar never makes it"
    elif one.recall is None:
        why = "its recall was not measured"
    elif one.things < LEAST:
        why = f"fewer than {LEAST} things: its recall is mostly noise"
    return Wish(key, one.things, missed, made.get(key), why=why)


def _wished(one: Wish, missed: float, total: float, strength: float) -> Wish:
    assert one.made is not None
    share_missed = one.missed / missed if missed > 0 else 0.0
    share_made = one.made / total
    factor = 1.0
    if share_missed > 0:
        # Never less than now: what is found well is to stay so.
        ratio = share_missed / share_made
        factor = min(MOST, max(1.0, ratio ** (strength / (1 + FALL))))
    return Wish(one.key, one.things, one.missed, one.made, share_missed, share_made, factor)
