"""`datagen jobs remove`: a job that has ended is forgotten as a whole, and what it made stays."""

import json
import os
import subprocess
import sys
import time

import pytest
from conftest import ROOT

from datagen.errors import InputError
from datagen.jobs.ledger import Job, Jobs, Standing, State

DAY = 86400.0


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    folder = tmp_path / "jobs"
    monkeypatch.setenv("DATAGEN_JOBS", str(folder))
    return Jobs(folder)


@pytest.fixture
def make(jobs, tmp_path):
    """A job in some state, since so many days, and what it made."""

    def made(state: State, days: float = 0.0) -> Job:
        out = tmp_path / f"data{len(jobs.ids())}"
        out.mkdir()
        (out / "image.png").write_text("a picture")
        job = jobs.make("generate", {"out": str(out)}, None)
        (job.folder / "log.txt").write_text("it went well")
        with job.held():
            job.write(Standing(state, time.time() - days * DAY))
        return job

    return made


FINAL = [state for state in State if state.is_final]


@pytest.mark.parametrize("state", FINAL)
def test_a_job_that_has_ended_is_removed_and_what_it_made_stays(make, jobs, cli, state):
    job, other = make(state), make(State.DONE)
    (job.folder / "batches").symlink_to(job.arguments["out"])  # whatever hangs there
    done = cli("jobs", "remove", job.id[:8])
    assert done.code == 0, done.err
    assert done.out == f"{job.id}\n"
    assert jobs.ids() == [other.id]
    assert [path.name for path in jobs.folder.iterdir()] == [other.id]
    assert sorted(path.name for path in jobs.folder.parent.glob("data*/*")) == ["image.png"] * 2


@pytest.mark.parametrize("state", [state for state in State if not state.is_final])
def test_one_that_has_not_ended_is_refused_and_so_are_all_with_it(make, jobs, cli, state):
    ended, under_way = make(State.DONE), make(state)
    done = cli("jobs", "remove", ended.id, under_way.id)
    done.refused(2, f"is {state}", f"datagen jobs cancel {under_way.id}")
    assert sorted(jobs.ids()) == sorted([ended.id, under_way.id])
    with pytest.raises(InputError, match=str(state)):
        jobs.remove(under_way)
    assert cli("jobs", "cancel", under_way.id).code == 0
    assert cli("jobs", "remove", ended.id, under_way.id).code == 0
    assert jobs.ids() == []


def test_all_that_ended_before_some_days_are_removed_and_no_other(make, jobs, cli):
    old, partial = make(State.DONE, days=3), make(State.PARTIAL, days=2.5)
    kept = [make(State.DONE, days=1), make(State.RUNNING, days=9), make(State.QUEUED, days=9)]
    done = cli("jobs", "remove", "--ended-before", "2", "--json")
    assert done.code == 0, done.err
    assert sorted(json.loads(done.out)) == sorted([old.id, partial.id])
    assert sorted(jobs.ids()) == sorted(job.id for job in kept)
    assert cli("jobs", "remove", "--ended-before", "2").out == "no job to remove\n"


def test_what_to_remove_must_be_said_in_one_way(make, jobs, cli):
    job = make(State.DONE)
    cli("jobs", "remove").refused(2, "--ended-before")
    cli("jobs", "remove", job.id, "--ended-before", 0).refused(2, "--ended-before")
    cli("jobs", "remove", "--ended-before", -1).refused(2, "--ended-before")
    cli("jobs", "remove", job.id, "nosuchjob").refused(2, "no job `nosuchjob`")
    assert jobs.ids() == [job.id]


KILLED = """
import os, shutil, signal, sys
from datagen.cli import main
def rmtree(folder, **options):
    os.unlink(folder / "state.json")
    os.kill(os.getpid(), signal.SIGKILL)
shutil.rmtree = rmtree
main(sys.argv[1:])
"""


def test_who_is_killed_while_removing_leaves_no_half_job(make, jobs, cli):
    job, other = make(State.DONE), make(State.DONE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED, "jobs", "remove", job.id]
    assert subprocess.run(command, env=environment, check=False).returncode == -9
    assert jobs.ids() == [other.id]
    assert len(list(jobs.folder.iterdir())) == 2
    cli("jobs", "show", job.id).refused(2, "no job")
    assert cli("jobs", "remove", other.id).code == 0
    assert list(jobs.folder.iterdir()) == [], "the rest goes with the next one"
