"""Angles: where to cut the circle open, and its means and spreads (Mardia and Jupp, 2000, ch. 2).

All angles are in one unit of which `turn` makes a whole turn.
"""

import math

import numpy as np

from datagen.grammar import TURN, Attribute

_SECTORS = 72
_BLUR = 3.0  # sectors; a cut shall not lie in a chance gap


def free_turn(attribute: Attribute) -> float:
    """The whole turn of an angle that may turn all the way round; 0 for all other attributes."""
    span = attribute.mutable
    turn = TURN.get(attribute.unit, 0.0)
    return turn if span is not None and span.high - span.low >= turn * (1 - 1e-9) else 0.0


def unrolled(x: np.ndarray, turn: float) -> np.ndarray:
    """The angles on a line (float64 [n]), the circle cut open where the fewest are."""
    cut = _emptiest(x, turn)
    return cut + (x - cut) % turn


def near(x: float, low: float, turn: float) -> float:
    """The same angle in [low, low + turn)."""
    return low + (x - low) % turn


def mean(x: np.ndarray, low: float, turn: float) -> float:
    """The angles' circular mean, in [low, low + turn)."""
    angles = x * (2 * math.pi / turn)
    middle, _ = moments(np.cos(angles).mean(), np.sin(angles).mean(), turn)
    return near(float(middle), low, turn)


def moments(
    cosines: np.ndarray | float, sines: np.ndarray | float, turn: float
) -> tuple[np.ndarray, np.ndarray]:
    """Circular mean and standard deviation from the mean cosines and sines of samples.

    The deviation is sqrt(-2 ln R), R the mean resultant length: that of the wrapped normal.
    """
    unit = turn / (2 * math.pi)
    length = np.clip(np.hypot(cosines, sines), 1e-12, 1.0)
    return np.arctan2(sines, cosines) * unit, np.sqrt(-2 * np.log(length)) * unit


def _emptiest(x: np.ndarray, turn: float) -> float:
    sector = np.floor(x / turn * _SECTORS).astype(int) % _SECTORS
    counts = np.bincount(sector, minlength=_SECTORS)
    apart = np.abs(np.arange(_SECTORS)[:, None] - np.arange(_SECTORS))
    apart = np.minimum(apart, _SECTORS - apart)
    density = np.exp(-0.5 * (apart / _BLUR) ** 2) @ counts
    return (float(density.argmin()) + 0.5) * turn / _SECTORS
