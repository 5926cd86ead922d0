"""Recipes of RELATE and GNM at the papers' sizes: nobody has run them, but they can begin."""

import math
import re

import numpy as np
import pytest

from datagen import plugins, recipe
from datagen.dataset.targets import MAX_ARRAY_BYTES
from datagen.learning.photos.stages import Lesson
from datagen.rng import Stream, rng_for

pytestmark = pytest.mark.usefixtures("one_thread")
LARGE = [
    name
    for name in plugins.names("configs")
    if name.endswith("_large") and name.startswith(("relate_", "gnm_"))
]
every_recipe = pytest.mark.parametrize("name", LARGE)


def head(name: str) -> str:
    text = plugins.path_of("configs", name).read_text()
    return " ".join(line for line in text.splitlines() if line.startswith("#"))


def lesson(name: str) -> Lesson:
    """Of noise, with two pictures a step."""
    found = recipe.load(name)
    parts = ("gnm",) if name.startswith("gnm") else ("relate", "relate_clips")
    few = {part: getattr(found.learn, part).model_copy(update={"batch": 2}) for part in parts}
    found = found.model_copy(update={"learn": found.learn.model_copy(update=few)})
    width, height = found.world().canvas
    rng = rng_for(0, 0, Stream.PICTURES)
    pictures = rng.integers(0, 256, (20, height, width, 3), np.uint8)
    if "mnist" in name:
        pictures[:] = pictures[..., :1]
    windows = np.arange(4)[:, None] + np.arange(found.learn.relate_clips.frames)
    return Lesson(
        found, found.untaught()["generator"], pictures, windows if "clips" in name else None
    )


def parameters(net) -> float:
    """Millions."""
    return sum(values.numel() for values in net.parameters()) / 1e6


@every_recipe
def test_it_says_that_nobody_has_run_it_and_what_for(name):
    assert "NEVER RUN" in head(name) and "for a GPU" in head(name)
    assert "Not the paper's:" in head(name)


@every_recipe
def test_the_target_that_it_names_can_be_made_and_is_not_too_large(name):
    command = r"datagen generate (\w+)((?: --set \S+)*) --count (\d+) --out (\S+)"
    found = re.search(command, head(name))
    assert found is not None
    target, sets, count, out = found.groups()
    assert f"datagen learn {name} --target {out} --out " in head(name)
    made = recipe.load(target, [f"count={count}", *sets.split(" --set ")[1:]])
    learner = recipe.load(name)
    assert made.world().canvas == learner.world().canvas
    assert 3 * made.count * math.prod(made.world().canvas) <= MAX_ARRAY_BYTES
    if learner.clips is not None:
        assert made.clips is not None
        assert made.clips.frames >= learner.learn.relate_clips.frames


@pytest.mark.parametrize(
    ("name", "window", "ordered"),
    [
        ("relate_bowl_large", 8, False),
        ("relate_clevr_large", 4, False),
        ("relate_stacks_large", 4, True),
    ],
)
def test_relate_has_the_papers_sizes_and_takes_a_step(name, window, ordered):
    trainee = lesson(name).trainee
    sizes = trainee.sizes
    assert (sizes.cells, sizes.channels, sizes.window) == ((16, 16), 256, window)
    assert (sizes.interaction == "ordered") == ordered
    widths = [conv.layer.out_channels for conv in trainee.discriminator.convs]
    assert [trainee.discriminator.first.out_channels, *widths] == [64, 128, 256, 512, 1024]
    readings = trainee.step(0)
    assert all(math.isfinite(value) for value in readings.values())
    assert ("additive" in readings) == (name == "relate_bowl_large")


def test_relate_of_clips_begins_with_frames_of_the_same_sizes_and_finds_what_is_in_them():
    frames, clips = lesson("relate_bowl_large").trainee, lesson("relate_bowl_clips_large").trainee
    assert clips.still.sizes == frames.sizes
    readings = clips.step(clips.still.steps)
    assert set(readings) == {"poses found", "background found"}
    assert all(math.isfinite(value) for value in readings.values())


@pytest.mark.parametrize(
    ("name", "millions", "steps"),
    [
        ("gnm_mnist10_large", 2.9, 4),
        ("gnm_mnist4_10_large", 2.9, 8),
        ("gnm_arrow_room_large", 8.6, 4),
    ],
)
def test_gnm_has_the_papers_grid_and_about_its_parameters_and_takes_a_step(name, millions, steps):
    trainee = lesson(name).trainee
    sizes = trainee.model.sizes
    assert (sizes.grid, sizes.drawing, sizes.latent) == ((4, 4), steps, 32)
    assert sizes.channels == (1 if "mnist" in name else 3)
    assert parameters(trainee.model) == pytest.approx(millions, rel=0.05)
    readings = trainee.step(0)
    assert all(math.isfinite(value) for value in readings.values())


def test_every_recipe_of_these_is_built_here():
    """Whoever adds one adds it to the tests above."""
    bowls = {"relate_bowl_large", "relate_bowl_clips_large"}
    solids = {"relate_clevr_large", "relate_stacks_large", "gnm_arrow_room_large"}
    assert set(LARGE) == bowls | solids | {"gnm_mnist10_large", "gnm_mnist4_10_large"}
