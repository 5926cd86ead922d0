"""What is weighed how at which step, and the monitor that begins the ramp of beta_g again."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from datagen.models.gnm_lessons import Lesson
from datagen.settings.gnm import GnmLearning

_FOLLOWS = 0.98  # share of the monitor's averages that a step keeps
_WARM = 100  # steps, at most, in which the first rate is reached
_FLOOR, _LATER, _LAST_FLOOR = 0.1, 0.8, 0.05  # of the rate: at a ramp's end, on a restart, at last
_RARE, _RARER = 0.1, 0.001  # rho at the start, and after the opening
_WARMTH, _COLD = 1.0, 0.5  # temperatures of presence
_LEAST = 0.25  # of the steps are kept for the end: later no ramp begins
_HELD_BACK = 50.0  # beta_b in the first lessons
_DEAD = 1.0  # nats: a layout that carries less has stopped to tell anything
_SOME = 0.5  # objects in a picture: with fewer there is nothing to tell
_FIRST, _SECOND = 0.25, 0.5  # of the span of lessons: where the first and the second one end


@dataclass(frozen=True)
class Schedule:
    """The state that steps have brought about; all of it lies in a checkpoint.

    Ramps and stretches are given by the steps where they begin and end. A stretch has an optimiser
    of its own: it begins with fresh moments.
    """

    ramp: tuple[int, int]
    stretch: tuple[int, int]
    begun: int = 1  # ramps
    is_last: bool = False  # stretch
    what: float = 0.0  # running average: nats of the appearances in a picture
    told: float = 0.0  # of these what the layout does not spare
    layout: float = 0.0  # nats that z_g carries
    count: float = 0.0  # objects in a picture

    @classmethod
    def start(cls, s: GnmLearning) -> Self:
        first = _taught(s)
        return cls((first, first + round(s.ramp * s.steps)), (0, _end(s)))

    # --------------------------------------------------------------------------- at a step

    def beta(self, s: GnmLearning, k: int) -> float:
        """beta_g."""
        if self.is_last:
            return s.beta
        first, end = self.ramp
        return min(1.0, max(0, k - first) / max(1, end - first))

    def rate(self, s: GnmLearning, k: int) -> float:
        """The learning rate: a cosine over the stretch."""
        first, end = self.stretch
        high = s.learning_rate * (1.0 if first == 0 else _LATER)
        low = s.learning_rate * (_LAST_FLOOR if self.is_last else _FLOOR)
        way = min(1.0, (k - first) / max(1, end - first))
        rate = low + (high - low) * 0.5 * (1 + math.cos(math.pi * way))
        warm = min(_WARM, max(1, s.steps // 10))
        return rate * (min(1.0, (k + 1) / warm) if first == 0 else 1.0)

    # ------------------------------------------------------------------------- from step to step

    def after(self, s: GnmLearning, k: int, read: Mapping[str, float]) -> "Schedule":
        """The schedule of step k + 1, given what step k has read."""
        mix = 1.0 if k == 0 else 1 - _FOLLOWS
        watched = {
            name: (old := getattr(self, name)) + mix * (read[name] - old)
            for name in ("what", "told", "layout", "count")
        }
        return replace(self, **watched)._next(s, k + 1)

    def _next(self, s: GnmLearning, k: int) -> "Schedule":
        if self.is_last or k < self.ramp[1]:
            return self
        span = max(1, round(s.again * s.steps))
        if self._is_stuck(s) and k + span <= (1 - _LEAST) * s.steps:
            stretch = k, max(_end(s), k + span)
            return replace(self, ramp=(k, k + span), stretch=stretch, begun=self.begun + 1)
        if k >= self.stretch[1] and s.last:
            return replace(self, stretch=(k, s.steps), is_last=True)
        return self

    def _is_stuck(self, s: GnmLearning) -> bool:
        """Whether the layout does not know what the objects are, or nothing at all."""
        blind = self.what > s.sharp * max(self.count, 1.0) and self.told > s.stuck * self.what
        return s.stuck < 1 and (blind or (self.is_dead and self.count > _SOME))

    @property
    def is_dead(self) -> bool:
        """Whether the layout carries nothing."""
        return self.layout < _DEAD

    # -------------------------------------------------------------------------- to a checkpoint

    def tensors(self) -> dict[str, Tensor]:
        double = torch.float64  # as Python's own numbers
        return {f.name: torch.tensor(getattr(self, f.name), dtype=double) for f in fields(self)}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Self:
        """Undo `tensors`."""
        plain: dict[str, Any] = {name: tensor.tolist() for name, tensor in tensors.items()}
        first, stretch = ((int(a), int(b)) for a, b in (plain["ramp"], plain["stretch"]))
        watched = (float(plain[name]) for name in ("what", "told", "layout", "count"))
        begun, is_last = int(plain["begun"]), bool(plain["is_last"])
        return cls(first, stretch, begun, is_last, *watched)


def _end(s: GnmLearning) -> int:
    """Where the last stretch begins, if nothing is stuck."""
    return round((1 - s.last) * s.steps)


def _way(k: int, span: float, s: GnmLearning) -> float:
    """How much of a span is over."""
    return min(1.0, max(0, k) / max(1.0, span * s.steps))


def rare(s: GnmLearning, k: int) -> float:
    """rho, the auxiliary prior of presence: after lessons it falls by the same factor each step."""
    return float(_RARE * (_RARER / _RARE) ** _way(k - _taught(s), s.opening, s))


def temperature(s: GnmLearning, k: int) -> float:
    return _WARMTH + (_COLD - _WARMTH) * _way(k, s.cooling, s)


def main(s: GnmLearning, k: int) -> float:
    """Weight of the KL of z_s from its learned prior.

    It is full early: nothing else pays for z_g. At a twentieth for long, z_g told nothing at all.
    """
    return _way(k, s.opening, s)


def backdrop(s: GnmLearning, k: int) -> float:
    """beta_b: after the lessons it falls by the same factor each step, for as long as they took."""
    return float(_HELD_BACK ** (1 - _way(k - _taught(s), s.lessons, s)))


def lesson(s: GnmLearning, k: int) -> Lesson:
    span = _taught(s)
    if k >= span:
        return Lesson.ALL
    if k < _FIRST * span:
        return Lesson.BACKGROUND
    return Lesson.BOXES if k < _SECOND * span else Lesson.SHAPES


def _taught(s: GnmLearning) -> int:
    """Steps of lessons."""
    return round(s.lessons * s.steps) if s.background else 0
