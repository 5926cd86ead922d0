"""RELATE in time (Ehrhardt et al. 2020, section 3.2, "Modeling dynamics"): Gamma dynamic."""

from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor, nn

from datagen.models.relate_judge import Discriminator
from datagen.models.relate_poses import mlp

PAST = 3  # velocities that the next one depends on
_FIRST = 0.1  # weights of a last layer at the start: what it adds begins small
_PUSH = 0.2  # the most that a velocity changes in a frame, in each direction; 2 is the picture


class Fate(NamedTuple):
    """What is the same in all frames of clips, as in models.relate.Latents."""

    appearance: Tensor  # N, K, Nf
    background: Tensor  # N, Nb
    present: Tensor  # bool N, K


class Motion(nn.Module):
    """Equation 4: each object's next velocity follows from its last three and from all others.

    Two things differ from the paper. A velocity is the last one and what is added to it, so that
    objects keep on by themselves. And the first ones depend on noise as well: in the paper they
    follow from place and appearance alone, so that equal balls that start in one place must go one
    way.
    """

    def __init__(self, background: int, appearance: int) -> None:
        super().__init__()
        own = 2 + appearance + 2 * PAST
        self.pace = nn.Parameter(torch.tensor(0.1))  # of the first velocities
        self.start = mlp([4 + appearance + background, 128, 128, 2], _FIRST)  # e_v
        self.pair = mlp([2 * own, 32, 32, 32])  # g_v
        self.node = mlp([32 + own + background, 32, 32, 2], _FIRST)  # f_v

    def forward(self, theta: Tensor, noise: Tensor, fate: Fate, frames: int) -> Tensor:
        """First poses [N, K, 2] and noise [N, K, 2] in -1..1 -> poses [N, T, K, 2]."""
        k = theta.shape[1]
        behind = fate.background[:, None].expand(-1, k, -1)
        others = fate.present[:, None] & ~torch.eye(k, dtype=torch.bool, device=theta.device)
        given = torch.cat([theta, noise, fate.appearance, behind], 2)
        first = self.pace * noise + _PUSH * self.start(given).tanh()
        past = torch.cat([*repeat(first, PAST)], 2)  # N, K, 6: the latest last
        found = [theta]
        for _ in range(frames - 1):
            own = torch.cat([found[-1], fate.appearance, past], 2)
            pairs = torch.cat(
                [own[:, :, None].expand(-1, -1, k, -1), own[:, None].expand(-1, k, -1, -1)], 3
            )
            felt = (self.pair(pairs) * others[..., None]).sum(2)  # h^d
            push = _PUSH * self.node(torch.cat([felt, own, behind], 2)).tanh()
            velocity = past[..., -2:] + push
            past = torch.cat([past[..., 2:], velocity], 2)
            found.append(found[-1] + velocity)
        return torch.stack(found, 1)


def judge_of_clips(width: int, height: int, channels: int, frames: int) -> Discriminator:
    """Of frames one behind the other as channels: [N, 3 T, H, W] -> Opinion."""
    judge = Discriminator(width, height, channels, style=False)
    judge.first = nn.Conv2d(3 * frames, channels, 5, 2, 2)
    return judge
