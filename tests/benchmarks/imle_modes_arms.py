"""The arms of the experiment: what learns, and how it is asked for pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from imle_modes_world import World

from datagen.learning.appearance.selection import noise_from
from datagen.learning.appearance.training import AppearanceTrainee
from datagen.models.imle import Noise
from datagen.parts import Source
from datagen.rng import Stream, rng_for
from datagen.settings.appearance import AppearanceLearning

TRAIN = World(1000)
CHANNELS = (16, 24, 32, 32, 32)
NO_NOISE = {"style": 0, "draws": 1, "rebalancing": False}
DIVERSITY = 0.4  # weight of the diversity loss; from 0.5 on, being apart is worth any error
# Name -> what it is told as, and its settings beside the defaults; without a noise encoder, unless
# they name one.
ARMS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "regression": ("CRN, regression", NO_NOISE),
    "diverse": ("CRN + noise, diversity loss", {"draws": 1, "rebalancing": False}),
    "full": ("IMLE, m = 8, rebalancing", {}),
    "full-2": ("IMLE, m = 2, rebalancing", {"draws": 2}),
    "full-32": ("IMLE, m = 32, rebalancing", {"draws": 32}),
    "mask": ("IMLE, m = 8, rebalancing, loss mask", {"mask": True}),
    "encoder": ("IMLE, m = 8, rebalancing, noise encoder", {"encoder": 32}),
    "grain": ("IMLE, m = 8, rebalancing, grain", {"grain": 2}),
    "flat": ("IMLE, m = 8, rebalancing, no texture term", {"texture": 0.0}),
    "plain": ("IMLE, m = 8", {"rebalancing": False}),
    "plain-48": ("IMLE, m = 48", {"rebalancing": False, "draws": 48}),
}


def settings_of(arm: str, squeezenet: str) -> AppearanceLearning:
    weights = Source(source=squeezenet)
    found = {"channels": CHANNELS, "weights": weights, "encoder": 0, **ARMS[arm][1]}
    return AppearanceLearning(**found)


def trainee(arm: str, squeezenet: str, seed: int) -> AppearanceTrainee:
    made = Diverse if arm == "diverse" else AppearanceTrainee
    return made(TRAIN, settings_of(arm, squeezenet), seed)


class Diverse(AppearanceTrainee):
    """Regression on random noise, and a reward for two noises that give two pictures.

    As in Mao et al. (2019, "mode seeking"), with the distance that everything here is measured by;
    two pictures need not be farther apart than two photos are.
    """

    def _descend(self, layouts, views, noise, mask):
        count = len(layouts)
        fresh = torch.Generator().manual_seed(int(noise.style[0, 0].abs() * 2**40))
        other = Noise(
            torch.randn(noise.style.shape, generator=fresh),
            torch.randn(noise.grain.shape, generator=fresh),
        )
        if not noise.style.any():  # pre-training
            return super()._descend(layouts, views, noise, mask)
        both = Noise(torch.cat([noise.style, other.style]), torch.cat([noise.grain, other.grain]))
        with self._cast():
            pictures = self.net(layouts.repeat(2, 1, 1), both)
        seen = self.distance.views(pictures)
        near = self.distance.between(seen, [v.repeat(2, 1, 1, 1) for v in views]).mean()
        apart = self.distance.between([v[:count] for v in seen], [v[count:] for v in seen])
        loss = near - DIVERSITY * apart.clamp_max(1).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": float(loss.detach())}


class Sampler:
    """Pictures of a trained arm for a layout and codes; each has grain of its own."""

    def __init__(self, learned: AppearanceTrainee, *, bank: bool) -> None:
        self.learned, self.bank = learned, bank

    def codes(self, count: int, rng: np.random.Generator) -> torch.Tensor:
        """float [count, style]: as in learning, or of those that photos chose."""
        if self.bank:
            return self.learned.bank[
                torch.from_numpy(rng.integers(0, len(self.learned.bank), count))
            ]
        shape = (count, self.learned.sizes.style)
        return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))

    def pictures(self, layout: np.ndarray, codes: torch.Tensor, index: int) -> np.ndarray:
        """float32 [codes, H, W, 3] in 0..1"""
        rng = rng_for(7, index, Stream.RENDER)
        grain = noise_from([rng] * len(codes), self.learned.sizes).grain
        layouts = torch.from_numpy(layout)[None].expand(len(codes), -1, -1)
        made = []
        with torch.inference_mode():
            for rows in torch.arange(len(codes)).split(48):
                with self.learned._cast():
                    made.append(self.learned.net(layouts[rows], Noise(codes[rows], grain[rows])))
        return torch.cat(made).clamp(0, 1).permute(0, 2, 3, 1).numpy()
