"""What GNM is taught before a background, one lesson after the other.

The paper has one lesson before the last: all objects are there and cover their boxes. In our trials
they then painted the background, or none stayed. So the background comes first, and then one more
object a picture is put where that is made again badly.
"""

from enum import Enum, auto
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from datagen.models.draw import Gauss
from datagen.models.gnm import Gnm, Noise, Objects, Read, Seen

_THERE = 0.99  # presence of what is put somewhere
_PRESENCE, _PLACE = 40.0, 4.0  # weights of what is taught of them
_NEAR = 0.1  # sharpest law of a place that is taught


class Lesson(Enum):
    BACKGROUND = auto()  # there is no object
    BOXES = auto()  # one is put somewhere; all look the same, and cover their boxes
    SHAPES = auto()  # one is put somewhere; looks have no noise yet
    ALL = auto()  # the model


class Put(NamedTuple):
    """One object of each picture, which a lesson has put there."""

    cell: Tensor  # bool B, K: the one that it belongs to
    shift: Tensor  # B, 2: of its centre from the cell's, as in z_where
    helps: Tensor  # bool B: are pictures better with it there?


class Taught(NamedTuple):
    """What a lesson has shown."""

    lesson: Lesson
    seen: Seen
    put: Put | None  # None: nothing is put anywhere


def taught(
    model: Gnm, lesson: Lesson, pictures: Tensor, noise: Noise, temperature: float
) -> Taught:
    """Pictures [B, C, H, W] in 0..1, read and made again as a lesson has it."""
    if lesson is Lesson.ALL:
        return Taught(lesson, model(pictures, noise, temperature), None)
    read = model.read(pictures, noise, temperature)
    if lesson is Lesson.BACKGROUND:
        none = torch.zeros_like(read.objects.presence)
        read = read._replace(objects=read.objects._replace(presence=none))
        return Taught(lesson, Seen(read, model.render(read.objects)), None)
    before = _errors(model, pictures, _likely(model, read))
    at = _poor(model, before, torch.sigmoid(noise.presence))
    cell, shift = _place(model, at)
    read = read._replace(objects=_with(model, read, lesson, cell, shift))
    picture = model.render(read.objects, covering=lesson is Lesson.BOXES)
    helps = _errors(model, pictures, picture).gather(1, at) < before.gather(1, at)
    return Taught(lesson, Seen(read, picture), Put(cell, shift, helps[:, 0]))


def missed(taught: Taught) -> Tensor:
    """Cross-entropy of presence, and where something was put, minus the log density of its place.

    Presence is taught that what was put there is there if it helps. Taught that it is whether or
    not it helps, it became likely in all cells before objects had learned to paint anything.
    """
    found = taught.seen.read.posterior
    if taught.lesson is Lesson.BACKGROUND:
        return _PRESENCE * F.softplus(found.presence).sum(1).mean()
    if taught.put is None:
        return found.presence.new_zeros(())
    cell, shift, helps = taught.put
    there = F.binary_cross_entropy_with_logits(found.presence[cell], helps.float())
    mean, std = (of[cell][:, 2:4] for of in found.law)
    place = Gauss(mean, std.clamp(min=_NEAR)).log_prob(shift).sum(1).mean()
    return _PRESENCE * there - _PLACE * place


@torch.no_grad()
def _likely(model: Gnm, read: Read) -> Tensor:
    """The likeness of pictures at the mode of the posterior, [B, C, H, W]."""
    behind = None if read.background is None else read.background[0].mean
    return model.render(read.posterior.mode(behind))


def _square(model: Gnm) -> int:
    """Side of the square around a pixel that is about as large as an object, px; odd."""
    return round(model.sizes.size * min(model.sizes.canvas)) // 2 * 2 + 1


@torch.no_grad()
def _errors(model: Gnm, pictures: Tensor, made: Tensor) -> Tensor:
    """[B, H * W]: mean squared errors in the squares around pixels."""
    error, side = (pictures - made).square().sum(1), _square(model)
    return F.avg_pool2d(error, side, 1, side // 2).flatten(1)


def _poor(model: Gnm, errors: Tensor, luck: Tensor) -> Tensor:
    """[B, 1]: the number of a pixel around which a picture is worse than anywhere near.

    It is the worst, or by `luck` of cells, [B, K] in 0..1, one that is more than half as bad: were
    it always the worst, only what stands out most would be learned.
    """
    (width, height), cell = model.sizes.canvas, model.sizes.cell
    errors, side = errors.unflatten(1, (height, width)), _square(model)
    peaks = errors * (errors == F.max_pool2d(errors, side, 1, side // 2))
    weights = F.interpolate(
        0.5 + 0.5 * luck.unflatten(1, (1, *model.sizes.grid)), scale_factor=cell
    )
    return (peaks * weights[:, 0]).flatten(1).argmax(1, keepdim=True)


def _place(model: Gnm, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """The cells [B, K] of pixels [B, 1], and the shifts [B, 2] of centres that lie there."""
    side = model.sizes.cell
    (width, _), (_, columns) = model.sizes.canvas, model.sizes.grid
    place = torch.cat([pixels % width, pixels // width], 1)  # x, y
    home = place // side
    cell = F.one_hot(home[:, 1] * columns + home[:, 0], model.sizes.cells) > 0
    return cell, torch.atanh((place + 0.5) / side - home - 0.5)


def _with(model: Gnm, read: Read, lesson: Lesson, cell: Tensor, shift: Tensor) -> Objects:
    """Objects as a lesson has them, one of which is put somewhere."""
    values, look = read.objects.values.clone(), model.sizes.look
    mean = read.posterior.law.mean[..., look]
    values[..., look] = torch.zeros_like(mean) if lesson is Lesson.BOXES else mean
    values[..., 2:4] = torch.where(cell[..., None], shift[:, None], values[..., 2:4])
    presence = read.objects.presence.masked_fill(cell, _THERE)
    return read.objects._replace(presence=presence, values=values)
