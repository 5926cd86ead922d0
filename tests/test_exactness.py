"""Over ten thousand scenes of the shipped worlds, and no label that its audit finds fault with."""

import pytest

from datagen import audit, labels, plugins
from datagen.derivation import sample_prior
from datagen.interfaces import LABELS
from datagen.language import named
from datagen.placement import expand
from datagen.rng import Stream, rng_for
from renderers import mesh, raster

SCENES = {  # of those whose pictures are larger and hold more
    "arrow_room": 60,
    "balls_in_bowl": 500,
    "balls_in_bowl_3d": 60,
    "balls_in_bowl_dense": 500,
    "clevr_like": 60,
    "mnist_10": 300,
    "mnist_4": 300,
    "mnist_4_10": 300,
    "shape_stacks": 60,
    "street_2d": 500,
    "street_rural": 60,
    "street_simple": 60,
    "street_suburban": 60,
    "street_urban": 60,
    "traffic": 500,
}
MOST = 2000  # of each of the others
BATCH = 20
SOLID = (
    *("street_rural", "street_simple", "street_suburban", "street_urban"),
    *("arrow_room", "balls_in_bowl_3d", "clevr_like", "shape_stacks"),
)


def test_there_are_over_ten_thousand_scenes():
    assert sum(SCENES.get(world, MOST) for world in plugins.names("grammars")) > 10_000


def worlds():
    return [
        pytest.param(world, marks=pytest.mark.opengl) if world in SOLID else world
        for world in plugins.names("grammars")
    ]


@pytest.mark.parametrize("world", worlds())
def test_scenes_of_the_prior_have_no_finding(world):
    grammar, count = named(world), SCENES.get(world, MOST)
    things = 0
    renderer = mesh.Renderer(supersample=1) if world in SOLID else raster.Renderer()
    with renderer.open(grammar, frozenset((LABELS,))) as render:
        for first in range(0, count, BATCH):
            numbers = range(first, first + BATCH)
            rngs = [rng_for(11, n, Stream.SCENE) for n in numbers]
            scenes = [expand(grammar, sample_prior(grammar, rng), rng) for rng in rngs]
            for number, frame in zip(numbers, render(scenes, rngs), strict=True):
                annotations = labels.annotate(frame)
                things += len(annotations)
                assert audit.audit_frame(frame, annotations) == [], number
    assert things >= count
