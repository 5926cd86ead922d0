"""Which modes of appearance a renderer shows, how often, and whether a code keeps its style.

All from a table `assigned`, int [layouts, codes]: the mode of the picture that a code gives on a
layout, counted from 0, or -1 where it is none of them. Codes are the same for all layouts.
"""

from dataclasses import dataclass

import numpy as np

from datagen.errors import InputError
from datagen.learning.gap import total_variation

NONE = -1


@dataclass(frozen=True)
class Recall:
    """The share of modes that n codes show on a layout; means over layouts and sets of codes."""

    mean: float
    spread: float  # standard deviation over the sets of codes; nan for one set
    by_mode: tuple[float, ...]  # share of layouts and sets that show the mode
    codes: int  # n
    sets: int  # disjoint


@dataclass(frozen=True)
class Shares:
    """How often each mode comes, and how far that is from the truth."""

    by_mode: tuple[float, ...]
    none: float  # share of pictures that are of no mode
    variation: float  # total variation to the truth; `none` counts as error


@dataclass(frozen=True)
class Consistency:
    """How often a code gives its own most frequent mode.

    A renderer with one mode has 1, and one whose codes mean nothing the share of its most frequent
    mode, or somewhat more: read it beside recall and shares.
    """

    mean: float  # over all pictures
    valid: float  # over those that are of a mode; nan where none is


def recall(assigned: np.ndarray, modes: int, codes: int) -> Recall:
    """Mode recall at `codes` codes, over as many disjoint sets of them as there are."""
    _check(assigned, modes)
    sets = assigned.shape[1] // codes if codes > 0 else 0
    if sets == 0:
        raise InputError(f"recall at {codes} of {assigned.shape[1]} codes; give 1 to all of them")
    grouped = assigned[:, : sets * codes].reshape(len(assigned), sets, codes)
    shown = np.stack([(grouped == mode).any(2) for mode in range(modes)], 2)  # layouts, sets, modes
    by_set = shown.mean((0, 2))
    spread = float(by_set.std(ddof=1)) if sets > 1 else float("nan")
    by_mode = tuple(shown.mean((0, 1)).tolist())
    return Recall(float(by_set.mean()), spread, by_mode, codes, sets)


def recall_of_truth(truth: np.ndarray, codes: int) -> float:
    """What a renderer that follows the true shares [modes] is expected to reach: the fair ceiling.

    More is reached only by showing rare modes too often.
    """
    return float((1 - (1 - truth) ** codes).mean())


def shares(assigned: np.ndarray, truth: np.ndarray) -> Shares:
    """`truth`: the modes' true shares [modes]."""
    _check(assigned, len(truth))
    counts = np.array([(assigned == mode).sum() for mode in (*range(len(truth)), NONE)])
    *by_mode, none = (counts / assigned.size).tolist()
    return Shares(tuple(by_mode), none, total_variation(counts, truth))


def consistency(assigned: np.ndarray, modes: int) -> Consistency:
    """Style consistency; needs several layouts."""
    _check(assigned, modes)
    if len(assigned) < 2:
        raise InputError("style consistency compares layouts; give at least 2")
    kept = np.stack([(assigned == mode).sum(0) for mode in range(modes)]).max(0).sum()
    valid = (assigned != NONE).sum()
    return Consistency(float(kept / assigned.size), float(kept / valid) if valid else float("nan"))


def _check(assigned: np.ndarray, modes: int) -> None:
    if assigned.ndim != 2 or assigned.size == 0 or assigned.dtype.kind not in "iu":
        raise InputError(
            f"modes are {assigned.dtype} {list(assigned.shape)}; "
            "give whole numbers [layouts, codes]"
        )
    low, high = int(assigned.min()), int(assigned.max())
    if low < NONE or high >= modes:
        raise InputError(f"modes from {low} to {high}; give -1 for none, or 0 to {modes - 1}")
