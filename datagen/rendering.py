"""The renderers of a recipe as one callable."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from datagen.frame import Frame
from datagen.interfaces import Rngs
from datagen.recipe import Recipe

Render = Callable[[Sequence[Any], Rngs], list[Frame]]


@contextmanager
def opened_renderers(recipe: Recipe, passes: frozenset[str]) -> Iterator[Render]:
    """(scenes, one rng each) -> frames, through every renderer of the recipe in order."""
    grammar = recipe.world()
    with ExitStack() as stack:
        chain = [
            stack.enter_context(part.component("renderers").open(grammar, passes))
            for part in recipe.renderers
        ]

        def render(inputs: Sequence[Any], rngs: Rngs) -> list[Any]:
            for one in chain:
                inputs = one(inputs, rngs)
            return list(inputs)

        yield render
