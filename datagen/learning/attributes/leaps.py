"""Leaps of a whole law, for what no gradient sees: a better place far away.

Many things look alike upside down, so pictures that are half a turn off lie in a valley of their
own, and from one side of a canvas the other cannot be felt. So from time to time each attribute is
looked at in other places: all its values are shifted or turned together, and the pictures are
compared with the target again. Ours; the paper relies on the prior being near.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from datagen.learning.attributes.gradients import Batch, See, Target
from datagen.learning.mmd import contributions, median_variances, squared

_PLACES = 16  # that a law is tried in, round a circle or along an interval
_FINER = (1 / 16, 1 / 32, 1 / 64)  # steps when it settles there, shares of the range
_SWEEPS = 3  # a leap of one attribute may open the way for another
_HOPEFUL = 0.3  # of the way up from the best place to the worst: what is worth settling in
_SURE = 3.0  # standard errors by which a place must be better


@dataclass(frozen=True)
class Look:
    """Scenes that laws are tried on, and what their pictures are compared with."""

    batch: Batch
    corrections: Tensor  # [V, attributes, HEAD], of the transformer
    see: See
    target: Target
    multiples: Sequence[float]  # of the median, for the kernels

    @property
    def symbols(self) -> list[str]:
        """The symbol of each kind of attribute."""
        return [symbol for symbol, _ in self.batch.known.kinds]

    def shifted(self, laws: Tensor, kind: int, shares: Tensor) -> Tensor:
        """Laws with one attribute's mean moved by shares [P] of its range: [P, kinds, 2].

        Off one end of an interval is in at the other, as on a circle.
        """
        graphs = self.batch.graphs
        mine = graphs.kind == kind
        tried = laws.repeat(len(shares), 1, 1)
        if graphs.on_circle[mine].any():
            tried[:, kind, 0] += 2 * math.pi * shares
        elif mine.any():
            values = graphs.moved(self.corrections, laws)
            here = ((values - graphs.low) / graphs.span)[mine].clamp(0.02, 0.98).mean()
            there = (here.float() + shares).remainder(1).clamp(0.02, 0.98)
            tried[:, kind, 0] += there.logit() - here.float().logit()
        return tried

    def readings(self, places: Tensor) -> Tensor:
        """What each scene adds to MMD^2 with each of the laws: [P, kinds, 2] -> [P, M].

        Scenes, pixel noise and kernels (those of the first) are the same everywhere, so that
        places are compared scene by scene.
        """
        graphs = self.batch.graphs
        rows: list[Tensor] = []
        variances: list[float] = []
        for laws in places:
            scenes = self.batch.at(graphs.kept(graphs.moved(self.corrections, laws)))
            seen = torch.from_numpy(self.see(scenes, self.batch.numbers))
            across = squared(seen, self.target.features)
            variances = variances or median_variances(across, self.multiples)
            rows.append(contributions(squared(seen, seen), across, variances))
        return torch.stack(rows)


def leap(laws: Tensor, rough: Look, sure: Look) -> int:
    """Moves the laws [kinds, 2] of attributes that other places suit better: how many leaps.

    The best place but the present one is looked for by the scenes of `rough`, and taken when those
    of `sure`, more and others, say beyond doubt that it is better.
    """
    leaps = 0
    for _ in range(_SWEEPS):
        before = leaps
        for kind in rough.batch.known.kinds.values():
            found = _elsewhere(rough, laws, kind)
            if found is None:
                continue
            # Against here settled as well: what others gain by settling speaks for no leap.
            here = _settled(rough, laws, kind)
            if _is_better(sure.readings(torch.stack([here, found]))):
                laws.copy_(found)
                leaps += 1
        if leaps == before:
            break
    return leaps


def _elsewhere(look: Look, laws: Tensor, kind: int) -> Tensor | None:
    """The best laws with another place for one attribute, if it can be about as good as here."""
    tried = look.shifted(laws, kind, torch.arange(1, _PLACES) / _PLACES)
    readings = look.readings(torch.cat([laws[None], tried])).mean(1)
    others = readings[2:-1]  # next door is where a gradient leads
    best = int(others.argmin())
    if others[best] >= readings.min() + _HOPEFUL * (readings.max() - readings.min()):
        return None
    return _settled(look, tried[1 + best], kind)


def _settled(look: Look, laws: Tensor, kind: int) -> Tensor:
    """The laws after a search by ever smaller steps in all attributes of the same symbol."""
    for step in _FINER:
        for other, symbol in enumerate(look.symbols):
            if symbol == look.symbols[kind]:
                tried = look.shifted(laws, other, torch.tensor([-step, step]))
                tried = torch.cat([laws[None], tried])
                laws = tried[int(look.readings(tried).mean(1).argmin())]
    return laws


def _is_better(readings: Tensor) -> bool:
    """Is the second row [2, M] surely below the first?"""
    gain = readings[0] - readings[1]
    return float(gain.mean()) > _SURE * float(gain.std()) / math.sqrt(len(gain))
