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
            # Each renderer has random numbers of its own: how many the first one needs for a scene
            # must not decide in which style the next one draws it.
            own = [(rng, *rng.spawn(len(chain[1:]))) for rng in rngs]
            for k, one in enumerate(chain):
                inputs = one(inputs, [streams[k] for streams in own])
            return list(inputs)

        yield render
