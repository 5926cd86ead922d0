"""Clips that RELATE has learned to compose and to move, labelled by toggling in each frame."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from datagen.frame import Frame
from datagen.grammar import Grammar
from datagen.interfaces import Component, Rngs
from datagen.learning.relate.toggling import CUT, GATE, frame_of, soundness, taken_apart
from datagen.learning.relate.trust import refuse_worthless, reject_unsound
from datagen.learning.relate_clips.drawing import laid
from datagen.learning.relate_clips.weights import RelateClips, load_relate_clips_model
from datagen.models.relate import draw_latents
from datagen.taught import weights_of


class Generator(Component):
    """`weights`: the relate_clips.safetensors of a run of `datagen learn`; none before it has run.

    All objects have one category, and the k-th of a clip is the k-th in each of its frames.
    """

    gives: ClassVar[type[Frame]] = Frame
    weights: str | None = None
    # What changes by more than this share of an object's largest change, when it is taken away,
    # belongs to it.
    cut: float = Field(default=CUT, gt=0, lt=1)
    # Least soundness of labels, 0 to 1, in the mean of a clip's frames; another clip is made in
    # place of one below it. 0: all are kept.
    gate: float = Field(default=GATE, ge=0, le=1)

    def may_reject(self) -> bool:
        return self.gate > 0

    def check_worth(self, grammar: Grammar) -> None:
        still = load_relate_clips_model(self._file, grammar).still
        refuse_worthless(self._file, still, still.objects, self.cut, self.gate)

    def may_move(self) -> bool:
        return True

    @contextmanager
    def open(self, grammar: Grammar) -> Iterator[Callable[[Rngs], list[Frame]]]:
        """First frames of clips."""
        with self.open_clips(grammar, 1) as made:
            yield lambda rngs: [clip[0] for clip in made(rngs)]

    @contextmanager
    def open_clips(
        self, grammar: Grammar, frames: int
    ) -> Iterator[Callable[[Rngs], list[list[Frame]]]]:
        model = load_relate_clips_model(self._file, grammar)
        yield lambda rngs: [self._clip(model, grammar, frames, rng) for rng in rngs]

    @property
    def _file(self) -> Path:
        return weights_of("generator", "relate_clips", self.weights)

    def _clip(
        self, model: RelateClips, grammar: Grammar, frames: int, rng: np.random.Generator
    ) -> list[Frame]:
        net, still, names = model.still.net, model.still, (grammar.categories, grammar.stuffs)
        latents = draw_latents(net.sizes, rng, 1, still.objects)
        clip: list[Frame] = []
        scores: list[float] = []
        for scene in laid(net, model.motion, latents, frames, rng):
            sample = taken_apart(net, scene)  # many times a frame: none is kept
            scores.append(soundness(sample, still.usual, self.cut))
            clip.append(frame_of(sample, still.category, *names, self.cut))
        reject_unsound(scores, self.gate)
        return clip
