"""What learning may change: the range of a mutable attribute."""

import math

from lark import Token

from datagen.distributions import Distribution, is_continuous, largest, mean_of, smallest
from datagen.grammar import TURN, Mutable
from datagen.language.laws import number
from datagen.language.source import Source
from datagen.language.syntax import Bounds, MutableMark


def natural_range(distribution: Distribution, unit: str) -> Mutable | None:
    """What a bare `mutable` means: an angle's whole turn, else the prior's support; None: open."""
    if unit in TURN:
        return Mutable(-TURN[unit] / 2, TURN[unit] / 2)
    low, high = smallest(distribution), largest(distribution)
    return Mutable(low, high) if math.isfinite(low) and math.isfinite(high) else None


def mutable_range(
    source: Source, key: Token, mark: MutableMark, distribution: Distribution, unit: str
) -> Mutable:
    """The range behind `mutable`, or the natural one; the prior must fit it."""
    if not is_continuous(distribution):
        raise source.error(
            mark.word,
            f"`{key}` has no continuous law, so it cannot be mutable",
            "write a normal, a uniform, or a mix of them",
        )
    if mark.bounds is not None:
        return _given(source, key, mark.bounds, distribution, unit)
    found = natural_range(distribution, unit)
    if found is None:
        raise source.error(
            mark.word,
            f"`{key}` has no bounds that learning could keep to",
            "write its range, such as `mutable [0, 64]`",
        )
    return found


def _given(
    source: Source, key: Token, bounds: Bounds, distribution: Distribution, unit: str
) -> Mutable:
    low, high = (number(source, token) for token in (bounds.low, bounds.high))
    if not low < high:
        raise source.error(
            bounds.low, f"low {low:g} must be below high {high:g}", "correct one of them"
        )
    turn = TURN.get(unit, math.inf)
    if high - low > turn * (1 + 1e-9):
        raise source.error(
            bounds.low, "this range is more than a whole turn", f"stay within {turn:g} {unit}"
        )
    mean = mean_of(distribution)
    if not (low <= mean <= high or (mean - low) % turn <= high - low):
        raise source.error(
            bounds.low,
            f"the prior's mean {mean:g} lies outside the range of `{key}`",
            "widen the range, or move the prior",
        )
    return Mutable(low, high)
