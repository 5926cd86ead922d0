"""One image again: with passes beside it, and through the same camera in other sizes."""

import boxes
import cv2
import numpy as np
import pytest

from datagen import pipeline, recipe


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regen")
    return pipeline.generate(recipe.load(boxes.write_recipe(folder, ["depth"])), folder / "d").out


def test_passes_are_written_beside_the_image_as_in_a_dataset(cli, dataset, tmp_path):
    wanted = ["--pass", "depth", "--pass", "normals", "--pass", "flow"]
    done = cli("regen", dataset, 2, "-o", tmp_path / "two.png", *wanted)
    assert done.code == 0, done.err
    names = {"two.png", "two.depth.npy", "two.normals.npy", "two.flow.png"}
    assert {path.name for path in tmp_path.iterdir()} >= names
    for ending in ("png", "depth.npy"):
        (stored,) = dataset.glob(f"shards/*/00000002.{ending}")
        assert (tmp_path / f"two.{ending}").read_bytes() == stored.read_bytes()


def test_passes_of_the_dataset_are_not_written_unasked(cli, dataset, tmp_path):
    (tmp_path / "o").mkdir()
    assert cli("regen", dataset, 0, "-o", tmp_path / "o/a.png").code == 0
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["a.png"]


def test_a_camera_gives_the_same_scene_in_another_size(cli, dataset, tmp_path):
    options = ["--size", "192x96", "--pass", "instance"]
    done = cli("regen", dataset, 1, "-o", tmp_path / "a.png", *options)
    assert done.code == 0, done.err
    assert cv2.imread(str(tmp_path / "a.png")).shape == (96, 192, 3)
    large = cv2.imread(str(tmp_path / "a.instance.png"), cv2.IMREAD_UNCHANGED)
    _, small = pipeline.regen(dataset, 1)
    again = large[::2, ::2] == small.instance_map
    assert np.mean(again) > 0.97


def test_flat_worlds_keep_their_size(cli, write_recipe, tmp_path):
    assert cli("generate", write_recipe(), "--out", tmp_path / "d").code == 0
    done = cli("regen", tmp_path / "d", 0, "--size", "96x64", "-o", tmp_path / "a.png")
    done.refused(2, "no camera sees this world", "leave --size out")
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--size", "1242"], ["1242", "WIDTHxHEIGHT"]),
        (["--size", "4x4"], ["4x4", "8 to 8192"]),
        (["--pass", "colour"], ["colour", "depth", "normals"]),
    ],
)
def test_unknown_sizes_and_passes_are_refused(cli, dataset, tmp_path, options, words):
    cli("regen", dataset, 0, "-o", tmp_path / "a.png", *options).refused(2, *words)


def test_a_pass_that_the_world_does_not_have_is_refused(cli, write_recipe, tmp_path):
    assert cli("generate", write_recipe(), "--out", tmp_path / "d").code == 0
    done = cli("regen", tmp_path / "d", 0, "--pass", "normals", "-o", tmp_path / "a.png")
    done.refused(2, "no normals")
    assert not (tmp_path / "a.png").exists()
