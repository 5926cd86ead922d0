"""A conductor: every verb as a job gives what its command gives, and every end has its state."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from faulty import ROOT, TESTS, write_recipe
from taught import write_squares

from datagen import pipeline, recipe
from datagen.detecting import evaluation
from datagen.detecting import job as training
from datagen.detecting.evaluation import Request
from datagen.detecting.lessons import lesson
from datagen.detecting.work import as_json
from datagen.errors import Cancelled, InputError
from datagen.jobs import conduct as conducting
from datagen.jobs.conduct import Meter, conduct
from datagen.jobs.conducted import VERBS, duty_of, find
from datagen.jobs.executors import InProcess
from datagen.jobs.ledger import Jobs, Standing, State
from datagen.labelled import Detections
from datagen.learning import job as learning
from datagen.reading import read

TAUGHT = (
    "train.detector.use=taught:Detector",
    "train.steps=20",
    "train.validate_every=5",
    "train.checkpoint_every=4",
    "train.holdout=0.25",
)
LEARNED = """
[learn]
helpers = 0
hidden = 8
embedding = 4
[learn.features]
images = 256
batch = 16
width = 4
[learn.pretraining]
steps = 4
[learn.reinforcement]
iterations = 2
batch = 16
"""
SETTINGS = "count = 12\nshard_size = 3"


@pytest.fixture
def jobs(tmp_path):
    return Jobs(tmp_path / "jobs")


def made_of(jobs, order):
    order.claim()
    return jobs.make(order.verb, order.arguments, None)


def ordered(jobs, tmp_path, text=SETTINGS, **renderer):
    """A job of `generate`, drawn by the faulty renderer."""
    loaded = recipe.load(write_recipe(tmp_path / "r", text, **renderer))
    return made_of(jobs, pipeline.order(loaded, tmp_path / "d"))


def carried_out(job):
    with job.held():
        conduct(job, InProcess)
    return job.standing()


# ------------------------------------------------------------------------------------- good ends


def test_a_dataset_is_the_same_as_without_a_job(jobs, tmp_path):
    job = ordered(jobs, tmp_path)
    plain = pipeline.generate(recipe.load(tmp_path / "r" / "small.toml"), tmp_path / "plain")
    standing = carried_out(job)
    assert (standing.state, standing.exit_code, standing.error) == (State.DONE, 0, None)
    result = job.result()
    for name in ("dataset_digest", "recipe_digest", "count", "annotations", "categories"):
        assert result[name] == plain.to_json()[name]
    assert job.progress() | {"per_second": 0, "eta_s": 0} == {
        **{"what": "generate", "done": 12, "total": 12, "note": ""},
        **{"per_second": 0, "eta_s": 0},
    }
    assert pipeline.verify(tmp_path / "d").findings == ()


def write_detections(path, dataset):
    """Detections of every thing, and where it is."""
    found = [
        as_json(
            picture.name,
            Detections(
                np.array([thing.box for thing in picture.things], np.float32),
                np.ones(len(picture.things), np.float32),
                np.zeros(len(picture.things), np.int32),
            ),
        )
        for picture in read(dataset).pictures
    ]
    path.write_text(json.dumps({"categories": ["square"], "pictures": found}))
    return path


def test_an_evaluation_is_the_same_as_without_a_job(jobs, tmp_path):
    dataset = write_squares(tmp_path / "squares")
    detections = write_detections(tmp_path / "detections.json", dataset)
    request = Request(detections, dataset, merge={"square": "box"})
    plain = evaluation.evaluate(request, tmp_path / "plain")
    job = made_of(jobs, evaluation.order(request, tmp_path / "e"))
    assert carried_out(job).state is State.DONE
    assert job.result() == json.loads(json.dumps(plain))
    names = {path.name for path in (tmp_path / "plain").iterdir()}
    assert {path.name for path in (tmp_path / "e").iterdir()} == names


@pytest.mark.parametrize("source", ["pictures", "recipe"])
def test_a_training_is_the_same_as_without_a_job(jobs, tmp_path, source):
    if source == "pictures":
        given = write_squares(tmp_path / "squares")
    else:
        given = write_recipe(tmp_path / "r", "count = 8")
    asked = lesson(str(given), TAUGHT)
    training.train(asked, tmp_path / "plain")
    order = training.order(asked, given, tmp_path / "run")
    job = made_of(jobs, order)
    assert carried_out(job).state is State.DONE, job.standing()
    weights = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("plain", "run")]
    assert weights[0] == weights[1]
    assert job.result()["steps"] == 20


def test_a_run_of_learn_is_the_same_as_without_a_job(jobs, tmp_path):
    loaded = recipe.load(write_recipe(tmp_path / "r", "count = 20" + LEARNED))
    pipeline.generate(loaded, tmp_path / "photos")
    runs = [tmp_path / "run", tmp_path / "plain"]
    job = made_of(jobs, learning.order(loaded, tmp_path / "photos", runs[0]))
    assert carried_out(job).state is State.DONE, job.standing()
    plain = learning.learn(loaded, tmp_path / "photos", runs[1])
    assert job.result() | {"run": ""} == json.loads(json.dumps(plain.to_json() | {"run": ""}))
    weights = [(run / "model.safetensors").read_bytes() for run in runs]
    assert weights[0] == weights[1]


def test_only_trainings_need_the_duty_for_them():
    assert {verb: duty_of(verb) for verb in VERBS} == {
        **dict.fromkeys(("generate", "evaluate", "learn", "export"), "control"),
        "train": "train",
    }


# -------------------------------------------------------------------------------------- bad ends


@pytest.mark.parametrize(
    ("fault", "state", "code", "word"),
    [
        ("input", State.PARTIAL, 4, "sprite"),
        ("missing", State.FAILED, 5, "package"),
        ("disk", State.PAUSED, 1, "no room"),
        ("bug", State.PARTIAL, 4, "quarantine"),
    ],
)
def test_every_way_to_fail_has_its_state_and_code(jobs, tmp_path, fault, state, code, word):
    job = ordered(jobs, tmp_path, fault=fault, at=5)
    standing = carried_out(job)
    assert (standing.state, standing.exit_code) == (state, code)
    assert word in (standing.error or "")
    assert job.result() is None


def test_a_partial_job_goes_on_where_it_was(jobs, tmp_path):
    job = ordered(jobs, tmp_path, fault="bug", at=5)
    assert carried_out(job).state is State.PARTIAL
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "d" / "shards").iterdir()}
    assert len(before) == 3
    job.retry()
    assert carried_out(job).state is State.PARTIAL
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "d" / "shards").iterdir()}
    assert after == before


@pytest.mark.parametrize(
    ("verb", "arguments", "word"),
    [
        ("os.system", {"out": "x"}, "no job called"),
        ("generate", {"out": "x"}, "`recipe`"),
        ("generate", {"out": "x", "recipe": {}, "more": 1}, "unknown key `more`"),
        (
            "train",
            {"recipe": None, "pictures": None, "settings": {}, "val": None, "out": "x"},
            "ne",
        ),
    ],
)
def test_arguments_of_a_stranger_are_refused(jobs, verb, arguments, word):
    standing = carried_out(jobs.make(verb, arguments, None))
    assert (standing.state, standing.exit_code) == (State.FAILED, 2)
    assert word in (standing.error or "")


def test_an_error_that_nobody_foresaw_is_a_failure_with_its_traceback_in_the_log(
    jobs, monkeypatch, caplog
):
    def fail(arguments, means):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(conducting, "find", lambda verb: fail)
    standing = carried_out(jobs.make("learn", {}, None))
    assert (standing.state, standing.exit_code) == (State.FAILED, 1)
    assert standing.error == "unexpected ZeroDivisionError: a bug"
    assert "Traceback" in caplog.text


def test_a_folder_in_which_somebody_else_writes_is_a_failure(jobs, tmp_path):
    from datagen.files import locked

    job = ordered(jobs, tmp_path)
    with locked(tmp_path / "d"):
        standing = carried_out(job)
    assert standing.state is State.FAILED
    assert "another run" in (standing.error or "")


# ------------------------------------------------------------------------------------ interrupted


def test_a_job_that_is_cancelled_stops_and_can_go_on(jobs, tmp_path):
    job = ordered(jobs, tmp_path, "count = 400\nshard_size = 4", pause=0.01)
    thread = threading.Timer(0.7, job.cancel)
    thread.start()
    standing = carried_out(job)
    thread.join()
    assert (standing.state, standing.exit_code) == (State.CANCELLED, 1)
    published = len(list((tmp_path / "d" / "shards").iterdir()))
    assert 0 < published < 100


def test_a_job_cancelled_before_it_begins_does_nothing(jobs, monkeypatch):
    job = jobs.make("learn", {}, None)
    (job.folder / "CANCEL").touch()
    monkeypatch.setattr(conducting, "find", pytest.fail)
    assert carried_out(job).state is State.CANCELLED


@pytest.mark.parametrize("state", [state for state in State if state.is_final])
def test_a_job_at_its_end_stays_there(jobs, state, monkeypatch):
    job = jobs.make("learn", {}, None)
    with job.held():
        job.write(Standing(state, 1.0))
    monkeypatch.setattr(conducting, "find", pytest.fail)
    assert carried_out(job) == Standing(state, 1.0)


def deaths(jobs, progress, monkeypatch):
    """How a job stands after conductors died, each at an entry of `progress`."""
    job = jobs.make("learn", {}, None)

    class Died(BaseException):
        """Nothing is written after it, as after kill -9."""

    def die(arguments, means):
        raise Died

    for done in progress:
        job.write_progress({"done": done, "total": 100})
        monkeypatch.setattr(conducting, "find", lambda verb: die)
        if job.standing().state is State.FAILED:
            break
        with job.held(), pytest.raises(Died):
            conduct(job, InProcess)
        assert job.standing().conductor == {**job.standing().conductor, "pid": os.getpid()}
    monkeypatch.setattr(conducting, "find", lambda verb: lambda arguments, means: {"good": True})
    return carried_out(job)


def test_a_job_whose_conductors_die_without_progress_is_given_up(jobs, monkeypatch):
    standing = deaths(jobs, [0, 0, 0], monkeypatch)
    assert standing.state is State.FAILED
    assert "died 3 times" in (standing.error or "")


def test_conductors_may_die_often_while_the_job_gets_further(jobs, monkeypatch):
    assert deaths(jobs, [5, 9, 12, 20, 31, 50], monkeypatch).state is State.DONE


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def conductor(job):
    """The main program in a process of its own, and the pipe that ends it when it is closed."""
    theirs, ours = os.pipe()
    words = [sys.executable, "-m", "datagen.jobs.conduct", str(job.folder.parent), job.id]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{TESTS}"}
    with job.log.open("ab") as log:
        process = subprocess.Popen(
            [*words, str(theirs)], env=environment, pass_fds=(theirs,), stdout=log, stderr=log
        )
    os.close(theirs)
    return process, ours


def test_a_conductor_leaves_its_job_to_others_when_its_worker_is_gone(jobs, tmp_path):
    job = ordered(jobs, tmp_path, "count = 600\nshard_size = 4", pause=0.02)
    process, pipe = conductor(job)
    wait_for(lambda: list(tmp_path.glob("d/shards/*")))
    assert job.standing().state is State.RUNNING
    os.close(pipe)
    process.wait(10)
    assert job.standing().state is State.QUEUED
    assert job.standing().deaths == 0
    assert "waits for another one" in job.log.read_text()


def test_of_two_conductors_one_works_and_the_other_leaves(jobs, tmp_path):
    job = ordered(jobs, tmp_path, "count = 60\nshard_size = 4", pause=0.02)
    first, pipe = conductor(job)
    wait_for(job.is_conducted)
    second, other = conductor(job)
    assert second.wait(20) == 0
    assert job.standing().state is State.RUNNING
    assert first.wait(30) == 0
    assert job.standing().state is State.DONE
    assert job.log.read_text().count("carried out by") == 1
    os.close(pipe)
    os.close(other)


def test_a_conductor_killed_at_any_moment_is_followed_by_one_that_ends_with_the_same_bytes(
    jobs, tmp_path
):
    job = ordered(jobs, tmp_path, "count = 60\nshard_size = 3", pause=0.02)
    plain = pipeline.generate(recipe.load(tmp_path / "r" / "small.toml"), tmp_path / "plain")
    for number in (1, 6):
        process, pipe = conductor(job)
        wait_for(lambda number=number: len(list(tmp_path.glob("d/shards/*"))) > number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(pipe)
        assert job.standing().state is State.RUNNING
        assert not job.is_conducted()
    process, pipe = conductor(job)
    assert process.wait(30) == 0, job.log.read_text()
    os.close(pipe)
    assert job.result()["dataset_digest"] == plain.dataset_digest
    assert job.result()["rendered"] < 60
    assert "died" in job.log.read_text()


# --------------------------------------------------------------------------------------- progress


def test_progress_is_on_disk_now_and_then_and_at_the_end(jobs):
    job, workers = jobs.make("learn", {}, None), [3]
    written = []
    job.__dict__["write_progress"] = lambda progress: written.append(progress)
    with Meter(job, lambda: {"workers": workers[0]}, interval=0.1) as meter:
        for step in range(1000):
            meter(step, 1000, "reinforce")
        time.sleep(0.25)
        workers[0] = 0  # nobody reports anything, and it is told nevertheless
        time.sleep(0.15)
    assert 3 <= len(written) <= 5
    assert [one["workers"] for one in (written[0], written[-1])] == [3, 0]
    assert (written[0]["done"], written[0]["note"]) == (999, "reinforce")


def test_the_speed_is_that_of_the_phase_and_the_rest_follows_from_it(jobs, monkeypatch):
    job, now = jobs.make("train", {}, None), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    meter = Meter(job, dict)
    for done, at in ((500, 0.0), (1000, 10.0)):
        now[0] = at
        meter(done, 1000, "making the pictures")
    meter.write()
    assert (job.progress()["per_second"], job.progress()["eta_s"]) == (50.0, 0)
    for done, at in ((0, 10.0), (10, 20.0)):
        now[0] = at
        meter(done, 50, "training")
    meter.write()
    assert (job.progress()["per_second"], job.progress()["eta_s"]) == (1.0, 40)


def test_whoever_reports_progress_learns_that_the_job_is_cancelled(jobs):
    job = jobs.make("learn", {}, None)
    meter = Meter(job, dict, interval=0)
    meter(1, 2, "")
    job.cancel()
    with pytest.raises(Cancelled):
        meter(2, 2, "")


def test_unknown_verbs_have_no_function():
    with pytest.raises(InputError, match="no job called `os.system`"):
        find("os.system")
    assert all(callable(find(verb)) for verb in VERBS)
