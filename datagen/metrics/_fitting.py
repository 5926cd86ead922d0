"""How the small networks that judge pictures are trained: Adam, at a rate that falls to zero."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn


@contextmanager
def seeded(rng: np.random.Generator) -> Iterator[None]:
    """Torch draws from `rng` within: initial weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**62)))
        yield


def fit(net: nn.Module, loss: Callable[[int], Tensor], steps: int, rate: float) -> None:
    """Minimise `loss` of the step's number; the network is left ready to be used."""
    optimiser = torch.optim.Adam(net.parameters(), rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    net.train()
    for step in range(steps):
        optimiser.zero_grad(set_to_none=True)
        loss(step).backward()
        optimiser.step()
        falling.step()
    net.eval()


def as_input(images: np.ndarray) -> Tensor:
    """uint8 [N, H, W, C] -> float32 [N, C, H, W] in -1..1."""
    return torch.tensor(images).permute(0, 3, 1, 2).float() / 127.5 - 1
