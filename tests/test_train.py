"""`datagen train`: what a run leaves, what it comes back to after a kill, what it refuses."""

import itertools
import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from conftest import ROOT
from safetensors.torch import load_file, save
from taught import Detector, Pupil, write_squares
from test_docs import code, defaults, page, rows, toml
from test_gallery import NASTY, Page, assert_strict

from datagen import recipe
from datagen.detecting import events
from datagen.detecting.job import train
from datagen.detecting.lessons import lesson
from datagen.detecting.material import material, parted
from datagen.detecting.teaching import Standing, Watched
from datagen.errors import InputError
from datagen.labelled import Labelled
from datagen.parts import Part
from datagen.reading import read
from datagen.train_settings import Train

QUICK = (
    "train.detector.use=taught:Detector",
    "train.steps=20",
    "train.validate_every=5",
    "train.checkpoint_every=4",
    "train.holdout=0.25",
)


def sets(*more):
    return [word for text in (*QUICK, *more) for word in ("--set", text)]


def taught(folder, out, *more, **options):
    return train(lesson(str(folder), (*QUICK, *more)), out, **options)


def readings(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def kept_shift(run):
    return float(load_file(run / "model.safetensors")["shift"])


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    return write_squares(tmp_path_factory.mktemp("squares") / "squares")


@pytest.fixture(scope="module")
def run(squares, tmp_path_factory):
    """A run that nothing disturbed; read-only."""
    out = tmp_path_factory.mktemp("runs") / "run"
    taught(squares, out)
    return out


# ---------------------------------------------------------------------------------- what is left


def test_a_run_leaves_weights_numbers_pictures_and_a_report(run):
    for name in ("meta.json", "metrics.jsonl", "model.safetensors", "train.json", "report.html"):
        assert (run / name).is_file(), name
    assert (run / "predictions.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert list((run / "tensorboard").glob("events*"))
    assert [line["iteration"] for line in readings(run)] == list(range(1, 21))
    assert [line["iteration"] for line in readings(run) if "AP50" in line] == [5, 10, 15, 20]
    result = json.loads((run / "train.json").read_text())
    assert (result["pictures"], result["validation"]["pictures"]) == (9, 3)
    assert result["AP50"] == result["validation"]["bbox"]["AP50"] == 1.0
    assert result["validation"]["segm"]["per_category"]["square"]["AP"] > 0.9


def test_the_report_holds_curves_categories_remarks_and_settings(run):
    page = (run / "report.html").read_text()
    for words in ("AP50, boxes", "AP, masks", "square", "the shift starts", "train.batch"):
        assert words in page
    assert page.count('<svg class="figure"') == 2  # AP50 and loss
    assert "data:image/webp" in page and "<script" not in page


def test_names_in_the_report_are_text_and_nothing_else(tmp_path):
    folder = write_squares(tmp_path / "squares", 6, (NASTY,))
    taught(folder, tmp_path / "run", "train.steps=3", "train.validate_every=1")
    page = tmp_path / "run" / "report.html"
    assert_strict(Page(page))
    assert "<script" not in page.read_text()
    assert "&lt;script" in page.read_text()


def test_without_tensorboard_its_folder_is_left_out(squares, tmp_path, monkeypatch):
    monkeypatch.setattr(events.util, "find_spec", lambda name: None)
    taught(squares, tmp_path / "run", "train.steps=2")
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_remarks_are_said_before_the_first_step(squares, tmp_path):
    heard = []
    taught(
        squares,
        tmp_path / "run",
        "train.steps=1",
        say=heard.append,
        progress=lambda done, total, words: heard.append(words),
    )
    assert heard[0] == "the shift starts from the beginning"
    assert "AP50" in heard[1] and "loss" in heard[1] and "images/s" in heard[1]


# --------------------------------------------------------------------------------- what is kept


def test_the_best_weights_are_kept_though_later_ones_are_worse(squares, tmp_path):
    report = taught(squares, tmp_path / "run", "train.detector.worse_after=10")
    assert (report.standing.at, report.steps) == (10, 20)
    losses = {line["iteration"]: line["loss"] for line in readings(tmp_path / "run")}
    assert kept_shift(tmp_path / "run") == losses[10] < losses[20]


def test_patience_ends_a_training_that_gets_no_better(squares, tmp_path):
    more = ("train.detector.worse_after=10", "train.patience=2", "train.steps=400")
    report = taught(squares, tmp_path / "run", *more)
    assert (report.steps, report.standing.at) == (15, 10)
    assert len(readings(tmp_path / "run")) == 15
    again = taught(squares, tmp_path / "run", *more, resume=True)
    assert again.to_json() == report.to_json()


def test_a_tie_keeps_the_later_weights_and_is_no_progress():
    standing = Standing().after(5, 0.5, 2).after(10, 0.5, 2)
    assert (standing.at, standing.waited, standing.end) == (10, 1, 0)
    assert standing.after(15, 0.4, 2) == Standing(0.5, 10, 2, 15)


def test_without_validation_the_last_weights_are_kept_and_it_is_said(squares, tmp_path):
    report = taught(squares, tmp_path / "run", "train.holdout=0", "train.steps=3")
    assert report.ap50 is None and report.pictures == 12
    assert any("No picture is held out" in remark for remark in report.remarks)
    assert kept_shift(tmp_path / "run") == readings(tmp_path / "run")[-1]["loss"]
    assert "nothing tells how well" in (tmp_path / "run" / "report.html").read_text()


def test_validation_pictures_without_any_thing_measure_nothing(squares, tmp_path):
    bare = write_squares(tmp_path / "bare", 3, empty=(0, 1, 2))
    report = taught(squares, tmp_path / "run", "train.steps=6", val=read(bare))
    assert report.ap50 is None
    assert "No validation picture shows `square`" in " ".join(report.remarks)


def test_boxes_alone_are_learned_where_there_are_no_masks(tmp_path):
    folder = write_squares(tmp_path / "boxes", masks=False)
    report = taught(folder, tmp_path / "run", "train.steps=6")
    assert any("boxes alone" in remark for remark in report.remarks)
    result = json.loads((tmp_path / "run" / "train.json").read_text())
    assert result["validation"]["segm"] is None


# ------------------------------------------------------------------------- which pictures are used


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


# ----------------------------------------------------------------------------------------- resume


@pytest.mark.parametrize("at", [3, 11])
def test_a_run_that_was_killed_goes_on_as_if_it_had_not(squares, run, tmp_path, at):
    out, memory = tmp_path / "run", tmp_path / "memory"
    dies = (f"train.detector.kill_at={at}", f"train.detector.memory={memory}")
    command = [sys.executable, "-m", "datagen", "train", squares, "--out", out, *sets(*dies)]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(
        [str(word) for word in command], env=os.environ | {"PYTHONPATH": path}, capture_output=True
    )
    assert done.returncode == -9, done.stderr
    taught(squares, out, *dies, resume=True)
    for name in ("metrics.jsonl", "model.safetensors", "predictions.jpg"):
        assert (out / name).read_bytes() == (run / name).read_bytes(), name


def test_a_run_that_is_rolled_back_takes_the_best_weights_back_too(squares, run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(run, out)
    (out / "model.safetensors").write_bytes(b"of a step that is to come")
    taught(squares, out, resume=True)
    assert (out / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_a_run_that_is_rolled_back_before_any_validation_has_no_weights(tmp_path):
    model = tmp_path / "model.safetensors"
    watched = Watched(Pupil(Detector(), None, Train(), None), Train(), None, model)
    beginning = watched.tensors()
    model.write_bytes(b"of a step that is to come")
    watched.load(beginning)
    assert not model.exists()


def test_resuming_with_other_settings_or_pictures_names_what_differs(squares, run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(run, out)
    with pytest.raises(InputError, match=r"train\.batch: 8 -> 2\).*same pictures and settings"):
        taught(squares, out, "train.batch=2", resume=True)
    other = write_squares(tmp_path / "other", 11)
    with pytest.raises(InputError, match="the training pictures"):
        taught(other, out, resume=True)
    with pytest.raises(InputError, match="the validation pictures"):
        taught(squares, out, val=read(other), resume=True)
    taught(squares, out, "train.checkpoint_every=7", resume=True)  # changes no result


# ------------------------------------------------------------------------------------ fine-tuning


def test_a_training_goes_on_from_the_weights_of_another(cli, squares, run, tmp_path):
    out = tmp_path / "tuned"
    done = cli("train", squares, "--from", run, "--out", out, *sets("train.steps=5"))
    assert done.code == 0, done.err
    assert "from another" in done.err
    assert readings(out)[0]["loss"] < kept_shift(run)
    # The file alone serves as well, and is the same to a run that is resumed.
    again = cli(
        "train",
        squares,
        "--from",
        run / "model.safetensors",
        "--out",
        out,
        "--resume",
        *sets("train.steps=5"),
    )
    assert again.code == 0, again.err


def test_what_is_no_detector_is_refused_as_a_start(cli, squares, tmp_path):
    def refused(start, *words):
        out = tmp_path / "run"
        cli("train", squares, "--from", start, "--out", out, *sets()).refused(2, *words)
        assert not out.exists()

    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "model.safetensors", "no run of `train`")
    refused(tmp_path / "gone", "is not there")
    (tmp_path / "text").write_text("weights")
    refused(tmp_path / "text", "not a whole safetensors file")
    learned = tmp_path / "learned.safetensors"
    learned.write_bytes(save({"x": torch.ones(1)}, {"datagen": '{"format": "datagen-metasim2-3"}'}))
    refused(learned, "no detector", "datagen-metasim2-3")


# ------------------------------------------------------------------------------------- refusals


def test_the_last_words_say_how_good_it_is_and_what_comes_next(cli, squares, tmp_path):
    done = cli("train", squares, "--out", tmp_path / "run", *sets(), "--json")
    assert done.code == 0, done.err
    assert "AP50 100.0 %" in done.err
    assert f"datagen evaluate {tmp_path / 'run'} DATASET" in done.err
    assert json.loads(done.out)["best_step"] == 20


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (['train.categories.car=["squar"]'], ["train.categories.car", "did you mean `square`"]),
        (["train.ignored=['square']"], ["none of its", "train.min_pixels"]),
        (["train.min_pixels=5000"], ["none of its"]),
        (["train.stepz=3"], ["stepz", "did you mean"]),
        (["count=3"], ["only keys of training"]),
        (["train.detector.use=taught:Pupil"], ["Component"]),
        (["train.detector.colour=1"], ["colour"]),
        (["train.detector.pretrained=/no/such/file"], ["pretrained", "/no/such/file"]),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_written(
    cli, squares, tmp_path, more, words
):
    out = tmp_path / "run"
    cli("train", squares, "--out", out, *sets(*more)).refused(2, *words)
    assert not out.exists()


def test_folders_that_cannot_be_are_refused(cli, squares, run, tmp_path):
    cli("train", tmp_path / "none", "--out", tmp_path / "o").refused(2, "none")
    cli("train", "aeriall", "--out", tmp_path / "o").refused(2, "did you mean `aerial`")
    cli("train", squares, "--out", run, *sets()).refused(2, "not empty", "--resume")
    cli("train", run, "--out", tmp_path / "o", *sets()).refused(2, "is a run", "--from")
    both = ("--val", run, "--out", tmp_path / "o", *sets())
    cli("train", squares, *both).refused(2, "is a run of `datagen train`, no set of pictures")
    inside = squares / "run"
    cli("train", squares, "--out", inside, *sets()).refused(2, "lies inside")
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "file").touch()
    strange = ("--out", tmp_path / "strange", "--resume", *sets())
    cli("train", squares, *strange).refused(2, "no run of `train`")
    other = write_squares(tmp_path / "other", 2, ("disc",))
    val = ("--val", other, "--out", tmp_path / "o", *sets())
    cli("train", squares, *val).refused(2, "`disc`", "`square`", "no category is in both")
    bare = write_squares(tmp_path / "bare", 3, empty=(0, 1, 2))
    cli("train", bare, "--out", tmp_path / "o", *sets()).refused(2, "none of its")
    assert not (tmp_path / "o").exists()


def test_labels_that_are_called_train_json_are_no_run(tmp_path):
    folder = write_squares(tmp_path / "squares", 3)
    next(folder.glob("*.json")).rename(folder / "train.json")
    (folder / "meta.json").write_text("[]")
    assert isinstance(lesson(str(folder / "train.json"), QUICK).source, Labelled)
    (folder / "meta.json").unlink()
    assert isinstance(lesson(str(folder), QUICK).source, Labelled)


def test_what_no_picture_shows_is_told_in_one_line(tmp_path):
    labelled = read(write_squares(tmp_path / "squares", 4, ("square", "disc", "star")))
    both = material(labelled, None, Train(ignored=("squar",)))
    assert "No training picture shows `disc`, `star`: nothing of it will be found." in both.remarks
    assert "The training pictures have nothing called `squar`." in both.remarks
    assert not any("No validation picture" in one for one in both.remarks)


# ----------------------------------------------------------------------------- the [train] section


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


def test_training_md_names_the_files_of_a_run(run):
    names = {code(cell)[0].rstrip("/") for cell, _ in rows(page("training.md"), "The run folder")}
    made = {path.name for path in run.iterdir() if not path.name.startswith(".")}
    assert names == made | {"dataset"}


# ------------------------------------------------------------------------------------ the real one


def test_mask_r_cnn_goes_on_bit_for_bit_after_a_step_that_was_lost(tmp_path):
    folder = write_squares(tmp_path / "squares", 5)
    more = ("train.steps=3", "train.batch=2", "train.validate_every=2", "train.checkpoint_every=1")
    given = lesson(str(folder), ("train.detector.use=mask_rcnn", *more))
    train(given, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "again")
    shutil.rmtree(tmp_path / "again" / "checkpoints" / "train-00000003")
    train(given, tmp_path / "again", resume=True)
    for name in ("metrics.jsonl", "model.safetensors"):
        whole, again = (tmp_path / run / name for run in ("whole", "again"))
        assert whole.read_bytes() == again.read_bytes(), name
