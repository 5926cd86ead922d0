"""`datagen train`: what a run comes back to after a kill."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from taught import Detector, Pupil, write_squares
from trainings import sets, taught

from datagen.detecting.job import train
from datagen.detecting.lessons import lesson
from datagen.detecting.teaching import Watched
from datagen.errors import InputError
from datagen.reading import read
from datagen.settings.train import Train


@pytest.mark.parametrize("at", [3, 11])
def test_a_run_that_was_killed_goes_on_as_if_it_had_not(squares, trained_run, tmp_path, at):
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
        assert (out / name).read_bytes() == (trained_run / name).read_bytes(), name


def test_a_run_that_is_rolled_back_takes_the_best_weights_back_too(squares, trained_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(trained_run, out)
    (out / "model.safetensors").write_bytes(b"of a step that is to come")
    taught(squares, out, resume=True)
    whole, again = (folder / "model.safetensors" for folder in (trained_run, out))
    assert again.read_bytes() == whole.read_bytes()


def test_a_run_that_is_rolled_back_before_any_validation_has_no_weights(tmp_path):
    model = tmp_path / "model.safetensors"
    watched = Watched(Pupil(Detector(), None, Train(), None), Train(), None, model)
    beginning = watched.tensors()
    model.write_bytes(b"of a step that is to come")
    watched.load(beginning)
    assert not model.exists()


def test_resuming_with_other_settings_or_pictures_names_what_differs(
    squares, trained_run, tmp_path
):
    out = tmp_path / "run"
    shutil.copytree(trained_run, out)
    with pytest.raises(InputError, match=r"train\.batch: 8 -> 2\).*same pictures and settings"):
        taught(squares, out, "train.batch=2", resume=True)
    other = write_squares(tmp_path / "other", 11)
    with pytest.raises(InputError, match="the training pictures"):
        taught(other, out, resume=True)
    with pytest.raises(InputError, match="the validation pictures"):
        taught(squares, out, val=read(other), resume=True)
    taught(squares, out, "train.checkpoint_every=7", resume=True)  # changes no result


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
