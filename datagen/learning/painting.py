"""Derivations to pictures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from datagen.derivation import Derivation
from datagen.learning.arranging import spaced
from datagen.learning.attributes.moving import Moved
from datagen.placement import expand
from datagen.recipe import Recipe
from datagen.rendering import opened_renderers
from datagen.rng import Stream, rng_for


class Paint(Protocol):
    """Derivations and the number of the first -> uint8 [N, H, W, 3].

    A picture is a function of its derivation, its arrangement and (learn.seed, number).
    `arrangements` [N] count through those of `learning.arranging.spaced`; none: all as written.
    """

    def __call__(
        self, derivations: Sequence[Derivation], first: int, arrangements: Sequence[int] = ()
    ) -> np.ndarray: ...


@contextmanager
def opened_painter(recipe: Recipe, moved: Moved | None = None) -> Iterator[Paint]:
    """Pictures of derivations; a picture's rng draws its attributes by the prior, then pixels.

    In between `moved`, if given, turns the prior's attributes into learned ones.
    """
    kinds = list(spaced(recipe.world()).values())
    with opened_renderers(recipe, frozenset()) as render:

        def paint(
            derivations: Sequence[Derivation], first: int, arrangements: Sequence[int] = ()
        ) -> np.ndarray:
            numbers = range(first, first + len(derivations))
            rngs = [rng_for(recipe.learn.seed, n, Stream.PICTURES) for n in numbers]
            chosen = [kinds[a] for a in arrangements or [0] * len(derivations)]
            scenes = [
                expand(grammar, derivation, rng)
                for grammar, derivation, rng in zip(chosen, derivations, rngs, strict=True)
            ]
            scenes = scenes if moved is None else moved(scenes)
            return np.stack([frame.image for frame in render(scenes, rngs)])

        yield paint
