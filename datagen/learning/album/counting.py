"""How the counting network is trained: on an album of the prior, before any target is looked at."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from datagen.derivation import Derivation
from datagen.features.counts import MOST_ITEMS, Heads, RowHead
from datagen.grammar import Grammar
from datagen.learning.album.pages import Page
from datagen.learning.album.training import AlbumTrainee
from datagen.learning.album.widening import Wider
from datagen.learning.counts import Row, count_heads, count_in_row, count_things, rows
from datagen.models.counting import CountingNet, count_loss, poisson_loss
from datagen.recipe import Recipe
from datagen.rng import Stream, rng_for


def count_heads_of(recipe: Recipe) -> Heads:
    """Heads for the recipe's world; they reach as far as 4000 scenes of the album do."""
    grammar = recipe.world()
    wider = Wider(grammar)
    rngs = [rng_for(recipe.learn.seed, i, Stream.EVALUATE) for i in range(4000)]
    derivations = [wider.sample(rng) for rng in rngs]
    largest = count_things(grammar, derivations).max(0)
    return Heads(
        names=count_heads(grammar),
        categories=len(grammar.categories),
        classes=tuple(int(n) + 1 for n in largest),
        width=recipe.learn.features.width,
        rows=tuple(_row_head(grammar, row, derivations) for row in rows(grammar)),
    )


def _row_head(grammar: Grammar, row: Row, derivations: list[Derivation]) -> RowHead:
    mores = [repeat.more for repeat in grammar.repeats.values() if repeat.item == row.item]
    longest = max(1, *(sum(map(derivation.count, mores)) for derivation in derivations))
    longest = min(longest, MOST_ITEMS)  # what is in later ones is not told
    inside = count_in_row(grammar, row, derivations, longest).sum((0, 1))
    held = tuple(int(c) for c in np.flatnonzero(inside))
    return RowHead(item=row.item, axis=row.axis, items=longest, categories=held)


def counting_net(recipe: Recipe, heads: Heads) -> CountingNet:
    """An untrained network, which `learn.seed` alone decides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.learn.seed)
        return heads.net()


class CountingTrainee(AlbumTrainee[CountingNet]):
    """Trains the counting network: where things are, how many, and in which item of a row."""

    def __init__(self, recipe: Recipe, net: CountingNet) -> None:
        super().__init__(recipe, net, net.items)

    def lesson(self, page: Page) -> tuple[Tensor, Mapping[str, float]]:
        images, counts, places = map(torch.from_numpy, (page.images, page.counts, page.places))
        with torch.autocast("cpu", torch.bfloat16):
            seen = self.net(images)
        loss = poisson_loss(seen.density, places)
        loss = loss + count_loss(seen.logits, counts, self.net.classes)
        for told, inside in zip(seen.rows, page.rows, strict=True):
            loss = loss + poisson_loss(told, torch.from_numpy(inside))
        right = (self.net.most_likely(seen.logits) == counts).float().mean(0)
        return loss, {"accuracy": float(right.mean()), "accuracy_all": float(right[-1])}
