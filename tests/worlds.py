"""Scenes of the prior, and what `raster` draws of them."""

from functools import cache

from datagen.derivation import sample_prior
from datagen.language import named
from datagen.placement import expand
from datagen.rng import Stream, rng_for
from renderers.raster import Renderer


def prior_scenes(grammar, numbers, seed=0):
    """The scenes of these images."""
    rngs = [rng_for(seed, k, Stream.SCENE) for k in numbers]
    return [expand(grammar, sample_prior(grammar, rng), rng) for rng in rngs]


@cache
def sample(world, count=200):
    """Scenes and frames of the first `count` images of a world."""
    grammar = named(world)
    scenes = prior_scenes(grammar, range(count))
    with Renderer().open(grammar) as draw:
        return scenes, draw(scenes, [rng_for(0, k, Stream.RENDER) for k in range(count)])
