"""`datagen train`: what it refuses, before anything is written."""

import pytest
from taught import write_squares
from trainings import QUICK, sets

from datagen.detecting.lessons import lesson
from datagen.labelled import Labelled


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


def test_folders_that_cannot_be_are_refused(cli, squares, trained_run, tmp_path):
    cli("train", tmp_path / "none", "--out", tmp_path / "o").refused(2, "none")
    cli("train", "aeriall", "--out", tmp_path / "o").refused(2, "did you mean `aerial`")
    cli("train", squares, "--out", trained_run, *sets()).refused(2, "not empty", "--resume")
    cli("train", trained_run, "--out", tmp_path / "o", *sets()).refused(2, "is a run", "--from")
    both = ("--val", trained_run, "--out", tmp_path / "o", *sets())
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
