"""The jobs folder: files whole or absent, states, ids, and one writer at a time."""

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing.pool import ThreadPool

import pytest
from conftest import ROOT

from datagen.errors import BusyError, InputError
from datagen.jobs import roster
from datagen.jobs.ledger import CANCEL, Job, Jobs, Standing, State, ended
from datagen.jobs.roster import Presence, present

ARGUMENTS = {"out": "/somewhere/d%20x", "recipe": {"seed": 1}}


@pytest.fixture
def jobs(tmp_path):
    return Jobs(tmp_path / "jobs")


@pytest.fixture
def job(jobs):
    return jobs.make("generate", ARGUMENTS, "redis://127.0.0.1:6379/0")


def put(job, state, **more):
    with job.held():
        job.write(Standing(state, time.time(), **more))


def elsewhere(job):
    """A process that holds the job until its input ends."""
    code = (
        "import sys; from pathlib import Path; from datagen.jobs.ledger import Job\n"
        f"with Job(Path({str(job.folder)!r})).held():\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, **pipes)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


# ----------------------------------------------------------------------------------------- making


def test_a_new_job_is_queued_and_says_what_was_asked_for(job):
    assert re.fullmatch(r"[a-z0-9]{12}", job.id)
    assert (job.verb, job.arguments) == ("generate", ARGUMENTS)
    assert job.broker == "redis://127.0.0.1:6379/0"
    standing = job.standing()
    assert standing.state is State.QUEUED
    assert (standing.exit_code, standing.error, standing.conductor, standing.deaths) == (
        *(None,) * 3,
        0,
    )
    assert abs(job.created - time.time()) < 10
    assert (job.progress(), job.result()) == ({}, None)


def test_a_job_that_cannot_be_written_leaves_nothing(jobs, monkeypatch):
    jobs.make("learn", {}, None)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(Exception, match="full"):
        jobs.make("learn", {}, None)
    assert len(list(jobs.folder.iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_a_mistake_of_the_user(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write here"):
        Jobs(tmp_path / "file" / "jobs").make("learn", {}, None)


def test_jobs_made_at_once_are_all_there_and_none_is_ever_seen_half(jobs):
    with ThreadPool(4) as pool:
        made = pool.map_async(lambda _: jobs.make("learn", ARGUMENTS, None).id, range(40))
        while not made.ready():
            for job in jobs.all():
                assert job.standing().state is State.QUEUED
    assert sorted(made.get()) == sorted(jobs.ids())


# ---------------------------------------------------------------------------------------- finding


def test_a_job_is_found_by_as_much_of_its_id_as_is_unique(jobs, job):
    assert jobs.find(job.id) == job
    assert jobs.find(job.id[:4]) == job
    other = jobs.folder / (job.id[:3] + "0" * 9)
    job.folder.rename(jobs.folder / (job.id[:3] + "1" * 9))
    other.mkdir()
    with pytest.raises(InputError, match="fits 2 jobs"):
        jobs.find(job.id[:3])
    assert jobs.find(other.name) == Job(other)


@pytest.mark.parametrize("text", ["nothere", "", "..", "../../etc", "*", "A" * 500, "a\x00b"])
def test_what_is_no_job_is_refused(jobs, job, text):
    with pytest.raises(InputError, match="there is no job"):
        jobs.find(text)


def test_the_list_is_by_age_and_leaves_out_what_is_no_job(jobs):
    made = [jobs.make("learn", {"out": str(k)}, None) for k in range(3)]
    for name in ("workers", "redis", ".tmp", "abcdefghijkl"):
        (jobs.folder / name).mkdir()
    assert [job.id for job in jobs.all()] == [job.id for job in made]
    (made[1].folder / "state.json").write_text("{")
    (made[2].folder / "job.json").write_text('{"verb": 3}')
    assert [job.id for job in jobs.all()] == [made[0].id]
    with pytest.raises(InputError, match="damaged"):
        made[1].standing()


def test_no_folder_is_no_jobs(tmp_path):
    assert Jobs(tmp_path / "none").all() == []
    with pytest.raises(InputError, match="there is no job"):
        Jobs(tmp_path / "none").find("abc")


# ----------------------------------------------------------------------------------------- states


def test_a_cancelled_job_that_nobody_carries_out_ends_at_once(job):
    assert job.cancel().state is State.QUEUED
    standing = job.standing()
    assert (standing.state, standing.exit_code) == (State.CANCELLED, 1)
    assert (job.folder / CANCEL).exists()


def test_the_state_of_a_job_under_way_is_left_to_its_conductor(job):
    put(job, State.RUNNING)
    process = elsewhere(job)
    try:
        assert job.is_conducted()
        assert job.retry().state is State.RUNNING
        assert job.cancel().state is State.RUNNING
        assert job.standing().state is State.RUNNING
        assert job.is_cancelled()
        with pytest.raises(InputError, match="about to stop"):
            job.retry()
        with pytest.raises(BusyError, match=f"pid {process.pid}"), job.held(patience=0.1):
            pass
    finally:
        process.communicate()
    assert not job.is_conducted()


def test_to_look_at_a_job_disturbs_nobody_who_wants_to_hold_it(job):
    with job.held():
        pass
    with ThreadPool(2) as pool:
        looks = pool.map_async(lambda _: job.is_conducted(), range(3000))
        for _ in range(100):
            with job.held():
                pass
        looks.get()


@pytest.mark.parametrize("state", ["failed", "partial", "paused", "cancelled"])
def test_a_job_without_a_good_end_can_be_queued_again(job, state):
    job.cancel()
    put(job, State(state), exit_code=4, error="no", deaths=2)
    assert job.retry().state == state
    standing = job.standing()
    assert standing.state is State.QUEUED
    assert (standing.error, standing.deaths) == (None, 0)
    assert not job.is_cancelled()


@pytest.mark.parametrize("state", ["done", "queued", "running"])
def test_other_jobs_stay_as_they_are(job, state):
    put(job, State(state), deaths=1)
    before = job.standing()
    assert job.retry() == before
    assert job.standing() == before


def test_a_job_at_its_end_cannot_be_cancelled(job):
    put(job, State.DONE)
    job.cancel()
    assert job.standing().state is State.DONE
    assert not job.is_cancelled()


def test_a_job_whose_state_is_damaged_can_be_queued_again(job):
    (job.folder / "state.json").unlink()
    with pytest.raises(InputError, match="datagen jobs retry"):
        job.standing()
    job.retry()
    assert job.standing().state is State.QUEUED


def test_an_end_forgets_who_was_at_it():
    running = Standing(State.RUNNING, 1.0, conductor={"host": "h", "pid": 1}, deaths=2)
    end = ended(running, State.FAILED, exit_code=2, error="why")
    assert replace(end, since=0.0) == Standing(State.FAILED, 0.0, 2, "why", None, 0)


# ---------------------------------------------------------------------------------------- workers


def test_a_worker_attends_as_long_as_it_gives_a_sign_of_life(jobs, job):
    about = {"broker": "redis://h:1/0", "duties": ["control", "render"], "processes": 2}
    presence = Presence(jobs.folder, about)
    presence.renew()
    (one,) = present(jobs.folder)
    assert (one.pid, one.broker, one.processes) == (os.getpid(), "redis://h:1/0", 2)
    file = next((jobs.folder / "workers").iterdir())
    os.utime(file, (time.time(), time.time() - roster.LATE - 5))
    assert present(jobs.folder) == []
    presence.renew()
    assert len(present(jobs.folder)) == 1
    presence.end()
    assert present(jobs.folder) == []


def test_a_worker_attends_jobs_of_its_duties_and_of_its_broker(jobs):
    about = {"broker": "redis://h:1/0", "duties": ["control"], "processes": 2}
    Presence(jobs.folder, about).renew()
    (one,) = present(jobs.folder)
    assert one.attends(jobs.make("learn", {}, None))
    assert one.attends(jobs.make("learn", {}, "redis://h:1/0"))
    assert not one.attends(jobs.make("learn", {}, "redis://h:2/0"))
    assert not one.attends(jobs.make("train", {}, None))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"host": "h", "pid": "x"}'])
def test_a_damaged_file_of_a_worker_is_nobody(jobs, text):
    (jobs.folder / "workers").mkdir(parents=True)
    (jobs.folder / "workers" / "h.1.json").write_text(text)
    assert present(jobs.folder) == []


def test_job_json_holds_nothing_but_what_was_said(job):
    about = json.loads((job.folder / "job.json").read_text())
    assert about.keys() == {"id", "verb", "arguments", "created", "broker"}
