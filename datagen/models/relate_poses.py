"""How RELATE's objects come to their poses: Gamma (equations 1 to 3), and their sizes (A1.2)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn

_SLOPE = 0.2
_SHIFT = 0.5  # the most that a correction moves an object
_FIRST = 0.1  # weights of a last layer at the start: corrections begin small
# Of a stack, the next object's place relative to the one below it; y points down.
_ASIDE, _LEAST, _RISE = 0.2, 0.1, 0.3
_THINNEST = 0.1  # of a window's size: the paper's reaches 0


class Poses(Protocol):
    """Gamma: theta_hat [N, K, 2], z_k [N, K, Nf], z_0 [N, Nb], present [N, K] -> theta [N, K, 2].

    What it says of absent objects means nothing, and those that are there do not depend on them.
    """

    def __call__(self, spots: Tensor, z: Tensor, background: Tensor, present: Tensor) -> Tensor: ...


def mlp(sizes: Sequence[int], first: float = 1.0) -> nn.Sequential:
    """Linear layers with leaky ReLUs between; the last starts with `first` times usual weights."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.LeakyReLU(_SLOPE)]
    last = layers[-2]
    assert isinstance(last, nn.Linear)
    if first != 1:
        nn.init.zeros_(last.bias)
        with torch.no_grad():
            last.weight *= first
    return nn.Sequential(*layers[:-1])


class Interaction(nn.Module):
    """Equations 1 and 2: each object is moved by all others, whatever their order and number.

    Without `residual` a pose is the correction alone, of the whole picture's range.
    """

    def __init__(self, background: int, appearance: int, residual: bool) -> None:
        super().__init__()
        own = 2 + appearance
        self.residual = residual
        self.pair = mlp([2 * own, 32, 32, 32])  # g
        self.node = mlp([32 + own + background, 32, 32, 2], _FIRST)  # f

    def forward(self, spots: Tensor, z: Tensor, background: Tensor, present: Tensor) -> Tensor:
        k = spots.shape[1]
        own = torch.cat([spots, z], 2)  # N, K, 2 + Nf
        pairs = torch.cat(
            [own[:, :, None].expand(-1, -1, k, -1), own[:, None].expand(-1, k, -1, -1)], 3
        )
        others = present[:, None] & ~torch.eye(k, dtype=torch.bool, device=spots.device)
        felt = (self.pair(pairs) * others[..., None]).sum(2)  # N, K, 32: h^s
        behind = background[:, None].expand(-1, k, -1)
        moved = self.node(torch.cat([felt, own, behind], 2)).tanh()
        return spots + _SHIFT * moved if self.residual else moved


class Ordered(nn.Module):
    """Equation 3: a stack from its base up, each object relative to the one below it."""

    def __init__(self, background: int, appearance: int, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.base = mlp([2 + appearance + background, 128, 64, 2], _FIRST)  # f_0
        self.next = mlp([appearance + background, 128, 64, 2], _FIRST)  # f_1

    def forward(self, spots: Tensor, z: Tensor, background: Tensor, present: Tensor) -> Tensor:
        moved = self.base(torch.cat([spots[:, 0], z[:, 0], background], 1)).tanh()
        found = [spots[:, 0] + _SHIFT * moved if self.residual else moved]
        for k in range(1, spots.shape[1]):
            step = self.next(torch.cat([z[:, k - 1].detach(), background], 1))
            aside, up = _ASIDE * step[:, 0].tanh(), _LEAST + _RISE * step[:, 1].sigmoid()
            found.append(found[-1].detach() + torch.stack([aside, -up], 1))
        return torch.stack(found, 1)


class Scale(nn.Module):
    """sc of appendix A1.2: by how much an object's window is larger than usual, N, K."""

    def __init__(self, background: int, appearance: int) -> None:
        super().__init__()
        self.net = mlp([background + 2 + appearance, 32, 32, 1], _FIRST)

    def forward(self, theta: Tensor, z: Tensor, background: Tensor) -> Tensor:
        behind = background[:, None].expand(-1, theta.shape[1], -1)
        change = self.net(torch.cat([behind, theta, z], 2))[..., 0].tanh()
        return (1 + change).clamp(min=_THINNEST)
