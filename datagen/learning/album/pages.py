"""An album of the prior: pictures rendered on the fly, with what they were made from."""

import math
import os
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from datagen.derivation import Derivation
from datagen.frame import Frame
from datagen.grammar import Grammar
from datagen.interfaces import LABELS
from datagen.learning.album.varying import varied
from datagen.learning.album.widening import Wider
from datagen.learning.arranging import lined_up, uncrowded
from datagen.learning.counts import count_in_row, count_things, rows
from datagen.models.counting import STRIDE
from datagen.placement import expand
from datagen.recipe import Recipe
from datagen.rendering import opened_renderers
from datagen.rng import Stream, rng_for
from datagen.scene import Scene

# Shares of the pictures.
_UNCROWDED = 0.3
_LINED_UP = 0.3


class Page(NamedTuple):
    """A batch of the album."""

    images: np.ndarray  # uint8 [B, H, W, 3]
    counts: np.ndarray  # int64 [B, heads]
    places: np.ndarray  # uint8 [B, categories, h, w], things centred in each cell
    rows: tuple[np.ndarray, ...]  # int64 [B, items, categories] of each row


def places(frame: Frame) -> np.ndarray:
    """uint8 [categories, h, w]: centres of amodal boxes; what lies outside counts at the border."""
    h, w = math.ceil(frame.height / STRIDE), math.ceil(frame.width / STRIDE)
    cells = np.zeros((len(frame.categories), h, w), np.uint8)
    for thing in frame.instances:
        rows, columns = thing.silhouette.mask.shape
        y = (thing.silhouette.y + rows / 2) / STRIDE
        x = (thing.silhouette.x + columns / 2) / STRIDE
        cells[thing.category - 1, min(max(int(y), 0), h - 1), min(max(int(x), 0), w - 1)] += 1
    return cells


class PriorAlbum(IterableDataset[Page]):
    """Pages `start` to `stop`; page b is a function of (recipe, learn.seed, b) alone."""

    def __init__(
        self, recipe: Recipe, items: tuple[int, ...], batch: int, start: int, stop: int
    ) -> None:
        super().__init__()
        self.recipe, self.batch, self.start, self.stop = recipe, batch, start, stop
        self.items = items  # of each row of the world

    def __iter__(self) -> Iterator[Page]:
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        grammar, seed = self.recipe.world(), self.recipe.learn.seed
        wider = Wider(grammar)
        with opened_renderers(self.recipe, frozenset((LABELS,))) as render:
            for number in range(self.start + first, self.stop, step):
                at = range(number * self.batch, (number + 1) * self.batch)
                rngs = [rng_for(seed, i, Stream.FEATURES) for i in at]
                derivations = [wider.sample(rng) for rng in rngs]
                scenes = [_scene(grammar, d, r) for d, r in zip(derivations, rngs, strict=True)]
                frames = render(scenes, rngs)
                share = self.recipe.learn.features.vary
                images = [varied(f.image, share, r) for f, r in zip(frames, rngs, strict=True)]
                yield Page(
                    np.stack(images),
                    count_things(grammar, derivations),
                    np.stack([places(frame) for frame in frames]),
                    tuple(
                        count_in_row(grammar, row, derivations, items)
                        for row, items in zip(rows(grammar), self.items, strict=True)
                    ),
                )


def _scene(grammar: Grammar, derivation: Derivation, rng: np.random.Generator) -> Scene:
    kind = rng.random()
    if kind < _UNCROWDED:
        return uncrowded(grammar, derivation, rng)
    if kind < _UNCROWDED + _LINED_UP:
        return lined_up(grammar, derivation, rng)
    return expand(grammar, derivation, rng)


def album(
    recipe: Recipe, items: tuple[int, ...], batch: int, start: int, stop: int
) -> DataLoader[Page]:
    """The album's pages in order, rendered by `learn.helpers` processes beside the caller."""
    helpers = recipe.learn.helpers
    return DataLoader(
        PriorAlbum(recipe, items, batch, start, stop),
        batch_size=None,
        # Arrays travel through a pipe. Tensors would take shared memory, which is small in
        # containers, and where it is full torch waits for ever.
        collate_fn=_as_it_is,
        worker_init_fn=_end_with_parent,
        num_workers=helpers,
        prefetch_factor=4 if helpers else None,
        multiprocessing_context="spawn" if helpers else None,
    )


def _end_with_parent(worker: int) -> None:
    """A worker whose parent was killed would wait for ever to hand over its last pages."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _as_it_is(page: Any) -> Any:  # torch types it for lists of samples; ours are whole pages
    return page
