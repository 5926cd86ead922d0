"""RELATE in time (Ehrhardt et al. 2020, section 3.2, "Modeling dynamics"): Gamma dynamic."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from datagen.models.relate_judge import Spectral
from datagen.models.relate_poses import mlp

PAST = 3  # velocities that the next one depends on
_SLOPE = 0.2
_FIRST = 0.1  # weights of a last layer at the start: what it adds begins small
_PUSH = 0.5  # the most that a velocity changes in a frame, in each direction; 2 is the picture
_FAR = 1.25  # positions that a finder can say go beyond the picture's border
_COARSEST = 4  # px of a finder's last maps
_STEPS = 8.0  # times a velocity is what a judge is shown of it: velocities are small beside poses
_GAIN = 2.0  # spectral norms of 1 alone would let a judge say little


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
        self.node = mlp([32 + own + background, 64, 64, 2], _FIRST)  # f_v

    def forward(self, theta: Tensor, noise: Tensor, fate: Fate, frames: int) -> Tensor:
        """First poses [N, K, 2] and noise [N, K, 2] in -1..1 -> poses [N, T, K, 2]."""
        behind = fate.background[:, None].expand(-1, theta.shape[1], -1)
        given = torch.cat([theta, noise, fate.appearance, behind], 2)
        first = self.pace * noise + _PUSH * self.start(given).tanh()
        return self.go_on(theta, first.repeat(1, 1, PAST), fate, frames)

    def go_on(self, theta: Tensor, past: Tensor, fate: Fate, frames: int) -> Tensor:
        """Poses [N, K, 2] and three velocities, the last one last [N, K, 6] -> [N, T, K, 2]."""
        k = theta.shape[1]
        behind = fate.background[:, None].expand(-1, k, -1)
        others = fate.present[:, None] & ~torch.eye(k, dtype=torch.bool, device=theta.device)
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


class Finder(nn.Module):
    """Pictures [N, 3, H, W] -> poses of all objects [N, K, 2], and z_0 [N, Nb].

    It learns from pictures that a generator has made, and then reads real ones.
    """

    def __init__(self, width: int, height: int, objects: int, background: int) -> None:
        super().__init__()
        self.objects = objects
        layers: list[nn.Module] = []
        before, after = 3, 16
        while min(width, height) > _COARSEST:
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.LeakyReLU(_SLOPE)]
            before, after = after, min(64, 2 * after)
            width, height = -(-width // 2), -(-height // 2)
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.head = mlp([before * width * height, 128, 2 * objects + background])

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        said = self.head(self.body(pictures)).tanh()
        poses = said[:, : 2 * self.objects].unflatten(1, (self.objects, 2))
        return _FAR * poses, said[:, 2 * self.objects :]


class PathJudge(nn.Module):
    """Poses [N, T, K, 2] of clips and z_0 [N, Nb] -> logits [N]."""

    def __init__(self, frames: int, objects: int, background: int) -> None:
        super().__init__()
        given = 2 * objects * (2 * frames - 1) + background
        self.layers = nn.ModuleList(
            Spectral(nn.Linear(a, b)) for a, b in ((given, 128), (128, 128), (128, 1))
        )

    def tighten(self) -> None:
        """Once a step: the spectral norms follow the weights."""
        for layer in self.layers:
            assert isinstance(layer, Spectral)
            layer.tighten()

    def forward(self, poses: Tensor, background: Tensor) -> Tensor:
        steps = (poses[:, 1:] - poses[:, :-1]) * _STEPS
        x = torch.cat([poses.flatten(1), steps.flatten(1), background], 1)
        for layer in self.layers[:-1]:
            x = _GAIN * nn.functional.leaky_relu(layer(x), _SLOPE)
        return self.layers[-1](x)[:, 0]
