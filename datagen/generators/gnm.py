"""Frames that GNM has learned from pictures alone, with the objects that it drew them from."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field

from datagen.edits import NO_EDITS, Edits
from datagen.errors import InputError
from datagen.frame import Frame
from datagen.grammar import Grammar
from datagen.interfaces import Component, Finder, Rngs
from datagen.learning.gnm.editing import edited
from datagen.learning.gnm.finding import found_in
from datagen.learning.gnm.objects import filled, frame_of, numbered
from datagen.learning.gnm.weights import load_gnm_model
from datagen.models.gnm import Noise, Objects
from datagen.taught import weights_of

_FULL = 0.95  # of the cells of all samples: more objects than that are none


class Generator(Component):
    """`weights`: the gnm.safetensors of a run of `datagen learn`; none before it has run.

    All objects are of one category. Where they overlap, a pixel is of the one that gives it most.
    """

    gives: ClassVar[type[Frame]] = Frame
    weights: str | None = None
    # How much of the spread of an object's appearance is sampled. At 0, the paper's way, each is
    # the most likely one of its layout; above, looks are more diverse and less sure to fit.
    style: float = Field(default=0.0, ge=0, le=1)
    # Light, or opacity, from which on a pixel is part of an object, of 0..1; none: .3 of light, as
    # the strokes of digits fade, and half of opacity.
    threshold: float | None = Field(default=None, gt=0, lt=1)

    def may_edit(self) -> bool:
        return True

    def check_worth(self, grammar: Grammar) -> None:
        model, _ = load_gnm_model(self._file, grammar)
        share = filled(model, self.threshold)
        if share == 0:
            raise InputError(
                f"{self._file}: shows no object in any sample: its background paints them, or "
                "they are too dark; learn with another seed or for longer, or set another "
                "learn.gnm.size"
            )
        if share > _FULL:
            raise InputError(
                f"{self._file}: shows an object in {share:.0%} of all cells, so it cuts pictures "
                "into cells and not into objects; learn for longer, with a larger learn.gnm.cell, "
                "or with a background (learn.gnm.background)"
            )

    @contextmanager
    def open(
        self, grammar: Grammar, variants: Sequence[Edits] = (NO_EDITS,)
    ) -> Iterator[Callable[[Rngs], list[Frame]]]:
        model, category = load_gnm_model(self._file, grammar)
        number = grammar.categories.index(category) + 1

        @torch.inference_mode()
        def made(rng: np.random.Generator) -> list[Frame]:
            # One picture at a time: in a larger batch, rounding would depend on its neighbours.
            objects = model.generate(Noise.of(model.sizes, rng, 1), self.style)
            return [shown(objects, edits, rng) for edits in variants]

        def shown(objects: Objects, edits: Edits, rng: np.random.Generator) -> Frame:
            numbers = None
            if edits:
                numbers = numbered(model, objects, self.threshold)
                objects, numbers = edited(model, objects, numbers, edits, rng)
            names = grammar.categories
            return frame_of(model, objects, number, names, self.threshold, numbers)

        yield lambda rngs: [frame for rng in rngs for frame in made(rng)]

    def may_find(self) -> bool:
        return True

    @contextmanager
    def open_finder(self, grammar: Grammar) -> Iterator[Finder]:
        model, category = load_gnm_model(self._file, grammar)
        yield Finder(
            (category,), lambda photos: [found_in(model, one, self.threshold) for one in photos]
        )

    @property
    def _file(self) -> Path:
        return weights_of("generator", "gnm", self.weights)
