"""Layout -> Frame: pixels by a network that conditional IMLE has taught what layouts look like.

Labels, depth and camera stay those of the layout; a Frame of another renderer gets new pixels.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from datagen.errors import InputError, RejectedError
from datagen.frame import Frame, Layout
from datagen.grammar import Grammar
from datagen.interfaces import Component, Rngs
from datagen.taught import weights_of

if TYPE_CHECKING:  # torch takes seconds to load: not before the renderer is opened
    from datagen.learning.appearance.weights import Appearance

Code = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Renderer(Component):
    """Learned pixels for a layout, in a style of its own or one for all.

    `weights` is the appearance.safetensors of a run of `datagen learn`.
    """

    takes: ClassVar[type[Layout]] = Layout

    weights: str | None = None
    # Number of one style for all; (3, 7, 0.25): a quarter of the way from style 3 to 7; None: each
    # picture has its own.
    code: Code | tuple[Code, Code, Share] | None = None
    # Least share of pixels in which the picture, looked at again, shows its layout's class; what
    # shows less is made again as another scene. 0: all are kept.
    gate: float = Field(default=0.0, ge=0, le=1)

    def may_reject(self) -> bool:
        return self.gate > 0

    @contextmanager
    def open(
        self, grammar: Grammar, passes: frozenset[str] = frozenset()
    ) -> Iterator[Callable[[Sequence[Layout], Rngs], list[Frame]]]:
        from datagen.learning.appearance.weights import load_appearance_model

        model = load_appearance_model(weights_of("renderers", "imle", self.weights), grammar)
        if self.gate > 0 and model.gate is None:
            raise InputError(
                f"{self.weights}: has no gate; learn with learn.appearance.gate_steps above 0, or "
                "leave `gate` out"
            )

        def render(layouts: Sequence[Layout], rngs: Rngs) -> list[Frame]:
            pairs = zip(layouts, rngs, strict=True)
            return [self._drawn(model, layout, rng) for layout, rng in pairs]

        yield render

    def _drawn(self, model: "Appearance", layout: Layout, rng: np.random.Generator) -> Frame:
        from datagen.learning.appearance import drawing, gate

        self._check_size(model, layout)
        if self.code is None:
            style = drawing.own_style(model, rng)
        else:
            style = drawing.coded_style(model, self.code)
        image = drawing.draw(model, layout.class_map, style, rng)
        if self.gate > 0 and model.gate is not None:
            shown = model.header.table[layout.class_map]
            score = gate.agreement(gate.found_classes(model.gate, image), shown)
            if score < self.gate:
                raise RejectedError(
                    f"{score:.0%} of the pixels show their layout, below the gate's "
                    f"{self.gate:.0%}; lower the renderer's `gate`, or learn the appearance for "
                    "longer",
                    score,
                )
        return repainted(layout, image)

    def _check_size(self, model: "Appearance", layout: Layout) -> None:
        learned = (model.header.width, model.header.height)
        if (layout.width, layout.height) != learned:
            raise InputError(
                f"{self.weights}: was learned at {learned[0]} x {learned[1]} px, and the layout "
                f"has {layout.width} x {layout.height}; set canvas = [{learned[0]}, {learned[1]}]"
            )


def repainted(layout: Layout, image: np.ndarray) -> Frame:
    """The layout, or a frame, with these pixels and all else as it is."""
    kept = {one.name: getattr(layout, one.name) for one in fields(layout) if one.name != "image"}
    return Frame(**kept, image=image)
