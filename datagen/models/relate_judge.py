"""RELATE's discriminator, which also says where an object is (P of section 3.3), and its losses."""

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SLOPE = 0.2
_COARSEST = 4  # px of the last maps' shorter side
_FAR = 1.25  # positions that it can say go beyond the picture's border
_SETTLING = 10  # power iterations before the first step


class Spectral(nn.Module):
    """A layer whose weight is divided by its largest singular value (Miyato et al. 2018).

    The vectors of the power iteration are replaced, not changed: a graph may still hold them.
    """

    def __init__(self, layer: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        rows, columns = layer.weight.flatten(1).shape
        self.register_buffer("u", F.normalize(torch.randn(rows), dim=0))
        self.register_buffer("v", F.normalize(torch.randn(columns), dim=0))
        self.u: Tensor
        self.v: Tensor
        for _ in range(_SETTLING):
            self.tighten()

    @torch.no_grad()
    def tighten(self) -> None:
        """One power iteration."""
        matrix = self.layer.weight.flatten(1)
        self.v = F.normalize(matrix.T @ self.u, dim=0)
        self.u = F.normalize(matrix @ self.v, dim=0)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.layer.weight
        weight = weight / torch.dot(self.u, weight.flatten(1) @ self.v)
        if isinstance(self.layer, nn.Linear):
            return F.linear(x, weight, self.layer.bias)
        return F.conv2d(x, weight, self.layer.bias, self.layer.stride, self.layer.padding)


class Opinion(NamedTuple):
    """What a discriminator says of pictures."""

    real: Tensor  # N: logits
    position: Tensor  # N, looks, 2: of the object that has this look; x, y as poses are
    style: Tensor  # N, L: logits of the style discriminators, one a layer; L may be 0


class Discriminator(nn.Module):
    """Pictures [N, 3, H, W] -> Opinion. Not the first convolution, but all else that multiplies
    is spectrally normalised.

    `looks`: how many learned constants objects have; each has a position of its own.
    """

    def __init__(self, width: int, height: int, channels: int, style: bool, looks: int) -> None:
        super().__init__()
        side, count = min(width, height), 0
        while side > _COARSEST:
            side, count = -(-side // 2), count + 1
        widths = [3, *(channels << k for k in range(count))]
        convs = [nn.Conv2d(a, b, 5, 2, 2, bias=k == 0) for k, (a, b) in enumerate(pairwise(widths))]
        self.first = convs[0]
        self.convs = nn.ModuleList(Spectral(conv) for conv in convs[1:])
        self.norms = nn.ModuleList(nn.InstanceNorm2d(b, affine=True) for b in widths[2:])
        styled = widths[2:] if style else []
        self.styles = nn.ModuleList(nn.Linear(2 * b, 1) for b in styled)
        for _ in range(count):
            width, height = -(-width // 2), -(-height // 2)
        self.logit = Spectral(nn.Linear(widths[-1] * width * height, 1))
        self.place = Spectral(nn.Linear(widths[-1] * width * height, 2 * looks))

    def tighten(self) -> None:
        """Once a step: the spectral norms follow the weights."""
        for module in self.modules():
            if isinstance(module, Spectral):
                module.tighten()

    def forward(self, pictures: Tensor) -> Opinion:
        x = F.leaky_relu(self.first(pictures.contiguous(memory_format=torch.channels_last)), _SLOPE)
        styles = []
        for k, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = conv(x)
            if len(self.styles):
                variance, mean = torch.var_mean(x, (2, 3))
                styles.append(self.styles[k](torch.cat([mean, variance], 1)))
            x = F.leaky_relu(norm(x), _SLOPE)
        flat = x.flatten(1)
        style = torch.cat(styles, 1) if styles else flat.new_zeros(len(flat), 0)
        position = _FAR * self.place(flat).tanh().unflatten(1, (-1, 2))
        return Opinion(self.logit(flat)[:, 0], position, style)


def judging_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Binary cross-entropy of logits, the sum over real and generated; of [N, L] also over L."""
    return _over(F.softplus(-real)) + _over(F.softplus(fake))


def deceiving_loss(fake: Tensor) -> Tensor:
    """The non-saturating loss of a generator."""
    return _over(F.softplus(-fake))


def _over(losses: Tensor) -> Tensor:
    return losses.mean(0).sum()


def position_loss(said: Tensor, poses: Tensor) -> Tensor:
    """Mean squared error of [N, 2]; poses are targets, and no gradient goes back through them."""
    return F.mse_loss(said, poses.detach())
