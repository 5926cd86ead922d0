"""Histograms with few pieces of any width, for values that no curve fits."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

_BINS = 64  # a piece is at least one of them wide
_MOST = 6  # pieces and gaps


def piecewise(x: np.ndarray) -> Iterator[list[tuple[float, float, int]]]:
    """Pieces (low, high, values in it) of the likeliest histograms of 2 to 6 parts, gaps left out.

    Exact by dynamic programming over 64 equal bins (Bayesian blocks: Scargle et al., 2013).
    """
    x = np.sort(x)
    edges = np.linspace(x[0], x[-1], _BINS + 1)
    below = np.searchsorted(x, edges)
    below[-1] = len(x)
    gain = _gain(below)
    best, came = gain[0], []
    for _ in range(_MOST - 1):
        total = best[:, None] + gain  # i, j: the last part goes from edge i to edge j
        came.append(total.argmax(0))
        best = total.max(0)
        cuts = [_BINS]
        for back in reversed(came):
            cuts.append(int(back[cuts[-1]]))
        yield _pieces(x, edges, below, [0, *reversed(cuts)])


def _gain(below: np.ndarray) -> np.ndarray:
    """float64 [B + 1, B + 1]: log-likelihood of the values in a part, a constant apart."""
    count = below[None, :] - below[:, None]
    bins = np.arange(_BINS + 1)
    width = bins[None, :] - bins[:, None]
    some = np.where((count > 0) & (width > 0), count, 1)
    gain = some * np.log(some / np.where(width > 0, width, 1))
    return np.where(width > 0, np.where(count > 0, gain, 0.0), -np.inf)


def _pieces(
    x: np.ndarray, edges: np.ndarray, below: np.ndarray, cuts: list[int]
) -> list[tuple[float, float, int]]:
    """The parts with values in them; beside a gap a piece ends where its values do."""
    spans = list(pairwise(cuts))
    counts = [int(below[b] - below[a]) for a, b in spans]
    found = []
    for k, ((a, b), count) in enumerate(zip(spans, counts, strict=True)):
        if count:
            gap_before = k > 0 and not counts[k - 1]
            gap_behind = k + 1 < len(counts) and not counts[k + 1]
            low = x[below[a]] if gap_before else edges[a]
            high = x[below[b] - 1] if gap_behind else edges[b]
            found.append((float(low), float(high), count))
    return found
