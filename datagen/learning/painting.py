"""Derivations to pictures."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from datagen.derivation import Derivation
from datagen.learning.moving import Moved
from datagen.placement import expand
from datagen.recipe import Recipe
from datagen.rendering import opened_renderers
from datagen.rng import Stream, rng_for

# (derivations, number of the first) -> uint8 [N, H, W, 3]; a picture is a function of its
# derivation and of (learn.seed, number).
Paint = Callable[[Sequence[Derivation], int], np.ndarray]


@contextmanager
def opened_painter(recipe: Recipe, moved: Moved | None = None) -> Iterator[Paint]:
    """Pictures of derivations; a picture's rng draws its attributes by the prior, then pixels.

    In between `moved`, if given, turns the prior's attributes into learned ones.
    """
    grammar = recipe.world()
    with opened_renderers(recipe) as render:

        def paint(derivations: Sequence[Derivation], first: int) -> np.ndarray:
            numbers = range(first, first + len(derivations))
            rngs = [rng_for(recipe.learn.seed, n, Stream.PICTURES) for n in numbers]
            scenes = [expand(grammar, d, rng) for d, rng in zip(derivations, rngs, strict=True)]
            scenes = scenes if moved is None else moved(scenes)
            return np.stack([frame.image for frame in render(scenes, rngs)])

        yield paint
