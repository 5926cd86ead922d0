"""Pictures that a renderer rejects: made anew, counted, told, and given up with a clear line."""

import json
import shutil

import numpy as np
import pytest
from faulty import WORLD

from datagen import pipeline
from datagen.dataset.verify import verify
from datagen.errors import ImageError, PartialError, RecipeError
from datagen.recipe import load
from datagen.rng import Stream, rng_for


@pytest.fixture
def pictures(write_recipe):
    """A recipe whose generator makes pictures, and turns some away."""

    def make(gate, renderers=""):
        lines = ["count = 7", "shard_size = 3", *renderers.splitlines()]
        lines += ["[generator]", 'use = "gated:Generator"', f"gate = {gate}"]
        return write_recipe(WORLD, "\n".join(lines) + "\n")

    return make


@pytest.fixture
def recipe(write_recipe):
    def make(gate=None, weights=None, **keys):
        lines = [f"{key} = {value}" for key, value in {"count": 7, "shard_size": 3, **keys}.items()]
        lines += ["[[renderers]]", 'use = "gated:Renderer"']
        lines += [] if gate is None else [f"gate = {gate}"]
        lines += [] if weights is None else [f'weights = "{weights}"']
        return load(write_recipe(WORLD, "\n".join(lines) + "\n"))

    return make


def shards(folder):
    return [json.loads(p.read_text()) for p in sorted(folder.glob("shards/*/shard.json"))]


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_the_first_attempt_draws_from_the_stream_that_it_always_had():
    first = rng_for(3, 7, Stream.SCENE)
    assert first.random() == rng_for(3, 7, Stream.SCENE, 0).random()
    later = [rng_for(3, 7, Stream.SCENE, attempt).random() for attempt in range(20)]
    assert len(set(later)) == 20


def test_a_gate_that_lets_all_through_changes_no_picture_and_is_told(recipe, tmp_path):
    free = pipeline.generate(recipe(), tmp_path / "free")
    gated = pipeline.generate(recipe(gate=0.0), tmp_path / "gated")
    assert free.dataset_digest == gated.dataset_digest
    assert all("rejected" not in facts for facts in shards(tmp_path / "free"))
    assert [facts["rejected"] for facts in shards(tmp_path / "gated")] == [[0] * 3, [0] * 3, [0]]
    assert "rejected_attempts" not in manifest(tmp_path / "free")
    assert manifest(tmp_path / "gated")["rejected_attempts"] == 0
    assert "rejected" not in (tmp_path / "free/README.md").read_text()
    assert "0 of 7 attempts (0.0%)" in (tmp_path / "gated/README.md").read_text()


def test_rejected_attempts_are_counted_and_the_image_is_another_one(recipe, tmp_path):
    made = recipe(gate=0.5)
    with pipeline.opened(made) as make_frame:
        counts = [make_frame(k).rejected for k in range(7)]
        assert sum(counts) > 0 and 0 in counts
    with pipeline.opened(recipe()) as make_frame:
        free = [make_frame(k).frame.image for k in range(7)]
    pipeline.generate(made, tmp_path / "d", workers=2)
    assert [n for facts in shards(tmp_path / "d") for n in facts["rejected"]] == counts
    assert manifest(tmp_path / "d")["rejected_attempts"] == sum(counts)
    card = (tmp_path / "d/README.md").read_text()
    assert f"{sum(counts)} of {7 + sum(counts)} attempts" in card
    assert verify(tmp_path / "d").findings == ()
    assert pipeline.verify(tmp_path / "d", rerender=1.0).findings == ()
    for k, count in enumerate(counts):
        _, frame = pipeline.regen(tmp_path / "d", k)
        assert np.array_equal(frame.image, free[k]) == (count == 0)


def test_a_gate_that_nothing_passes_names_the_image_the_score_and_the_remedy(recipe, tmp_path):
    words = (
        r"image 0: 20 pictures of it were rejected; of the best, the coin said 0\.\d\d; "
        "lower the `gate`"
    )
    with pipeline.opened(recipe(gate=1.1)) as make_frame, pytest.raises(ImageError, match=words):
        make_frame(0)
    with pytest.raises(PartialError, match="3 of 3 shards cannot be made; .* lower the `gate`"):
        pipeline.generate(recipe(gate=1.1), tmp_path / "d")


def test_weights_of_renderers_come_into_the_dataset_and_make_its_images_again(recipe, tmp_path):
    file = tmp_path / "run/look.bin"
    file.parent.mkdir()
    file.write_text("a network")
    made = recipe(weights=file)
    pipeline.generate(made, tmp_path / "d")
    stored = json.loads((tmp_path / "d/recipe.json").read_text())
    assert stored["renderers"][0]["weights"]["source"] == "renderer-0.bin"
    assert (tmp_path / "d/renderer-0.bin").read_text() == "a network"
    assert "renderer-0.bin" in manifest(tmp_path / "d")["files"]
    assert "weights of `gated:Renderer`" in (tmp_path / "d/README.md").read_text()
    shutil.rmtree(tmp_path / "run")
    shutil.move(tmp_path / "d", tmp_path / "elsewhere")
    assert pipeline.verify(tmp_path / "elsewhere", rerender=1.0).findings == ()
    (tmp_path / "elsewhere/renderer-0.bin").write_text("another")
    with pytest.raises(RecipeError, match="renderers.0.weights: .* is not what this recipe"):
        pipeline.regen(tmp_path / "elsewhere", 0)
    assert [f.file for f in verify(tmp_path / "elsewhere").findings] == ["renderer-0.bin"]


def test_a_dataset_with_weights_is_resumed_where_they_are_gone_from_its_folder(recipe, tmp_path):
    file = tmp_path / "look.bin"
    file.write_text("a network")
    made = recipe(weights=file)
    whole = pipeline.generate(made, tmp_path / "d")
    (tmp_path / "d/renderer-0.bin").unlink()
    (tmp_path / "d/_COMPLETE").unlink()
    shutil.rmtree(next(iter((tmp_path / "d/shards").iterdir())))
    assert pipeline.generate(made, tmp_path / "d", resume=True).dataset_digest == (
        whole.dataset_digest
    )


def test_a_generator_of_pictures_may_reject_as_a_renderer_may(pictures, tmp_path):
    made = load(pictures(0.5, "renderers = []"))
    with pipeline.opened(made) as make_frame:
        counts = [make_frame(k).rejected for k in range(7)]
    assert sum(counts) > 0 and 0 in counts
    pipeline.generate(made, tmp_path / "d")
    assert [n for facts in shards(tmp_path / "d") for n in facts["rejected"]] == counts
    assert manifest(tmp_path / "d")["rejected_attempts"] == sum(counts)
    assert f"{sum(counts)} of {7 + sum(counts)} attempts" in (tmp_path / "d/README.md").read_text()
    assert pipeline.verify(tmp_path / "d", rerender=1.0).findings == ()
    never = load(pictures(1.1, "renderers = []"))
    words = "20 pictures of it were rejected; of the best, the"
    with pipeline.opened(never) as make_frame, pytest.raises(ImageError, match=words):
        make_frame(0)


def test_a_generator_of_pictures_needs_no_renderer_and_a_recipe_with_one_is_told_so(pictures):
    with pytest.raises(
        RecipeError, match=r"`gated:Generator` .* gives a Frame; .*renderers = \[\]"
    ):
        load(pictures(0.5))
