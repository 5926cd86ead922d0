"""The [train] section of a recipe, and the page that tells of it."""

import json

import pytest
from test_docs import code, defaults, page, rows, toml

from datagen import recipe
from datagen.errors import InputError
from datagen.parts import Part
from datagen.settings.train import Train


def test_the_section_of_training_changes_neither_digest(write_recipe):
    plain = recipe.load(write_recipe())
    other = recipe.load(write_recipe(recipe="count = 3\nshard_size = 2\n[train]\nsteps = 5\n"))
    assert other.train.steps == 5 != plain.train.steps
    assert (other.digest, other.learn_digest) == (plain.digest, plain.learn_digest)
    assert recipe.differences(plain, other) == []


def test_a_recipe_that_trains_is_cited_with_its_detector_and_detectors_are_listed(cli):
    assert "he2017maskrcnn" in cli("cite", "detector_aerial").out
    assert "he2017maskrcnn" not in cli("cite", "aerial").out
    assert cli("list", "detectors").out.split() == ["mask_rcnn"]


def test_files_of_the_section_are_frozen_with_their_content(write_recipe, tmp_path):
    text = """
        [train]
        start = "start.safetensors"
        [train.detector]
        size = "small"
        pretrained = "imagenet.pth"
    """
    path = write_recipe(recipe=text)
    for name in ("start.safetensors", "imagenet.pth"):
        (path.parent / name).write_text(name)
    made = recipe.load(path)
    assert made.train.detector.use == "mask_rcnn"
    sources = dict(made.train.sources())
    assert sources.keys() == {"train.start", "train.detector.pretrained"}
    assert all(len(source.sha256) == 64 for source in sources.values())
    assert recipe.Recipe.decode(made.encode()) == made
    (tmp_path / "recipe.json").write_text(json.dumps(made.encode()))
    changed = recipe.read(tmp_path / "recipe.json", ["train.detector.size=resnet50"])
    assert changed.train.detector.options["size"] == "resnet50"
    assert changed.train.pretrained == made.train.pretrained
    (path.parent / "imagenet.pth").write_text("another")
    with pytest.raises(InputError, match=r"train\.detector\.pretrained.*not what this recipe"):
        dict(recipe.read(tmp_path / "recipe.json").train.sources())[
            "train.detector.pretrained"
        ].check("train.detector.pretrained")


def test_training_md_has_every_setting_with_its_default():
    told = {
        code(key)[0]: toml(code(value)[0])
        for key, value, _ in rows(page("training.md"), "Settings")
    }
    real = {k: [] if v == () else v for k, v in defaults(Train(), "train").items()}
    assert told == real


def test_training_md_names_the_options_of_the_detector():
    text = page("training.md")
    table = text[text.index("`[train.detector]` of") : text.index("## The run folder")]
    options = Part(use="mask_rcnn").described("detectors").model_fields
    told = {line.split("`")[1]: line.split("`")[3] for line in table.splitlines() if "| `" in line}
    assert told.keys() == options.keys() - {"weights"}
    assert {k: toml(v) for k, v in told.items()} == {k: options[k].default for k in told}


def test_training_md_names_the_files_of_a_run(trained_run):
    names = {code(cell)[0].rstrip("/") for cell, _ in rows(page("training.md"), "The run folder")}
    made = {path.name for path in trained_run.iterdir() if not path.name.startswith(".")}
    assert names == made | {"dataset"}
