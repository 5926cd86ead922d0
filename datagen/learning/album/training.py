"""How feature networks are trained: page after page of an album of the prior."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from datagen.learning.album.pages import Page, album
from datagen.learning.run import restore, state_of
from datagen.recipe import Recipe

Net = TypeVar("Net", bound=nn.Module)


class AlbumTrainee(ABC, Generic[Net]):
    """A network on the album of the prior, for `train` of learning.loop.

    `items`: of each row of the world, how many of its items the pages tell about.
    """

    def __init__(self, recipe: Recipe, net: Net, items: tuple[int, ...]) -> None:
        self.recipe, self.net, self.items = recipe, net, items
        self.settings = recipe.learn.features
        self.optimizer = torch.optim.AdamW(net.parameters(), self.settings.learning_rate)
        self.pages: Iterator[Page] = iter(())

    @abstractmethod
    def lesson(self, page: Page) -> tuple[Tensor, Mapping[str, float]]:
        """The loss of one page, and what else is to be recorded."""

    @property
    def steps(self) -> int:
        return max(1, self.settings.images // self.settings.batch)

    def begin(self, step: int) -> None:
        self.pages = iter(album(self.recipe, self.items, self.settings.batch, step, self.steps))

    def step(self, k: int) -> Mapping[str, float]:
        page = next(self.pages)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * _warm_cosine(k / self.steps)
        self.net.train()
        loss, readings = self.lesson(page)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": float(loss.detach()), **readings}

    def tensors(self) -> dict[str, Tensor]:
        return state_of(self.net, self.optimizer)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.net, self.optimizer, tensors)


def _warm_cosine(done: float) -> float:
    """Learning-rate factor: up over the first tenth, then down along a cosine."""
    if done < 0.1:
        return 0.05 + 9.5 * done
    return 0.5 * (1 + np.cos(np.pi * (done - 0.1) / 0.9)) + 1e-3
