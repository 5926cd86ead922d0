"""Scenes whose structure a Meta-Sim2 model chooses, and whose attributes Meta-Sim's moves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np

from datagen.grammar import Grammar
from datagen.interfaces import Component, Rngs
from datagen.learning.strings import derivations
from datagen.learning.weights import load_model
from datagen.scene import Scene


class Generator(Component):
    """`weights`: the model.safetensors of a run of `datagen learn`.

    What the run did not learn, structure or attributes, is as in the prior.
    """

    gives: ClassVar[type[Scene]] = Scene
    weights: str

    @contextmanager
    def open(self, grammar: Grammar) -> Iterator[Callable[[Rngs], list[Scene]]]:
        model = load_model(Path(self.weights), grammar)

        def one(rng: np.random.Generator) -> Scene:
            # One scene at a time: in a larger batch, rounding would depend on its neighbours.
            (derivation,) = derivations(grammar, model.structure, 1, rng)
            scene = model.place(derivation, rng)
            return scene if model.moved is None else model.moved([scene])[0]

        yield lambda rngs: [one(rng) for rng in rngs]
