"""Boxes and numbers of strangers: finite, inside the picture, and large enough to be seen."""

import math
from collections.abc import Sequence
from typing import Any

from datagen.errors import InputError
from datagen.labelled import Box

LEAST_SIDE = 0.5  # px; of what is less no pixel is seen, and its logarithm runs away in training


def clipped(box: Box, width: int, height: int) -> Box | None:
    """The part of a box inside the picture; None when hardly anything is there."""
    x, y, w, h = box
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + w, float(width)), min(y + h, float(height))
    if right - left < LEAST_SIDE or bottom - top < LEAST_SIDE:
        return None
    if x >= 0 and y >= 0 and x + w <= width and y + h <= height:
        return box  # as it was, without the rounding of a sum
    return left, top, right - left, bottom - top


def is_number(value: object) -> bool:
    """A finite number; True and False are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e15  # false for nan, inf, and integers that no float holds


def box_of(value: Any, where: str) -> Box:
    """Four numbers as a box."""
    if not isinstance(value, Sequence) or len(value) != 4 or not all(map(is_number, value)):
        raise InputError(f"{where}: its box must be four finite numbers, got {str(value)[:60]}")
    x, y, w, h = map(float, value)
    return x, y, w, h


def numbers(words: Sequence[str], where: str) -> list[float]:
    """Words of a text file as finite numbers."""
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise InputError(f"{where}: not a number ({str(error)[-40:]}); correct the line") from error
    if not all(map(math.isfinite, values)):
        raise InputError(f"{where}: a number is not finite; correct the line")
    return values
