"""D-steps: how long a network must learn to tell generated pictures from real ones.

Jiang and Ahn, "Generative Neurosymbolic Machines" (2020): training steps until a binary classifier
is right for 90 %. More is better. The number depends on the network, its rate and how many pictures
there are, so only readings of one setting can be compared, and the published ones with none of
ours. It is blind to diversity: a few good pictures, again and again, are told only as fast as they
are learned.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from datagen.errors import InputError
from datagen.metrics._fitting import as_input, seeded

ENOUGH = 0.9  # of held-out pictures told right
_FEWEST = 40  # pictures of either kind


@dataclass(frozen=True)
class Separability:
    """When the classifier was right for 90 % of pictures that it had not learned from."""

    steps: int | None  # None: not within `most`
    most: int  # steps that it was given
    readings: tuple[tuple[int, float], ...]  # step, accuracy on held-out pictures


def steps_to_tell(
    real: np.ndarray,
    generated: np.ndarray,
    rng: np.random.Generator,
    *,
    most: int = 2000,
    every: int = 10,
    batch: int = 32,
    rate: float = 1e-4,
) -> Separability:
    """Of real and generated pictures uint8 [N, H, W, C], one size; a fifth of either is held out.

    It stops at the first two readings in a row of 90 % and more, and gives the step of the first.
    """
    if real.shape[1:] != generated.shape[1:] or real.ndim != 4:
        raise InputError(
            f"separability: pictures of {list(real.shape[1:])} and {list(generated.shape[1:])}; "
            "give one size, or the size tells them apart"
        )
    if min(len(real), len(generated)) < _FEWEST:
        raise InputError(
            f"separability: {len(real)} real and {len(generated)} generated pictures; "
            f"give {_FEWEST} of either at least"
        )
    sides = [_split(as_input(pictures), rng) for pictures in (real, generated)]
    with seeded(rng):
        net = _Judge(real.shape[3])
    optimiser = torch.optim.Adam(net.parameters(), rate)
    readings: list[tuple[int, float]] = []
    for step in range(1, most + 1):
        x = torch.cat([_drawn(side[0], batch // 2, rng) for side in sides])
        truth = torch.arange(len(x)) < batch // 2
        optimiser.zero_grad(set_to_none=True)
        binary_cross_entropy_with_logits(net(x), truth.float()).backward()
        optimiser.step()
        if step % every == 0:
            readings.append((step, _accuracy(net, *(held for _, held in sides))))
            if len(readings) > 1 and min(a for _, a in readings[-2:]) >= ENOUGH:
                return Separability(readings[-2][0], most, tuple(readings))
    return Separability(None, most, tuple(readings))


class _Judge(nn.Module):
    """Four convolutions with strides, and the mean of what they find: [N, C, H, W] -> logit [N]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (channels, 16, 32, 64, 64)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.last = nn.Linear(2 * widths[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        found = self.layers(x)
        return self.last(torch.cat([found.mean((2, 3)), found.amax((2, 3))], 1))[:, 0]


def _split(pictures: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    order = torch.from_numpy(rng.permutation(len(pictures)))
    held = max(1, len(pictures) // 5)
    return pictures[order[held:]], pictures[order[:held]]


def _drawn(pictures: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    return pictures[torch.from_numpy(rng.integers(len(pictures), size=count))]


def _accuracy(net: _Judge, real: Tensor, generated: Tensor) -> float:
    """The mean of the shares of real and of generated pictures that are told right."""
    with torch.inference_mode():
        right = [(net(x) > 0).float().mean() for x in (real, generated)]
    return float((right[0] + 1 - right[1]) / 2)
