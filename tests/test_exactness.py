"""Ten thousand scenes of the shipped worlds, and not one label that its audit finds fault with."""

import pytest

from datagen import audit, labels, plugins
from datagen.derivation import sample_prior
from datagen.language import named
from datagen.placement import expand
from datagen.rng import Stream, rng_for
from renderers.raster import Renderer

SCENES = 2000  # of each of the five worlds
BATCH = 100


def test_there_are_five_worlds():
    assert len(plugins.names("grammars")) == 5  # else ten thousand is another number


@pytest.mark.parametrize("world", plugins.names("grammars"))
def test_two_thousand_scenes_have_no_finding(world):
    grammar = named(world)
    things = 0
    with Renderer().open(grammar) as render:
        for first in range(0, SCENES, BATCH):
            numbers = range(first, first + BATCH)
            rngs = [rng_for(11, n, Stream.SCENE) for n in numbers]
            scenes = [expand(grammar, sample_prior(grammar, rng), rng) for rng in rngs]
            for number, frame in zip(numbers, render(scenes, rngs), strict=True):
                annotations = labels.annotate(frame)
                things += len(annotations)
                assert audit.audit_frame(frame, annotations) == [], number
    assert things > SCENES
