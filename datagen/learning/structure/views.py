"""Which features are compared together; see `rewards.View`."""

import math

from datagen.features.counts import Heads
from datagen.learning.structure.rewards import View

_TOTAL_SCALE = 2.0  # of the total among the other counts
_TOTAL_STD = 0.3  # of the kernel on the total alone, in things


def count_views(heads: Heads, regions: tuple[int, int] | None = None) -> tuple[View, ...]:
    """Views of a counting network's columns.

    All totals together, the number of all things twice as large as in a picture; that number
    alone, or rare high counts blur; for each row what its items hold, category by category; and
    for each category what is in each of the regions.
    """
    several = len(heads.names) > 1
    last = len(heads.names) - 1
    scales = (1.0,) * last + (_TOTAL_SCALE if several else 1.0,)
    views = [View(tuple(range(len(heads.names))), scales)]
    if several:
        views.append(View((last,), (1.0,), _TOTAL_STD))
    at = len(heads.names)
    for row in heads.rows:
        for _ in row.categories:
            views.append(View(tuple(range(at, at + row.items)), (1.0,) * row.items))
            at += row.items
    cells = math.prod(regions or (0,))
    for _ in range(heads.categories if cells else 0):
        views.append(View(tuple(range(at, at + cells)), (1.0,) * cells))
        at += cells
    return tuple(views)
