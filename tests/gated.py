"""A renderer with a gate, and generators whose pictures or labels are refused; for tests only."""

from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from datagen import plugins
from datagen.errors import InputError, RejectedError
from datagen.frame import Frame
from datagen.interfaces import Component
from datagen.scene import Scene


class Renderer(Component):
    """The raster renderer; of its pictures the share `gate` is rejected. `weights`: any file."""

    takes: ClassVar[type[Scene]] = Scene
    gate: float | None = None
    weights: str | None = None

    def may_reject(self) -> bool:
        return self.gate is not None

    @contextmanager
    def open(self, grammar, passes):
        assert self.weights is None or Path(self.weights).read_text()

        def one(draw, scene, rng):
            score = rng.random()
            if self.gate is not None and score < self.gate:
                raise RejectedError(f"the coin said {score:.2f}; lower the `gate`", score)
            return draw([scene], [rng])[0]

        with plugins.load("renderers", "raster")().open(grammar, passes) as draw:
            yield lambda scenes, rngs: [
                one(draw, scene, rng) for scene, rng in zip(scenes, rngs, strict=True)
            ]


class Generator(Component):
    """Pictures of the prior as the raster renderer draws them; it needs no renderer after it."""

    gives: ClassVar[type[Frame]] = Frame
    gate: float | None = None

    def may_reject(self) -> bool:
        return self.gate is not None

    @contextmanager
    def open(self, grammar):
        prior = plugins.load("generators", "prior")()
        drawer = Renderer(gate=self.gate)
        with prior.open(grammar) as generate, drawer.open(grammar, frozenset()) as draw:
            yield lambda rngs: draw(generate(rngs), rngs)


class Judged(Generator):
    """One that has learned from `weights`; `verdict` is a file with what is wrong with it.

    How often it was asked is told by the lines of a file beside it.
    """

    weights: str | None = None
    verdict: str

    def check_worth(self, grammar):
        with Path(f"{self.verdict}.asked").open("a") as file:
            file.write("once\n")
        if words := Path(self.verdict).read_text():
            raise InputError(words)
