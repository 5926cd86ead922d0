"""Scenes from the grammar as it stands: structure and attributes by its own weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from datagen.derivation import sample_prior
from datagen.grammar import Grammar
from datagen.interfaces import Component, Rngs
from datagen.placement import expand
from datagen.scene import Scene


class Generator(Component):
    """The prior of the grammar; it has no options."""

    gives: ClassVar[type[Scene]] = Scene

    @contextmanager
    def open(self, grammar: Grammar) -> Iterator[Callable[[Rngs], list[Scene]]]:
        yield lambda rngs: [expand(grammar, sample_prior(grammar, rng), rng) for rng in rngs]
