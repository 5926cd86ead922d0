"""How sure the numbers of a learned grammar are: what `diff` and `written` show beside them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Interval(NamedTuple):
    """An estimate between its bounds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Intervals:
    """Intervals of a grammar's numbers; what is absent has none.

    Means and spreads of attributes are in the attribute's own unit; those of an angle that may
    turn all the way round are circular, and its bounds may pass the ends of its range.
    """

    rules: Mapping[int, Interval] = field(default_factory=dict)  # rule's index -> probability
    counts: Mapping[str, Interval] = field(default_factory=dict)  # repetition -> mean count
    shares: Mapping[str, Mapping[int, Interval]] = field(default_factory=dict)  # of each count
    means: Mapping[tuple[str, str], Interval] = field(default_factory=dict)  # symbol, attribute
    spreads: Mapping[tuple[str, str], Interval] = field(default_factory=dict)  # one std


def bracketed(interval: Interval | None, decimals: int) -> str:
    """` [low, high]` with a space before it, or nothing."""
    if interval is None:
        return ""
    return f" [{interval.low:.{decimals}f}, {interval.high:.{decimals}f}]"


def moments_text(mean: Interval, spread: Interval) -> str:
    """Mean and spread with their intervals, in as many decimals as the spread makes sensible."""
    decimals = decimals_of(spread.value)
    return (
        f"mean {mean.value:.{decimals}f}{bracketed(mean, decimals)}, "
        f"spread {spread.value:.{decimals}f}{bracketed(spread, decimals)}"
    )


def decimals_of(scale: float) -> int:
    """Decimals that show a number of this size with three digits; at most 9."""
    return min(max(2 - math.floor(math.log10(scale)), 0), 9) if scale > 0 else 4
