"""Learned numbers as people write them: few digits, and shares that still add up to 1."""

import math
from collections.abc import Sequence

_DECIMALS = 4  # of a probability in a file that people read and edit


def shares(counts: Sequence[int]) -> list[float]:
    """Relative frequencies with few decimals that add up to 1 all the same."""
    units, total = 10**_DECIMALS, sum(counts)
    whole, rest = zip(*(divmod(count * units, total) for count in counts), strict=True)
    # The units that rounding down leaves over go to those who lost most by it.
    losers = sorted(range(len(counts)), key=rest.__getitem__, reverse=True)
    rounded_up = set(losers[: units - sum(whole)])
    return [(n + (k in rounded_up)) / units for k, n in enumerate(whole)]


def rounded(x: float, scale: float, digits: int = 4) -> float:
    """x in steps that show `scale`, the size of what varies, with so many digits."""
    return round(float(x), places(scale, digits)) + 0.0  # no -0.0


def places(scale: float, digits: int = 4) -> int:
    """Decimals (negative: tens and more) that show a number of this size with so many digits."""
    return digits - 1 - math.floor(math.log10(scale))
