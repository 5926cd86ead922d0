"""Layouts that SemGAN has learned from label maps."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field

from datagen.edits import NO_EDITS, Edits
from datagen.frame import Layout
from datagen.grammar import Grammar
from datagen.interfaces import Component, Rngs
from datagen.learning.layout.editing import edited
from datagen.learning.layout.pieces import cleaned, layout_of
from datagen.learning.layout.weights import load_layout_model
from datagen.taught import weights_of


class Generator(Component):
    """`weights`: the layout.safetensors of a run of `datagen learn`; none before it has run.

    Things of one category that touch are one thing: a class map does not say where one ends.
    """

    gives: ClassVar[type[Layout]] = Layout
    weights: str | None = None
    # Pieces of fewer pixels are given to the class around them; 1: none are.
    smallest: int = Field(default=8, ge=1)
    # Standard deviation of the latents: below 1 layouts are more like the typical one.
    truncation: float = Field(default=1.0, gt=0, le=1)

    def may_edit(self) -> bool:
        return True

    @contextmanager
    def open(
        self, grammar: Grammar, variants: Sequence[Edits] = (NO_EDITS,)
    ) -> Iterator[Callable[[Rngs], list[Layout]]]:
        model = load_layout_model(weights_of("generator", "semgan", self.weights), grammar)

        def one(rng: np.random.Generator) -> Layout:
            # One layout at a time: in a larger batch, rounding would depend on its neighbours.
            z = self.truncation * rng.standard_normal((1, model.latent), "float32")
            with torch.inference_mode():
                output = model(torch.from_numpy(z))
            class_map = output[0].argmax(0).numpy().astype(np.uint8)
            return layout_of(cleaned(class_map, self.smallest), grammar.categories, grammar.stuffs)

        def made(rng: np.random.Generator) -> Iterator[Layout]:
            layout = one(rng)
            yield from (edited(layout, edits) if edits else layout for edits in variants)

        yield lambda rngs: [layout for rng in rngs for layout in made(rng)]
