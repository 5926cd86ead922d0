"""Style diversity: how differently the things of one class look, as pixel distances of pairs."""

from dataclasses import dataclass

import numpy as np

from datagen.errors import InputError
from datagen.metrics.pairs import random_pairs

PAIRS = 1000  # of a class


@dataclass(frozen=True)
class StyleDiversity:
    """Mean pixel distance within classes, 0 where each class has one prototype.

    Divide by the value of real things: below 1 a generator draws prototypes; above 1 it draws
    noise, or things that the classes were wrongly told of.
    """

    mean: float  # over the classes, each as much as any
    by_class: tuple[float, ...]  # nan for a class of fewer than two things
    things: tuple[int, ...]  # of each class


def style_diversity(
    crops: np.ndarray, classes: np.ndarray, rng: np.random.Generator, pairs: int = PAIRS
) -> StyleDiversity:
    """Of things of one size, [N, ...] in any unit, with classes int [N] from 0 on.

    The distance of a pair is the root of the mean squared difference of its numbers. Crops of
    digits (`digits.crops_of`) leave out where a thing stands and how large it is, which are no
    style.
    """
    if len(crops) != len(classes) or len(crops) == 0 or classes.min() < 0:
        raise InputError(
            f"style: {len(crops)} things, {len(classes)} classes from 0 on; give [N] each"
        )
    rows = crops.reshape(len(crops), -1).astype(np.float64)
    of = [rows[classes == k] for k in range(int(classes.max()) + 1)]
    found = [_spread(one, rng, pairs) if len(one) > 1 else float("nan") for one in of]
    if np.isnan(found).all():
        raise InputError("style: no class has two things to compare")
    return StyleDiversity(float(np.nanmean(found)), tuple(found), tuple(map(len, of)))


def _spread(rows: np.ndarray, rng: np.random.Generator, pairs: int) -> float:
    a, b = random_pairs(len(rows), pairs, rng).T
    return float(np.sqrt(np.square(rows[a] - rows[b]).mean(1)).mean())
