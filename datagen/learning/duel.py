"""What trainees share that are two networks which learn against each other."""

import copy
from collections.abc import Mapping
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from datagen.learning.run import restore, state_of, under

Maker = TypeVar("Maker", bound=nn.Module)
Judge = TypeVar("Judge", bound=nn.Module)


class Duel(Generic[Maker, Judge]):
    """A generator, its running average, a discriminator, and Adam for each of the two.

    `rates`: of learning, the generator's and the discriminator's.

    What checkpoints keep is all of it.
    """

    def __init__(
        self,
        generator: Maker,
        discriminator: Judge,
        device: str,
        rates: tuple[float, float],
        betas: tuple[float, float],
    ) -> None:
        self.device = torch.device(device)
        self.generator = generator.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.discriminator = discriminator.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.builder = torch.optim.Adam(self.generator.parameters(), rates[0], betas)
        self.judge = torch.optim.Adam(self.discriminator.parameters(), rates[1], betas)

    def _follow(self, k: int, share: float) -> None:
        """Moves the average, of which `share` is kept; at the start, where all is noise, less."""
        moved = 1 - min(share, (1 + k) / (10 + k))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.generator.parameters(), strict=True)
            for kept, new in pairs:
                kept.lerp_(new, moved)

    def tensors(self) -> dict[str, Tensor]:
        whole = {f"average.{name}": value for name, value in self.average.state_dict().items()}
        whole |= {f"g.{k}": v for k, v in state_of(self.generator, self.builder).items()}
        return whole | {f"d.{k}": v for k, v in state_of(self.discriminator, self.judge).items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.generator, self.builder, under("g.", tensors))
        restore(self.discriminator, self.judge, under("d.", tensors))
        self.average.load_state_dict(under("average.", tensors))
