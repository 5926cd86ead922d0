"""One statistic of two sets: its value, how sure it is, and what it would be for equal laws."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from datagen.learning.gap.draws import Plan
from datagen.learning.gap.floor import NoiseFloor, floor_of
from datagen.learning.gap.statistics import Statistic

ALPHA = 0.05
_TWO_SIDED = 1.96  # standard errors of a 95 % interval


class Verdict(StrEnum):
    """What a reading says, in the words of the report."""

    WITHIN = "within the noise of the target"
    SMALL = "told apart, yet not above the noise floor"
    CLOSER = "closer than the prior, but outside the noise"
    AS_FAR = "outside the noise, and as far as the prior"
    OUTSIDE = "outside the noise"


@dataclass(frozen=True)
class Reading:
    """A statistic with its 95 % interval, its noise floor and its permutation test."""

    value: float
    error: float  # standard error
    floor: NoiseFloor
    p: float  # of a value as large, if both sets came from one law
    whole: float  # the statistic of all rows; `value`, unless it is biased by their number
    biased: bool  # never below 0, and above it for equal laws
    rows: tuple[int, int]  # in the subsets that `value` is for: generated, target

    @property
    def low(self) -> float:
        low = self.value - _TWO_SIDED * self.error
        return max(0.0, low) if self.biased else low

    @property
    def high(self) -> float:
        return self.value + _TWO_SIDED * self.error

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"low": self.low, "high": self.high, "rows": list(self.rows)}


def read(statistic: Statistic, plan: Plan, *, biased: bool) -> Reading:
    """A biased statistic is the mean over halves: its floor is measured on as many rows."""
    whole = float(statistic(plan.whole)[0])
    halves, shuffles = statistic(plan.halves), statistic(plan.shuffles)
    # Equal values must not differ by rounding: pictures that are all alike have p = 1.
    reached = shuffles >= whole - 1e-6 * max(abs(whole), float(np.abs(shuffles).max()))
    ours, theirs = plan.rows
    return Reading(
        value=float(halves.mean()) if biased else whole,
        error=float(halves.std(ddof=1)),
        floor=floor_of(statistic(plan.floor)),
        p=float(1 + reached.sum()) / (1 + len(shuffles)),
        whole=whole,
        biased=biased,
        rows=(ours // 2, theirs // 2) if biased else (ours, theirs),
    )


def verdict(reading: Reading, prior: Reading | None = None) -> Verdict:
    """`prior`: the same statistic of the prior's pictures against the same target."""
    if reading.p > ALPHA:
        return Verdict.WITHIN
    if reading.value <= reading.floor.high:
        return Verdict.SMALL
    if prior is None:
        return Verdict.OUTSIDE
    error = np.hypot(reading.error, prior.error)
    return Verdict.CLOSER if prior.value - reading.value > _TWO_SIDED * error else Verdict.AS_FAR
