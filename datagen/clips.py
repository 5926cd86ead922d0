"""What a recipe's generator gives for each image, by itself or as a frame of a clip."""

from collections.abc import Callable
from typing import Any

from datagen.interfaces import Rngs
from datagen.motion import frame_of
from datagen.recipe import Recipe
from datagen.rng import Stream, rng_for

Draw = Callable[[int, int], Any]  # (index of an image, attempt) -> what renderers get, or a Frame


def drawing(recipe: Recipe, generate: Callable[[Rngs], list[Any]]) -> Draw:
    """`generate` is the recipe's generator, open for images: clips of it are scenes in motion."""
    clips, grammar = recipe.clips, recipe.world()

    def by_itself(index: int, attempt: int) -> Any:
        return generate([rng_for(recipe.seed, index, Stream.SCENE, attempt)])[0]

    if clips is None:
        return by_itself

    def as_a_frame(index: int, attempt: int) -> Any:
        clip, number = clips.place(index)
        motion = rng_for(recipe.seed, clip, Stream.MOTION, attempt)
        return frame_of(grammar, by_itself(clip, attempt), clips, number, motion)

    return as_a_frame


def drawing_clips(recipe: Recipe, generate: Callable[[Rngs], list[list[Any]]]) -> Draw:
    """`generate` is the recipe's generator, open for clips of its own.

    The last clip is kept: it is as it would be made again, and the next image is mostly of it.
    """
    clips = recipe.clips
    assert clips is not None
    held: dict[tuple[int, int], list[Any]] = {}

    def draw(index: int, attempt: int) -> Any:
        clip, number = clips.place(index)
        if (clip, attempt) not in held:
            made = generate([rng_for(recipe.seed, clip, Stream.SCENE, attempt)])[0]
            held.clear()
            held[clip, attempt] = made
        return held[clip, attempt][number]

    return draw
