"""Queued work from outside: one Redis, one worker, and the commands that people type."""

import json
import os
import re
import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest
from brokers import PASSWORD, Server, free_port, wait_for
from faulty import ROOT, TESTS, write_recipe

from datagen import pipeline, recipe
from datagen.jobs.ledger import Jobs, Standing, State
from datagen.jobs.roster import present
from datagen.storage.address import place_of, quoted

PATH = f"{ROOT}:{TESTS}"
ENVIRONMENT = {**os.environ, "PYTHONPATH": PATH, "TERM": "dumb"}
SETTINGS = "count = 36\nshard_size = 3"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("redis")) as one:
        yield one


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    return Jobs(tmp_path_factory.mktemp("shared") / "jobs")


@pytest.fixture(scope="module")
def metrics():
    return free_port()


@pytest.fixture(scope="module")
def worker(server, jobs, metrics, tmp_path_factory):
    """`datagen worker` with two processes; what it says is in its file `log`."""
    log = tmp_path_factory.mktemp("worker") / "log"
    options = ["--jobs", jobs.folder, "--concurrency", 2, "--metrics", metrics]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "datagen", "worker", *map(str, options)],
            env=ENVIRONMENT | {"DATAGEN_BROKER": server.url},
            stdout=file,
            stderr=file,
        )
    process.log = log
    wait_for(lambda: present(jobs.folder) or process.poll() is not None)
    assert process.poll() is None, log.read_text()
    yield process
    process.send_signal(signal.SIGTERM)
    process.wait(40)


@pytest.fixture(autouse=True)
def away(monkeypatch, jobs, tmp_path):
    """The commands of this process know neither broker nor jobs folder but by their options."""
    monkeypatch.delenv("DATAGEN_BROKER", raising=False)
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    monkeypatch.setenv("DATAGEN_JOBS", str(jobs.folder))
    monkeypatch.syspath_prepend(str(TESTS))


def start(*args):
    command = [sys.executable, "-m", "datagen", *map(str, args)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": PATH, "TERM": "dumb"}, **pipes
    )


def is_at(job, state):
    return lambda: job.standing().state is state


def long_job(cli, jobs, folder, count=60):
    """A job that nobody waits for, and that takes long enough to be disturbed."""
    text = f"count = {count}\nshard_size = 3"
    source = write_recipe(folder / "r", text, pause=0.08)
    done = cli("submit", "generate", source, "--out", folder / "d")
    assert done.code == 0, done.err
    return jobs.find(done.out.strip()), source


# ------------------------------------------------------------------------------------- good ends


def test_a_queued_dataset_is_the_same_as_one_made_here(worker, server, cli, jobs, tmp_path):
    source = write_recipe(tmp_path / "r", SETTINGS)
    out = tmp_path / "d"
    done = cli("generate", source, "--out", out, "--broker", server.url, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    plain = pipeline.generate(recipe.load(source), tmp_path / "plain").to_json()
    for name in ("dataset_digest", "recipe_digest", "count", "annotations", "rendered"):
        assert result[name] == plain[name]
    assert result["out"] == str(out)
    assert pipeline.verify(out).findings == ()
    (job,) = [job for job in jobs.all() if job.id in done.err]
    assert job.broker == f"redis://127.0.0.1:{server.port}/0"
    assert job.progress()["failures"] == 0
    assert PASSWORD not in "".join(
        path.read_text() for path in job.folder.rglob("*") if path.is_file()
    )


def test_the_worker_says_what_it_attends_and_hides_the_password(worker, server, jobs):
    text = worker.log.read_text()
    assert str(jobs.folder) in text
    assert f"redis://127.0.0.1:{server.port}/0" in text
    assert "render, eval, 2 processes" in text
    assert PASSWORD not in text


def test_a_job_can_be_sent_looked_at_and_followed_later(worker, cli, jobs, tmp_path):
    job, _ = long_job(cli, jobs, tmp_path, count=150)
    wait_for(lambda: job.progress().get("per_second"))
    shown = json.loads(cli("jobs", "show", job.id[:6], "--json").out)
    assert (shown["id"], shown["state"], shown["conducted"]) == (job.id, "running", True)
    assert shown["progress"]["total"] == 150
    text = cli("jobs", "show", job.id).out
    assert re.search(r"progress +\d+/150 .*images/s.*to go", text), text
    assert "at work" in text
    assert job.id in cli("jobs", "list").out
    listed = {one["id"]: one for one in json.loads(cli("jobs", "list", "--json").out)}
    assert listed[job.id]["out"] == str(tmp_path / "d")
    done = cli("jobs", "show", job.id, "--follow", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["count"] == 150
    assert "carried out by process" in cli("jobs", "logs", job.id).out


@pytest.mark.parametrize("out", ["/srv/d x", "s3://pictures/streets"])
def test_the_end_of_a_job_is_told_by_whoever_follows_it(cli, tmp_path, monkeypatch, out):
    monkeypatch.setenv("DATAGEN_JOBS", str(tmp_path))
    job = Jobs(tmp_path).make("generate", {"out": quoted(place_of(out))}, None)
    job.write_result({"count": 3, "rendered": 3, "images_per_second": 1.0, "annotations": 9})
    with job.held():
        job.write(Standing(State.DONE, 0.0))
    assert cli("jobs", "show", job.id, "--follow").out == f"{out}\n"
    for words in (["--follow", "--json"], ["--json"]):
        assert json.loads(cli("jobs", "show", job.id, *words).out)["out"] == out


def test_a_client_may_be_killed_and_another_one_follows_the_same_job(worker, cli, jobs, tmp_path):
    source = write_recipe(tmp_path / "r", "count = 60\nshard_size = 3", pause=0.08)
    words = ["generate", source, "--out", tmp_path / "d", "--jobs", jobs.folder]
    client = start(*words)
    wait_for(lambda: list(tmp_path.glob("d/shards/*")))
    client.kill()
    client.communicate()
    cli(*words).refused(2, "writes to this folder already", "--resume")
    cli(*words, "--resume", "--seed", 5).refused(2, "differs in recipe.seed: 0 -> 5")
    number = len(jobs.ids())
    done = cli(*words, "--resume", "--json")
    assert done.code == 0, done.err
    assert "under way already" in done.err
    assert len(jobs.ids()) == number
    assert json.loads(done.out)["rendered"] == 60, "by one job, which nobody disturbed"


def test_ctrl_c_lets_the_job_go_on_and_says_how_to_find_it_again(worker, jobs, tmp_path):
    source = write_recipe(tmp_path / "r", "count = 45\nshard_size = 3", pause=0.08)
    client = start("generate", source, "--out", tmp_path / "d", "--jobs", jobs.folder)
    wait_for(lambda: list(tmp_path.glob("d/shards/*")))
    client.send_signal(signal.SIGINT)
    _, err = client.communicate(timeout=20)
    assert client.returncode == 130, err
    (name,) = re.findall(r"job (\w{12}) goes on; follow it: datagen jobs show \1 --follow", err)
    assert "Traceback" not in err
    wait_for(is_at(jobs.find(name), State.DONE))


# --------------------------------------------------------------------------------------- faults


def test_a_conductor_that_is_killed_is_followed_by_another_one(worker, cli, jobs, tmp_path):
    job, source = long_job(cli, jobs, tmp_path)
    wait_for(lambda: list(tmp_path.glob("d/shards/*")))
    os.kill(job.standing().conductor["pid"], signal.SIGKILL)
    done = cli("jobs", "show", job.id, "--follow", "--json")
    assert done.code == 0, done.err
    plain = pipeline.generate(recipe.load(source), tmp_path / "plain")
    assert json.loads(done.out)["dataset_digest"] == plain.dataset_digest
    assert "died" in done.err


def test_a_job_that_is_cancelled_stops_soon_and_goes_on_when_asked(worker, cli, jobs, tmp_path):
    job, _ = long_job(cli, jobs, tmp_path)
    wait_for(lambda: list(tmp_path.glob("d/shards/*")))
    done = cli("jobs", "cancel", job.id)
    assert done.code == 0
    assert "datagen jobs retry" in done.err
    wait_for(is_at(job, State.CANCELLED), seconds=10)
    cli("jobs", "show", job.id, "--follow").refused(1, "it was cancelled", "jobs retry")
    number = len(list(tmp_path.glob("d/shards/*")))
    assert number < 20
    assert "goes on" in cli("jobs", "retry", job.id).err
    assert cli("jobs", "show", job.id, "--follow").code == 0
    assert "done already" in cli("jobs", "cancel", job.id).err
    assert "nothing to do again" in cli("jobs", "retry", job.id).err


def test_a_job_that_is_partly_done_ends_with_4_and_can_go_on(worker, cli, jobs, tmp_path):
    source = write_recipe(tmp_path / "r", SETTINGS, fault="bug", at=7)
    words = ["generate", source, "--out", tmp_path / "d", "--jobs", jobs.folder]
    done = cli(*words)
    done.refused(4, "image 7", "is partial", "datagen jobs retry")
    name = re.findall(r"datagen jobs retry (\w{12})", done.err)[0]
    shards = {path.name for path in (tmp_path / "d" / "shards").iterdir()}
    assert len(shards) == 11
    assert cli("jobs", "retry", name).code == 0
    cli("jobs", "show", name, "--follow").refused(4, "image 7")
    again = cli(*words, "--resume")
    again.refused(4, "image 7")
    assert name not in again.err, "a new job on what is there"


# -------------------------------------------------------------------------------------- mistakes


def test_mistakes_are_told_before_anything_is_made(cli, server, tmp_path, monkeypatch):
    folder = tmp_path / "jobs"
    monkeypatch.setenv("DATAGEN_JOBS", str(folder))
    source, out = write_recipe(tmp_path / "r", SETTINGS), tmp_path / "d"
    wrong = server.url.replace(PASSWORD, "wrong-one")
    for url, word in {
        "http://h": "redis://",
        "redis://h:port/0": "redis://",
        "redis://h/zero": "redis://",
        "h": "redis://",
        wrong: "refuses user or password",
        f"redis://127.0.0.1:{server.port}/0": "refuses user or password",
        server.url.replace("/0", "/99"): "cannot be used",
    }.items():
        done = cli("generate", source, "--out", out, "--broker", url)
        done.refused(2, word)
        assert "wrong-one" not in done.err
        assert PASSWORD not in done.err
    words = ["generate", source, "--out", out, "--jobs", folder]
    cli(*words, "--workers", 2).refused(2, "--workers", "--concurrency")
    cli(*words, "--count", 0).refused(2, "count")
    cli("submit", "generate", source, "--out", source).refused(2, "is a file")
    cli("submit", "verify", out).refused(2, "cannot be queued")
    cli("submit", "generate", "nowhere", "--out", out).refused(2, "nowhere")
    cli("submit").refused(2, "VERB")
    assert not out.exists()
    assert not folder.exists()


@pytest.mark.parametrize("verb", ["show", "cancel", "retry", "logs"])
def test_an_unknown_job_is_a_mistake_of_the_user(cli, verb, jobs):
    cli("jobs", verb, "nosuchjob").refused(2, "no job `nosuchjob`", str(jobs.folder))


def test_who_waits_for_nobody_is_told_how_to_start_a_worker(tmp_path):
    source, folder = write_recipe(tmp_path / "r", SETTINGS), tmp_path / "jobs"
    down = f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0"
    words = ["generate", source, "--out", tmp_path / "d", "--jobs", folder, "--broker", down]
    client = start(*words)
    err = ""
    while "start one" not in err:
        line = client.stderr.readline()
        assert line, err
        err += line
    client.send_signal(signal.SIGINT)
    client.communicate(timeout=30)
    assert "does not answer now" in err
    assert f"no worker attends {folder}; start one" in err
    assert f"datagen worker --jobs {folder} --broker redis://127.0.0.1:" in err
    assert PASSWORD not in err


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--broker", "ftp://h"], 2, "redis://"),
        (["--queues", "render,cook"], 2, "there is no `cook`"),
        (["--queues", ","], 2, "name at least one"),
        (["--concurrency", "0"], 2, "--concurrency"),
        (["--jobs", "/proc/nowhere/jobs"], 2, "/proc/nowhere"),
    ],
)
def test_a_worker_refuses_what_it_cannot_attend(cli, words, code, text, tmp_path):
    cli("worker", "--jobs", tmp_path / "jobs", *words).refused(code, text)


def test_a_worker_with_a_wrong_password_ends_at_once(cli, server, tmp_path):
    url = server.url.replace(PASSWORD, "wrong-one")
    done = cli("worker", "--jobs", tmp_path / "jobs", "--broker", url)
    done.refused(2, "refuses user or password")
    assert "wrong-one" not in done.err


BROKEN = """
import sys
from celery.worker.consumer import Consumer
from datagen.cli import main
def create_task_handler(self):
    raise RuntimeError("something in a library is broken")
Consumer.create_task_handler = create_task_handler
sys.exit(main())
"""


def test_a_worker_that_celery_ends_says_why_and_fails(server, tmp_path):
    words = ["worker", "--jobs", str(tmp_path / "jobs"), "--concurrency", "1"]
    done = subprocess.run(
        [sys.executable, "-c", BROKEN, *words],
        env=ENVIRONMENT | {"DATAGEN_BROKER": server.url},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: Celery ended this worker"), done.stderr
    assert "RuntimeError: something in a library is broken" in last
    assert PASSWORD not in done.stderr
    assert present(tmp_path / "jobs") == []


# --------------------------------------------------------------------------------------- metrics


def test_prometheus_reads_the_folder_the_queues_and_the_memory(worker, metrics, jobs):
    def values():
        with urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=10) as answer:
            found = re.findall(r"^datagen_([^ ]+) (.+)$", answer.read().decode(), re.M)
        return {name: float(value) for name, value in found}

    def pool():
        return [size for name, size in values().items() if 'role="pool"' in name]

    wait_for(lambda: len([size for size in pool() if size > 30e6]) >= 2)
    found = values()
    assert found["broker_up"] == 1
    assert found['queue_messages{queue="render"}'] >= 0
    done = sum(job.standing().state is State.DONE for job in jobs.all())
    assert found['jobs{state="done"}'] == done
    for name in ("images", "conductors", "payloads_in_flight", "payloads_sent_again"):
        assert found[name] >= 0


def test_figures_without_their_package_are_refused_with_what_to_install(
    cli, server, tmp_path, monkeypatch
):
    monkeypatch.delitem(sys.modules, "datagen.jobs.metrics", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "datagen.jobs.gauges", raising=False)
    words = ["--jobs", tmp_path / "jobs", "--broker", server.url, "--metrics", free_port()]
    cli("worker", *words).refused(5, "prometheus-client", "datagen[metrics]")
    assert present(tmp_path / "jobs") == []


def test_a_port_that_is_taken_is_refused(cli, server, tmp_path):
    words = ["--jobs", tmp_path / "jobs", "--broker", server.url, "--metrics", server.port]
    cli("worker", *words).refused(2, "--metrics", "cannot listen")


# ------------------------------------------------------------------------------------ last of all


def test_a_worker_that_is_told_to_stop_ends_in_order_and_its_jobs_wait(worker, cli, jobs, tmp_path):
    job, _ = long_job(cli, jobs, tmp_path, count=900)
    wait_for(lambda: list(tmp_path.glob("d/shards/*")))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(40) == 0
    assert job.standing() == Standing(State.QUEUED, job.standing().since)
    assert present(jobs.folder) == []
    assert "stopped; unfinished jobs wait" in worker.log.read_text()
    assert "Traceback" not in worker.log.read_text()
    assert "no worker attends" in cli("jobs", "show", job.id).out
    assert cli("jobs", "cancel", job.id).code == 0
    assert job.standing().state is State.CANCELLED
