"""Scenes to learn attributes from, and what is seen in their pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from datagen.derivation import Derivation
from datagen.errors import InputError
from datagen.features.counts import CHUNK
from datagen.grammar import Grammar
from datagen.learning.attributes.gradients import Batch, See
from datagen.learning.attributes.graphs import Vocabulary, graphs_of, vocabulary
from datagen.rendering import Render
from datagen.rng import Stream, rng_for
from datagen.scene import Scene

Derivations = Callable[[int, np.random.Generator], Sequence[Derivation]]  # (how many, rng)
Place = Callable[[Derivation, np.random.Generator], Scene]


@dataclass(frozen=True)
class Scenery:
    """Where scenes with the prior's attributes come from, and how their pictures are seen."""

    known: Vocabulary
    seed: int
    derivations: Derivations
    place: Place
    see: See

    @classmethod
    def of(
        cls, grammar: Grammar, seed: int, derivations: Derivations, place: Place, see: See
    ) -> "Scenery":
        """InputError for a grammar in which nothing is mutable."""
        known = vocabulary(grammar)
        if not known.kinds:
            raise InputError(
                f"{grammar.world} has no `mutable` attribute, so there is nothing to learn; write "
                "`mutable` behind those that learning may change"
            )
        return cls(known, seed, derivations, place, see)

    def batch(self, first: int, count: int, rng: np.random.Generator) -> Batch:
        """Scenes numbered from `first`; `rng` decides their structure, the number the rest."""
        numbers = range(first, first + count)
        rngs = [rng_for(self.seed, n, Stream.PRIOR_VALUES) for n in numbers]
        derivations = self.derivations(count, rng)
        scenes = [self.place(d, r) for d, r in zip(derivations, rngs, strict=True)]
        return Batch(self.known, scenes, numbers, graphs_of(self.known, scenes))


def viewer(render: Render, features: Callable[[np.ndarray], np.ndarray], seed: int) -> See:
    """Features [N, D] of the pictures that a renderer makes."""

    def see(scenes: Sequence[Scene], numbers: Sequence[int]) -> np.ndarray:
        rows = []
        for start in range(0, len(scenes), CHUNK):
            part = slice(start, start + CHUNK)
            rngs = [rng_for(seed, number, Stream.REPAINT) for number in numbers[part]]
            frames = render(scenes[part], rngs)
            rows.append(features(np.stack([frame.image for frame in frames])))
        return np.concatenate(rows)

    return see
