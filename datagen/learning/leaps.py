"""Leaps of a whole law, for what no gradient sees: a better place far away.

Many things look alike upside down, so pictures that are half a turn off lie in a valley of their
own, and from one side of a canvas the other cannot be felt. So from time to time each attribute is
looked at in other places: all its values are shifted or turned together, and the pictures are
compared with the target again. Ours; the paper relies on the prior being near.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from datagen.learning.attribute_gradients import Batch, See, Target
from datagen.learning.mmd import median_variances, mmd2, squared

_TURNS = 16  # places round a circle
_PLACES = 8  # along an interval
_BETTER = 0.8  # of the distance here: what a place has to stay below to be better


def leap(
    batch: Batch,
    corrections: Tensor,  # [V, attributes, HEAD]
    offset: Tensor,  # [kinds], changed in place
    see: See,
    target: Target,
    multiples: tuple[float, ...],  # of the median, for the kernels
) -> int:
    """Moves the offset of each attribute that another place suits better; how many those are.

    A place is believed when it is clearly better, and better by each half of the scenes.
    """
    leaps = 0
    for kind in batch.known.kinds.values():
        shifts = _shifts(batch, corrections, offset, kind)
        tried = offset.repeat(1 + len(shifts), 1)
        tried[1:, kind] += shifts
        readings = torch.tensor(list(_readings(batch, corrections, tried, see, target, multiples)))
        best = int(readings[:, 0].argmin())
        clearly = readings[best, 0] < _BETTER * readings[0, 0]
        if best and bool(clearly & (readings[best] < readings[0]).all()):
            offset[kind] += shifts[best - 1]
            leaps += 1
    return leaps


def _shifts(batch: Batch, corrections: Tensor, offset: Tensor, kind: int) -> Tensor:
    """How far the other places of an attribute are off: radians on a circle, else logits."""
    graphs = batch.graphs
    mine = graphs.kind == kind
    if not mine.any():
        return torch.zeros(0)
    if graphs.on_circle[mine][0]:
        return torch.arange(1, _TURNS) * (2 * math.pi / _TURNS)
    values = graphs.moved(corrections, offset)
    here = ((values - graphs.low) / graphs.span)[mine].clamp(1e-3, 1 - 1e-3)
    places = (torch.arange(_PLACES) + 0.5) / _PLACES
    return places.logit() - here.logit().mean().float()


def _readings(
    batch: Batch,
    corrections: Tensor,
    offsets: Tensor,  # [P, kinds]
    see: See,
    target: Target,
    multiples: tuple[float, ...],
) -> Iterator[tuple[float, float, float]]:
    """MMD^2 at each offset: by all scenes, and by each half; kernels are those of the first."""
    half = len(batch.scenes) // 2
    parts = (slice(None), slice(half), slice(half, None))
    variances: list[float] = []
    for offset in offsets:
        values = batch.graphs.kept(batch.graphs.moved(corrections, offset))
        seen = torch.from_numpy(see(batch.at(values), batch.numbers))
        across, within = squared(seen, target.features), squared(seen, seen)
        variances = variances or median_variances(across, multiples)
        whole, left, right = (
            mmd2(within[part, part], across[part], target.within, variances) for part in parts
        )
        yield whole, left, right
