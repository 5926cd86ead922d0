"""A keeper: every job of its folder gets a conductor, whoever dies; no broker is needed for it."""

import os
import signal
import subprocess
import sys
import time

import pytest
from faulty import ROOT, TESTS, write_recipe

from datagen import pipeline, recipe
from datagen.jobs.keeper import Keeper
from datagen.jobs.ledger import Jobs, Standing, State
from datagen.jobs.roster import present

LONG = "count = 900\nshard_size = 3"


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """The folder; conductors find the faulty renderer."""
    monkeypatch.syspath_prepend(str(TESTS))
    monkeypatch.syspath_prepend(str(ROOT))
    return Jobs(tmp_path / "jobs")


@pytest.fixture
def keeper(jobs):
    """Makes keepers without a broker: their conductors do the work themselves."""
    made = []

    def make(*duties, name=""):
        one = Keeper(jobs.folder, broker="", name=name, duties=duties or ("control", "train"))
        made.append(one)
        one.start()
        return one

    yield make
    for one in made:
        one.stop()


def ordered(jobs, folder, text="count = 12\nshard_size = 3", broker=None, **renderer):
    folder.mkdir()
    loaded = recipe.load(write_recipe(folder / "r", text, **renderer))
    order = pipeline.order(loaded, folder / "d")
    order.claim()
    return jobs.make(order.verb, order.arguments, broker)


def wait_for(condition, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_at(job, state):
    return lambda: job.standing().state is state


def conductor_of(job):
    conductor = job.standing().conductor
    return conductor and conductor["pid"]


def test_a_job_is_found_and_done_without_any_message(jobs, keeper, tmp_path):
    job = ordered(jobs, tmp_path / "a")
    one = keeper()
    later = ordered(jobs, tmp_path / "b")
    wait_for(is_at(job, State.DONE))
    wait_for(is_at(later, State.DONE))
    assert [worker.pid for worker in present(jobs.folder)] == [os.getpid()]
    wait_for(lambda: not one.conductors())
    one.stop()
    assert present(jobs.folder) == []


def test_two_keepers_and_a_conductor_that_is_killed_make_it_once(jobs, keeper, tmp_path):
    job = ordered(jobs, tmp_path / "a", "count = 60\nshard_size = 3", pause=0.02)
    keeper()
    keeper()
    wait_for(lambda: len(list(tmp_path.glob("a/d/shards/*"))) > 2)
    first = conductor_of(job)
    os.kill(first, signal.SIGKILL)
    wait_for(is_at(job, State.DONE))
    plain = pipeline.generate(recipe.load(tmp_path / "a" / "r" / "small.toml"), tmp_path / "plain")
    assert job.result()["dataset_digest"] == plain.dataset_digest
    assert "the conductor before this one died" in job.log.read_text()
    assert "Traceback" not in job.log.read_text()


def test_a_job_whose_conductor_always_dies_is_given_up_with_a_reason(jobs, keeper, tmp_path):
    job = ordered(jobs, tmp_path / "a", fault="kill", at=1)
    keeper()
    wait_for(is_at(job, State.FAILED))
    assert "died 3 times without getting any further" in (job.standing().error or "")


def test_what_a_worker_lets_go_the_next_one_takes(jobs, keeper, tmp_path):
    job = ordered(jobs, tmp_path / "a", LONG, pause=0.02)
    one = keeper()
    wait_for(lambda: list(tmp_path.glob("a/d/shards/*")))
    first = conductor_of(job)
    one.stop()
    assert job.standing().state is State.QUEUED
    keeper()
    wait_for(lambda: conductor_of(job) not in (None, first))
    assert job.standing().deaths == 0
    job.cancel()
    wait_for(is_at(job, State.CANCELLED))


def test_conductors_go_with_a_worker_that_is_killed(jobs, tmp_path):
    job = ordered(jobs, tmp_path / "a", LONG, pause=0.02)
    code = (
        "import time; from pathlib import Path; from datagen.jobs.keeper import Keeper\n"
        f"Keeper(Path({str(jobs.folder)!r}), broker='', name='', duties=['control']).start()\n"
        "time.sleep(600)"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{TESTS}"}
    worker = subprocess.Popen([sys.executable, "-c", code], env=environment)
    try:
        wait_for(lambda: list(tmp_path.glob("a/d/shards/*")))
        assert job.is_conducted()
    finally:
        worker.kill()
        worker.wait()
    wait_for(lambda: not job.is_conducted(), seconds=12)
    assert job.standing().state is State.QUEUED


def test_a_worker_does_the_jobs_of_its_duties_and_of_its_broker_only(jobs, keeper, tmp_path):
    other = ordered(jobs, tmp_path / "a", broker="redis://elsewhere:6379/0")
    training = jobs.make("train", {"out": "x"}, None)
    mine = ordered(jobs, tmp_path / "b", broker="redis://here:6379/0")
    keeper("control", name="redis://here:6379/0")
    wait_for(is_at(mine, State.DONE))
    time.sleep(1.5)
    assert other.standing().state is State.QUEUED
    assert training.standing().state is State.QUEUED


def test_of_trainings_there_is_one_at_a_time(jobs, keeper):
    """They fail at once here, for their arguments mean nothing; the order tells."""
    made = [jobs.make("train", {"out": str(k)}, None) for k in range(2)]
    one, most = keeper("train"), 0
    while not all(job.standing().state is State.FAILED for job in made):
        most = max(most, len(one.conductors()))
        time.sleep(0.01)
    assert most == 1
    since = [job.standing().since for job in made]
    assert since == sorted(since)


def test_a_conductor_that_cannot_begin_is_not_started_without_a_pause(jobs, keeper):
    """The rest of the worker goes on, and the job too when the reason is gone."""
    job = jobs.make("generate", {}, None)
    (job.folder / "log.txt").mkdir()
    one = keeper()
    time.sleep(2.5)
    assert one.is_alive()
    (job.folder / "log.txt").rmdir()
    wait_for(is_at(job, State.FAILED))


def test_damaged_jobs_and_foreign_folders_harm_nobody(jobs, keeper, tmp_path):
    for k, name in enumerate(("job.json", "state.json")):
        broken = jobs.make("learn", {"out": str(k)}, None)
        (broken.folder / name).write_text("{")
    (jobs.folder / "aaaaaaaaaaaa").mkdir()
    job = ordered(jobs, tmp_path / "a")
    keeper()
    wait_for(is_at(job, State.DONE))


def test_a_job_that_is_queued_again_is_seen_again(jobs, keeper):
    job = jobs.make("generate", {"out": "x"}, None)
    with job.held():
        job.write(Standing(State.CANCELLED, 1.0))
    keeper()
    time.sleep(1.2)
    assert job.standing().state is State.CANCELLED
    job.retry()
    wait_for(is_at(job, State.FAILED))
