"""`datagen train`: which pictures are learned from, and which are validated on."""

import itertools
import json

import pytest
from taught import write_squares
from trainings import taught

from datagen.detecting.job import train
from datagen.detecting.lessons import lesson
from datagen.detecting.material import material, parted
from datagen.reading import read
from datagen.settings.train import Train


@pytest.mark.parametrize("share", [0.1, 0.25, 1 / 3, 0.5, 0.9])
def test_pictures_are_held_out_evenly_and_by_their_place_alone(share):
    kept, held = parted(100, share)
    assert sorted(kept + held) == list(range(100))
    assert abs(len(held) - 100 * share) <= 1
    assert max(b - a for a, b in itertools.pairwise(held)) <= -(-1 // share) + 1
    longer = parted(150, share)[1]
    assert longer[: len(held)] == held


def test_one_picture_of_few_is_held_out_and_never_the_only_one():
    assert parted(3, 0.1) == ([0, 1], [2])
    assert parted(1, 0.5) == ([0], [])
    assert parted(4, 0.0) == ([0, 1, 2, 3], [])


def test_separate_pictures_are_validated_on_in_the_same_categories(squares, tmp_path):
    other = write_squares(tmp_path / "other", 4, ("Quadrat", "disc"))
    more = ('train.categories.quad=["square", "Quadrat"]', "train.steps=5")
    report = taught(squares, tmp_path / "run", *more, val=read(other))
    result = json.loads((tmp_path / "run" / "train.json").read_text())
    assert report.pictures == 12
    assert result["categories"] == ["quad"]
    assert result["things"] == {"training": {"quad": 12}, "validation": {"quad": 4}}
    assert "`Quadrat`" in " ".join(report.remarks)


def test_validation_pictures_that_are_learned_from_are_told(squares, tmp_path):
    labelled = read(squares)
    both = material(labelled.part(range(8)), labelled.part(range(6, 10)), Train())
    assert any("2 of the 4 validation pictures are learned from" in one for one in both.remarks)
    held_out = material(labelled, None, Train(holdout=0.5))
    assert not any("learned from" in one for one in held_out.remarks)


def test_a_recipe_makes_its_pictures_in_the_run_and_gives_its_settings(write_recipe, tmp_path):
    text = """
        count = 6
        shard_size = 3
        [train]
        steps = 2
        [train.detector]
        use = "taught:Detector"
    """
    given = lesson(str(write_recipe(recipe=text)), ["train.batch=1"])
    assert (given.settings.steps, given.settings.batch) == (2, 1)
    report = train(given, tmp_path / "run")
    dataset = tmp_path / "run" / "dataset"
    assert report.pictures == 5
    assert (dataset / "_COMPLETE").is_file()
    train(given, tmp_path / "run", resume=True)
    # A dataset keeps the [train] section of its recipe.
    kept = lesson(str(dataset), ["train.steps=1"]).settings
    assert (kept.detector.use, kept.steps, kept.batch) == ("taught:Detector", 1, 1)


def test_what_no_picture_shows_is_told_in_one_line(tmp_path):
    labelled = read(write_squares(tmp_path / "squares", 4, ("square", "disc", "star")))
    both = material(labelled, None, Train(ignored=("squar",)))
    assert "No training picture shows `disc`, `star`: nothing of it will be found." in both.remarks
    assert "The training pictures have nothing called `squar`." in both.remarks
    assert not any("No validation picture" in one for one in both.remarks)


def test_names_to_ignore_mean_the_same_letters_or_else_either_case(tmp_path):
    labelled = read(write_squares(tmp_path / "squares", 4, ("square", "disc", "Disc")))
    assert labelled.called(("DISC", "star")) == ("disc", "Disc")
    assert labelled.called(("Disc", "Square")) == ("square", "Disc")
    both = material(labelled, None, Train(ignored=("DISC",)))
    assert both.training.categories == ("square",)
    assert not any("DISC" in one for one in both.remarks)
