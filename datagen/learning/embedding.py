"""How the embedding network is trained: on the album of the prior that trains `counts` as well."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from datagen.decoding import decode
from datagen.features.embedding import Embedding
from datagen.learning.counting import count_heads_of, warm_cosine
from datagen.learning.counts import rows
from datagen.learning.prior_images import Page, album
from datagen.learning.run import restore, state_of
from datagen.models.presence import EmbeddingNet
from datagen.recipe import Recipe


def embedding_of(recipe: Recipe) -> Embedding:
    """What is to be taught for the recipe's world; counts reach as far as 4000 prior scenes do."""
    settings, names = recipe.learn.features, recipe.world().categories
    heads = settings.options.get("heads", "presence")
    classes = count_heads_of(recipe).classes[: len(names)] if heads == "counts" else None
    taught = {"heads": heads, "names": names, "classes": classes, "width": settings.width}
    return decode(Embedding, taught, "learn.features.options")


def embedding_net(recipe: Recipe, taught: Embedding) -> EmbeddingNet:
    """An untrained network, which `learn.seed` alone decides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.learn.seed)
        return taught.net()


class EmbeddingTrainee:
    """Trains the embedding network on the album of the prior, for `train` of learning.loop."""

    def __init__(self, recipe: Recipe, net: EmbeddingNet) -> None:
        self.recipe, self.net = recipe, net
        self.settings = recipe.learn.features
        self.optimizer = torch.optim.AdamW(net.parameters(), self.settings.learning_rate)
        self.pages: Iterator[Page] = iter(())

    @property
    def steps(self) -> int:
        return max(1, self.settings.images // self.settings.batch)

    def begin(self, step: int) -> None:
        grammar = self.recipe.world()
        items = (1,) * len(rows(grammar))  # what rows hold is not taught
        self.pages = iter(album(self.recipe, items, self.settings.batch, step, self.steps))

    def step(self, k: int) -> Mapping[str, float]:
        page = next(self.pages)
        images, counts = map(torch.from_numpy, (page.images, page.counts))
        counts = counts[:, : page.places.shape[1]]  # categories, without their sum
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * warm_cosine(k / self.steps)
        self.net.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.net(images)
        loss = self.net.loss(logits, counts)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        right = self.net.right(logits, counts)
        return {"loss": float(loss.detach()), "accuracy": float(right.float().mean())}

    def tensors(self) -> dict[str, Tensor]:
        return state_of(self.net, self.optimizer)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.net, self.optimizer, tensors)
