"""StructDRAW: a variational map of features that is drawn in steps (GNM's supplement, section 4.1).

Jiang and Ahn 2020, algorithm 1, after ConvDRAW (Gregor et al. 2016). What is drawn is a map of
features with a vector for each cell of a grid, and not an image.
"""

from itertools import pairwise
from math import log, tau
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Interaction = Literal["cells", "picture"]
_KERNEL = 1  # of the ConvLSTMs, as in the authors' code; 3 in the paper, which takes twice the time
_HALF_LOG_TAU = 0.5 * log(tau)
_START = 0.5  # added before the softplus of a standard deviation: it starts near 1


class Gauss(NamedTuple):
    """Independent normal laws."""

    mean: Tensor
    std: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        return self.mean + self.std * noise

    def log_prob(self, value: Tensor) -> Tensor:
        """Of each number by itself."""
        residual = (value - self.mean) / self.std
        return -0.5 * residual.square() - self.std.log() - _HALF_LOG_TAU


def gauss_kl(q: Gauss, p: Gauss) -> Tensor:
    """KL(q || p) of each number by itself, nats."""
    ratio, apart = q.std / p.std, (q.mean - p.mean) / p.std
    return 0.5 * (ratio.square() + apart.square() - 1) - ratio.log()


class Drawn(NamedTuple):
    """A map and the laws that its steps were drawn from."""

    features: Tensor  # f_L, B, F, h, w
    z: Tensor  # B, steps, ...
    posterior: Gauss | None  # each B, steps, ...; None where nothing was looked at
    prior: Gauss


class ConvLSTM(nn.Module):
    """One cell: input [B, seen, h, w] and its state -> the next hidden and cell maps."""

    def __init__(self, seen: int, hidden: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(seen + hidden, 4 * hidden, _KERNEL, padding=_KERNEL // 2)

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        enter, keep, leave, new = self.gates(torch.cat([x, hidden], 1)).chunk(4, 1)
        # Bias 1 of what is kept: what was drawn is remembered from the start.
        cell = torch.sigmoid(keep + 1) * cell + torch.sigmoid(enter) * torch.tanh(new)
        return torch.sigmoid(leave) * torch.tanh(cell), cell


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers with CELU and a layer normalisation between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.CELU(), nn.LayerNorm(after)]
    return nn.Sequential(*layers[:-2])


class Draw(nn.Module):
    """Maps of `channels` x `grid`, drawn in `steps` from as many latents.

    `interaction` "cells": a step's latent is a vector of `latent` numbers, and multi-layer
    perceptrons let every cell see every other one (StructDRAW). "picture": it is a map of vectors,
    and convolutions see their neighbours (ConvDRAW, the paper's baseline).
    """

    def __init__(
        self,
        channels: int,
        grid: tuple[int, int],
        steps: int,
        latent: int,
        hidden: int,
        interaction: Interaction = "cells",
    ) -> None:
        super().__init__()
        self.steps = steps
        c, (h, w) = channels, grid
        self.latent = (latent,) if interaction == "cells" else (latent, h, w)
        self.reader, self.writer = ConvLSTM(3 * c, c), ConvLSTM(c, c)
        self.starts = nn.ParameterList(torch.zeros(c, h, w) for _ in range(5))
        if interaction == "cells":
            self.posterior, self.prior = (
                nn.Sequential(nn.Flatten(), mlp(c * h * w, hidden, hidden, 2 * latent))
                for _ in range(2)
            )
            last = [nn.CELU(), nn.LayerNorm(c * h * w), nn.Unflatten(1, (c, h, w))]
            self.decode = nn.Sequential(mlp(latent, hidden, hidden, c * h * w), *last)
        else:
            self.posterior, self.prior = (_convolved(c, hidden, 2 * latent) for _ in range(2))
            self.decode = nn.Sequential(
                _convolved(latent, hidden, c), nn.CELU(), nn.GroupNorm(1, c)
            )
        self.out = nn.Conv2d(c, c, 3, padding=1)

    def forward(self, seen: Tensor | None, noise: Tensor) -> Drawn:
        """Features of pictures [B, F, h, w], or None for samples of the prior; noise of z_g.

        `noise`: standard normal, B, steps, latent (for "picture": and h, w).
        """
        batch = len(noise)
        drawn, read, kept, hidden, cell = (
            s.expand(batch, *s.shape) for s in self.starts
        )  # B, F, h, w
        laws: list[tuple[Gauss | None, Gauss, Tensor]] = []
        for step in range(self.steps):
            prior, posterior = law_of(self.prior(hidden)), None
            if seen is not None:
                look = torch.cat([hidden, seen, seen - drawn], 1)
                read, kept = self.reader(look, read, kept)
                posterior = law_of(self.posterior(read))
            z = (posterior or prior).sample(noise[:, step])
            hidden, cell = self.writer(self.decode(z), hidden, cell)
            drawn = drawn + self.out(hidden)
            laws.append((posterior, prior, z))
        posteriors = [q for q, _, _ in laws if q is not None]
        z = torch.stack([z for _, _, z in laws], 1)
        return Drawn(
            drawn,
            z,
            _stacked(posteriors) if posteriors else None,
            _stacked([p for _, p, _ in laws]),
        )


def law_of(values: Tensor) -> Gauss:
    """From what a network says [B, 2 n, ...]: means, then spreads."""
    mean, spread = values.chunk(2, 1)
    return Gauss(mean, F.softplus(spread + _START) + 1e-4)


def _stacked(laws: list[Gauss]) -> Gauss:
    return Gauss(torch.stack([q.mean for q in laws], 1), torch.stack([q.std for q in laws], 1))


def _convolved(before: int, hidden: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, hidden, 3, padding=1),
        nn.CELU(),
        nn.GroupNorm(1, hidden),
        nn.Conv2d(hidden, after, 3, padding=1),
    )
