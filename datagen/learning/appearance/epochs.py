"""Outer epochs: which pairs are looked at, and in which order steps are made on them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from datagen.learning.appearance.distance import Distance
from datagen.learning.appearance.pairs import Cache
from datagen.learning.appearance.rarity import Survey, balanced, masks, rarities, survey
from datagen.rng import Stream, rng_for
from datagen.settings.appearance import AppearanceLearning

_AT_ONCE = 8  # photos that the distance's network sees together


@dataclass(frozen=True)
class Epoch:
    """The pairs of an outer epoch in memory."""

    number: int
    layouts: Tensor  # uint8 [S, H, W]
    views: list[Tensor]  # of the photos: what the distance compares
    mask: Tensor | None  # float [S, H, W], weights of pixels
    order: Tensor  # int64: rows of all steps, one after the other; on the CPU
    draws: int

    def rows(self, inner: int, batch: int) -> Tensor:
        """The rows of a step."""
        return self.order[inner * batch : (inner + 1) * batch]

    def candidates(self, rows: Tensor) -> Tensor:
        """int64 [rows, draws]: the numbers of the noises of these rows."""
        first = (self.number * len(self.layouts) + rows) * self.draws
        return first[:, None] + torch.arange(self.draws)


class Epochs:
    """Opens outer epochs; each is a function of the seed and its number."""

    def __init__(
        self,
        pairs: Cache,
        classes: int,
        distance: Distance,
        settings: AppearanceLearning,
        seed: int,
        device: torch.device,
    ) -> None:
        self._pairs, self._classes, self._distance = pairs, classes, distance
        self._settings, self._seed, self._device = settings, seed, device

    @cached_property
    def survey(self) -> Survey:
        """One look at all pairs."""
        return survey(self._pairs, self._classes)

    @cached_property
    def rarity(self) -> np.ndarray:
        return rarities(self.survey.colours, self._settings.rarity_clip)

    def open(self, number: int) -> Epoch:
        settings = self._settings
        rng = rng_for(self._seed, settings.pretraining + 1 + number, Stream.APPEARANCE)
        items = self._items(rng)
        laps = -(-settings.steps * settings.batch // len(items))
        order = np.concatenate([rng.permutation(len(items)) for _ in range(laps)])
        layouts, photos = self._pairs.batch(items)
        with torch.no_grad():
            some = (part.to(self._device) for part in photos.split(_AT_ONCE))
            parts = [self._distance.views(part) for part in some]
        views = [torch.cat(maps) for maps in zip(*parts, strict=True)]
        mask = None
        if settings.mask:
            mask = torch.from_numpy(masks(layouts.numpy(), self.rarity[items])).to(self._device)
        rows = torch.from_numpy(order)
        return Epoch(number, layouts.to(self._device), views, mask, rows, settings.draws)

    def _items(self, rng: np.random.Generator) -> np.ndarray:
        settings = self._settings
        if settings.rebalancing:
            classes = self.survey.largest(settings.balanced)
            return balanced(self.rarity, classes, settings.layouts, rng)
        laps = -(-settings.layouts // len(self._pairs))
        items = np.concatenate([rng.permutation(len(self._pairs)) for _ in range(laps)])
        return items[: settings.layouts]
