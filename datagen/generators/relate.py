"""Pictures that RELATE has learned to compose of objects, labelled by toggling each object."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from datagen.edits import NO_EDITS, Edits
from datagen.errors import InputError
from datagen.frame import Frame
from datagen.grammar import Grammar
from datagen.interfaces import Component, Rngs
from datagen.learning.relate.editing import edited
from datagen.learning.relate.toggling import (
    CUT,
    GATE,
    frame_of,
    soundness,
    taken_apart,
    toggled,
)
from datagen.learning.relate.trust import refuse_worthless, reject_unsound
from datagen.learning.relate.weights import Relate, load_relate_model
from datagen.models.relate import draw_latents
from datagen.settings.relate import Count
from datagen.taught import weights_of


class Generator(Component):
    """`weights`: the relate.safetensors of a run of `datagen learn`; none before it has run.

    All objects have one category. Their silhouettes end at the picture's border: what lies beyond
    is not known.
    """

    gives: ClassVar[type[Frame]] = Frame
    weights: str | None = None
    objects: tuple[Count, Count] | None = None  # fewest, most; None: as in what it learned from
    # What changes by more than this share of an object's largest change, when it is taken away,
    # belongs to it.
    cut: float = Field(default=CUT, gt=0, lt=1)
    # Least soundness of a picture's labels, 0 to 1; another one is made in place of one below it.
    # 0: all are kept.
    gate: float = Field(default=GATE, ge=0, le=1)
    # Half-width of the background's latents: below 1 backgrounds are more like the typical one.
    truncation: float = Field(default=1.0, gt=0, le=1)

    def may_reject(self) -> bool:
        return self.gate > 0

    def check_worth(self, grammar: Grammar) -> None:
        model = load_relate_model(self._file, grammar)
        refuse_worthless(self._file, model, self._objects(model), self.cut, self.gate)

    def may_edit(self) -> bool:
        return True

    @contextmanager
    def open(
        self, grammar: Grammar, variants: Sequence[Edits] = (NO_EDITS,)
    ) -> Iterator[Callable[[Rngs], list[Frame]]]:
        model = load_relate_model(self._file, grammar)
        objects = self._objects(model)

        def made(rng: np.random.Generator) -> Iterator[Frame]:
            return self._made(model, objects, grammar, rng, variants)

        yield lambda rngs: [frame for rng in rngs for frame in made(rng)]

    @property
    def _file(self) -> Path:
        return weights_of("generator", "relate", self.weights)

    def _objects(self, model: Relate) -> tuple[int, int]:
        fewest, most = model.objects if self.objects is None else self.objects
        if fewest > most or most == 0:
            raise InputError(
                f"generator.objects: [{fewest}, {most}] must be the fewest and the most objects of "
                "a picture, the most at least 1"
            )
        return fewest, most

    def _made(
        self,
        model: Relate,
        objects: tuple[int, int],
        grammar: Grammar,
        rng: np.random.Generator,
        variants: Sequence[Edits],
    ) -> Iterator[Frame]:
        latents = draw_latents(model.net.sizes, rng, 1, objects)
        latents.background.mul_(self.truncation)
        (sample,) = toggled(model.net, latents)
        reject_unsound([soundness(sample, model.usual, self.cut)], self.gate)
        names = grammar.categories, grammar.stuffs
        for edits in variants:
            shown, numbers = sample, None
            if edits:
                scene, numbers = edited(model.net, latents, edits, rng)
                shown = taken_apart(model.net, scene)
            yield frame_of(shown, model.category, *names, self.cut, numbers)
