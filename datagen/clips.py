"""What a recipe's generator gives for each image, by itself or as a frame of a clip."""

from collections.abc import Callable
from typing import Any

from datagen.errors import RejectedError
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

    What came of the last clip is kept, also of attempts that were rejected: it would come again,
    and the next image is mostly of that clip.
    """
    clips = recipe.clips
    assert clips is not None
    tried: dict[tuple[int, int], list[Any] | RejectedError] = {}

    def attempted(clip: int, attempt: int) -> list[Any] | RejectedError:
        try:
            return generate([rng_for(recipe.seed, clip, Stream.SCENE, attempt)])[0]
        except RejectedError as error:
            return error.with_traceback(None)  # which would hold what was made

    def draw(index: int, attempt: int) -> Any:
        clip, number = clips.place(index)
        if any(other != clip for other, _ in tried):
            tried.clear()
        if (clip, attempt) not in tried:
            tried[clip, attempt] = attempted(clip, attempt)
        made = tried[clip, attempt]
        if isinstance(made, RejectedError):
            raise made
        return made[number]

    return draw
