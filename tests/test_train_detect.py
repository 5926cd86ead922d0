"""The work `detect`: the same bytes by any number of workers, and nothing made twice."""

import json
import shutil

import numpy as np
import pytest
from taught import write_squares

from datagen.dataset.store import Shard
from datagen.detecting.finding import detect
from datagen.detecting.job import train
from datagen.detecting.lessons import lesson
from datagen.detecting.work import detecting, payloads, shard_file
from datagen.errors import InputError
from datagen.reading import read
from datagen.scoring.given import read_detections

PICTURES = 70  # more than two pieces of work


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detect")
    write_squares(folder / "few", 8)
    write_squares(folder / "many", PICTURES, empty=(4,))
    quick = ("train.detector.use=taught:Detector", "train.steps=12")
    train(lesson(str(folder / "few"), quick), folder / "run")
    return folder


@pytest.fixture(scope="module")
def labelled(place):
    return read(place / "many")


@pytest.fixture(scope="module")
def found(place, labelled):
    ticks = []
    path = detect(
        place / "run", labelled, place / "eval", progress=lambda *tick: ticks.append(tick)
    )
    assert ticks[-1][:2] == (PICTURES, PICTURES)
    return path


def test_detections_are_of_all_pictures_in_their_order(found, labelled):
    data = json.loads(found.read_text())
    assert data["categories"] == ["square"]
    assert [row["name"] for row in data["pictures"]] == [p.name for p in labelled.pictures]
    assert data["pictures"][4]["boxes"] == [] and data["pictures"][4]["masks"] == []


def test_what_is_read_again_is_what_was_found(found, labelled):
    read_again = read_detections(found, labelled)
    assert read_again.categories == ("square",)
    assert len(read_again.found) == PICTURES
    one, none = read_again.found[0], read_again.found[4]
    assert one.boxes.shape == (1, 4) and one.boxes.dtype == np.float32
    assert one.scores.tolist() == [np.float32(0.9)]
    assert none.boxes.shape == (0, 4) and none.masks == ()


def test_two_workers_and_a_file_of_weights_find_the_same_bytes(place, labelled, found):
    file = place / "run" / "model.safetensors"
    other = detect(file, labelled, place / "two", workers=2)
    assert other.read_bytes() == found.read_bytes()


def test_only_what_is_missing_is_looked_at_again(place, labelled, found):
    before = found.read_bytes()
    shards = sorted((place / "eval" / "shards").iterdir())
    kept, lost = shards[0], shards[1]
    stamp = kept.stat().st_mtime_ns
    lost.unlink()
    ticks = []
    detect(place / "run", labelled, place / "eval", progress=lambda *tick: ticks.append(tick))
    assert kept.stat().st_mtime_ns == stamp and lost.is_file()
    assert ticks[0][0] == PICTURES - 32 + 1
    assert found.read_bytes() == before


def test_a_folder_of_another_detector_or_other_pictures_is_refused(place, labelled, found):
    with pytest.raises(InputError, match="another dataset"):
        detect(place / "run", labelled.part(range(40)), place / "eval")
    quick = ("train.detector.use=taught:Detector", "train.steps=3")
    train(lesson(str(place / "few"), quick), place / "other")
    with pytest.raises(InputError, match="another weights"):
        detect(place / "other", labelled, place / "eval")
    shutil.copytree(place / "run", place / "same weights")
    meta = place / "same weights" / "meta.json"
    said = json.loads(meta.read_text())
    said["settings"]["detector"]["options"] = {"part": 0.5}
    meta.write_text(json.dumps(said))
    with pytest.raises(InputError, match="another detector"):
        detect(place / "same weights", labelled, place / "eval")


def test_weights_that_change_while_pictures_are_looked_at_are_refused(place, labelled, tmp_path):
    run, out = tmp_path / "run", tmp_path / "eval"
    shutil.copytree(place / "run", run)
    quick = ("train.detector.use=taught:Detector", "train.steps=3")
    train(lesson(str(place / "few"), quick), tmp_path / "later")
    detect(run, labelled.part(range(4)), out)
    shard_file(out, Shard(0, 4)).unlink()
    (job,) = payloads(run, out, [Shard(0, 4)])
    shutil.copy(tmp_path / "later" / "model.safetensors", run)
    with detecting() as work, pytest.raises(InputError, match="has changed meanwhile"):
        work(job, lambda done: None)
    assert not shard_file(out, Shard(0, 4)).exists()


def test_an_error_in_a_worker_is_the_error_here(place, tmp_path):
    folder = write_squares(tmp_path / "broken", 3)
    labelled = read(folder)
    (folder / "0001.png").write_bytes(b"\x89PNG is no more")
    for workers in (1, 2):
        with pytest.raises(InputError, match=r"0001\.png"):
            detect(place / "run", labelled, tmp_path / f"eval{workers}", workers=workers)


def test_what_is_no_detector_is_refused(place, labelled, tmp_path):
    with pytest.raises(InputError, match="no run of `train`"):
        detect(place, labelled, tmp_path / "eval")
    with pytest.raises(InputError, match="is not there"):
        detect(place / "none", labelled, tmp_path / "eval")
    assert not (tmp_path / "eval").exists()
