"""How the embedding network is trained: on the album of the prior that trains `counts` as well."""

from collections.abc import Mapping

import torch
from torch import Tensor

from datagen.decoding import decode
from datagen.features.embedding import Embedding
from datagen.learning.album.counting import count_heads_of
from datagen.learning.album.pages import Page
from datagen.learning.album.training import AlbumTrainee
from datagen.learning.counts import rows
from datagen.models.presence import EmbeddingNet
from datagen.recipe import Recipe


def embedding_of(recipe: Recipe) -> Embedding:
    """What is to be taught for the recipe's world; counts reach as far as 4000 of the album do."""
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


class EmbeddingTrainee(AlbumTrainee[EmbeddingNet]):
    """Trains the embedding network to tell which things are there, or how many of each."""

    def __init__(self, recipe: Recipe, net: EmbeddingNet) -> None:
        # What rows hold is not taught.
        super().__init__(recipe, net, (1,) * len(rows(recipe.world())))

    def lesson(self, page: Page) -> tuple[Tensor, Mapping[str, float]]:
        images, counts = map(torch.from_numpy, (page.images, page.counts))
        counts = counts[:, : page.places.shape[1]]  # categories, without their sum
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.net(images)
        right = self.net.right(logits, counts)
        return self.net.loss(logits, counts), {"accuracy": float(right.float().mean())}
