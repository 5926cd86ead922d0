"""Derivations to pictures to features, on several processes; who works changes no bit."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from datagen.derivation import Derivation
from datagen.learning.features import CHUNK, CountFeatures
from datagen.models.counting import CountingNet
from datagen.placement import expand
from datagen.recipe import Recipe
from datagen.rendering import opened_renderers
from datagen.rng import Stream, rng_for

# (derivations, number of the first) -> uint8 [N, H, W, 3] or float32 [N, heads]; row n is a
# function of its derivation and of (learn.seed, number).
Paint = Callable[[Sequence[Derivation], int], np.ndarray]
Measure = Callable[[Sequence[Derivation], int], np.ndarray]


@contextmanager
def opened_painter(recipe: Recipe) -> Iterator[Paint]:
    """Pictures of derivations; a picture's rng draws its attributes by the prior, then pixels."""
    grammar = recipe.world()
    with opened_renderers(recipe) as render:

        def paint(derivations: Sequence[Derivation], first: int) -> np.ndarray:
            numbers = range(first, first + len(derivations))
            rngs = [rng_for(recipe.learn.seed, n, Stream.PICTURES) for n in numbers]
            scenes = [expand(grammar, d, rng) for d, rng in zip(derivations, rngs, strict=True)]
            return np.stack([frame.image for frame in render(scenes, rngs)])

        yield paint


@contextmanager
def opened_measure(
    recipe: Recipe, paint: Paint, features: CountFeatures, helpers: int
) -> Iterator[Measure]:
    """Features of derivations, by this process and `helpers` others with the same network.

    Processes rather than torch's threads: those wait for one another at every layer, and on a
    machine that does anything else they stand still.
    """
    with ExitStack() as stack:

        def own(derivations: Sequence[Derivation], first: int) -> np.ndarray:
            return features(paint(derivations, first))

        if helpers == 0:
            yield own
            return
        # Spawned: torch's threads and a renderer's GL context do not survive a fork.
        given = (recipe.encode(), features.net.classes, features.net.state_dict())
        pool = ProcessPoolExecutor(helpers, get_context("spawn"), _start, given)
        stack.callback(pool.shutdown, cancel_futures=True)

        def measure(derivations: Sequence[Derivation], first: int) -> np.ndarray:
            # Whole chunks: a picture's last bits depend on how many others share its batch.
            size = CHUNK * math.ceil(len(derivations) / (CHUNK * (helpers + 1)))
            waiting = [
                pool.submit(_help, derivations[start : start + size], first + start)
                for start in range(size, len(derivations), size)
            ]
            rows = own(derivations[:size], first)
            return np.concatenate([rows, *(one.result() for one in waiting)])

        yield measure


_helper: list[Measure] = []  # what a helper process does; opened once, gone with the process


def _start(recipe: dict[str, Any], classes: tuple[int, ...], state: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    decoded = Recipe.decode(recipe)
    net = CountingNet(len(decoded.world().categories), classes, decoded.learn.features.width)
    net.load_state_dict(state)
    features = CountFeatures(net)
    paint = opened_painter(decoded).__enter__()
    _helper.append(lambda derivations, first: features(paint(derivations, first)))


def _help(derivations: Sequence[Derivation], first: int) -> np.ndarray:
    return _helper[0](derivations, first)
