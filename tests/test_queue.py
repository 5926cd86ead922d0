"""The executor `Queue` on a real Redis and real workers: nothing is lost, whoever is killed."""

import base64
import json
import os
import signal
import time
from contextlib import suppress
from threading import Timer
from types import SimpleNamespace

import pytest
from brokers import PASSWORD, Server, Worker, free_port, is_gone, wait_for
from faulty import write_recipe

from datagen import pipeline, recipe
from datagen.dataset import store
from datagen.errors import Cancelled, DiskFullError, InputError, PartialError
from datagen.jobs.address import shown
from datagen.jobs.batch import CANCEL, folder_id
from datagen.jobs.celery import _Processes
from datagen.jobs.queue import Counts, Queue

JOB = "abcdefghij01"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A Redis, a jobs folder, and a worker that may not come to harm."""
    folder = tmp_path_factory.mktemp("queue")
    jobs = folder / "jobs"
    (jobs / JOB).mkdir(parents=True)
    server = Server(folder)
    server.start()
    worker = Worker(server.url, jobs, folder / "worker.log")
    yield SimpleNamespace(folder=folder, jobs=jobs, server=server, worker=worker)
    worker.stop()
    server.kill()


@pytest.fixture
def other(place):
    """A jobs folder of its own on the same Redis, with workers that may be killed."""
    name = f"jobs{len(list(place.folder.glob('jobs*')))}"
    jobs, workers = place.folder / name, []
    (jobs / JOB).mkdir(parents=True)

    def hire() -> Worker:
        workers.append(Worker(place.server.url, jobs, place.folder / f"{name}.log"))
        return workers[-1]

    yield SimpleNamespace(jobs=jobs, server=place.server, hire=hire)
    for worker in workers:
        worker.stop()


class Run:
    """One dataset made by the queue, with what it told."""

    def __init__(self, place, folder, text="count = 12\nshard_size = 2", **renderer):
        self.place, self.out = place, folder / "d"
        self.recipe = recipe.load(write_recipe(folder / "r", text, **renderer))
        self.told, self.counts = [], Counts()

    def __call__(self, meanwhile=lambda done: None, **options):
        def executor(progress):
            return Queue(
                self.place.server.url, self.place.jobs, JOB, progress, self.told.append, self.counts
            )

        return pipeline.generate(
            self.recipe, self.out, workers=executor, progress=lambda p: meanwhile(p.done), **options
        )

    def again(self, word):
        return sum(word in line for line in self.told)


def once(act, after=0):
    """Something to do at the first progress beyond `after` images."""
    left = [act]

    def meanwhile(done):
        if done > after and left:
            left.pop()()

    return meanwhile


@pytest.fixture(scope="module")
def digest(tmp_path_factory):
    """Of the dataset that all runs here make, by this process alone."""
    folder = tmp_path_factory.mktemp("clean")
    loaded = recipe.load(write_recipe(folder / "r", "count = 12\nshard_size = 2"))
    return pipeline.generate(loaded, folder / "d").dataset_digest


def batches(jobs):
    return [path for path in (jobs / JOB / "batches").iterdir() if path.is_dir()]


def test_the_same_bytes_as_one_process_makes(place, tmp_path, digest):
    run = Run(place, tmp_path)
    assert run().dataset_digest == digest
    assert run.counts.failures == 0
    assert batches(place.jobs) == []


def test_a_process_that_dies_costs_its_attempt_only(place, tmp_path, digest):
    run = Run(place, tmp_path, fault="kill once", at=3, memory=str(tmp_path / "memory"))
    assert run().dataset_digest == digest
    assert (tmp_path / "memory").exists()
    assert run.counts.failures == 0
    assert place.worker.is_alive
    wait_for(lambda: "Task handler raised error" in place.worker.log)
    assert "Traceback" not in place.worker.log


def test_a_payload_that_kills_is_begun_three_times_and_the_others_are_made(place, tmp_path):
    run, died = Run(place, tmp_path, fault="kill", at=3), "exited with 'signal 9"
    before = place.worker.log.count(died)
    with pytest.raises(PartialError, match=r"1 of 6 shards.*image 3: its process died 3 times"):
        run()
    wait_for(lambda: place.worker.log.count(died) - before == 3)
    shards = store.shards_of(12, 2)
    assert [store.is_published(run.out, shard) for shard in shards] == [True, False, *[True] * 4]
    assert run.counts.failures == 1
    assert place.worker.is_alive


def test_a_bug_at_one_image_costs_its_shard_only(place, tmp_path):
    run = Run(place, tmp_path, fault="bug", at=3)
    with pytest.raises(PartialError, match="image 3: ZeroDivisionError"):
        run()
    assert len(list((run.out / "shards").iterdir())) == 5


def test_a_full_disk_ends_the_run_and_the_folder_can_be_begun_anew(place, tmp_path, digest):
    with pytest.raises(DiskFullError):
        Run(place, tmp_path, fault="disk", at=3)()
    assert batches(place.jobs) == []
    (tmp_path / "d").rename(tmp_path / "e")
    # The same folder with another recipe: workers must not take it for the one before.
    assert Run(place, tmp_path)().dataset_digest == digest


def test_a_cancelled_job_stops_its_workers_within_seconds(place, tmp_path):
    run = Run(place, tmp_path, "count = 400\nshard_size = 200", pause=0.05)
    cancel = place.jobs / JOB / CANCEL
    try:
        with pytest.raises(Cancelled):
            run(once(cancel.touch))
        wait_for(lambda: not list((run.out / "tmp").glob("*")), seconds=5)
    finally:
        cancel.unlink()
    assert place.worker.is_alive


def lines(place):
    """The queue, as who may write to Redis can reach it."""
    return place.server.redis(), f"datagen:{folder_id(place.jobs)}:render"


def message(body, task="datagen.attend", content="application/json", encoding="utf-8"):
    """A message in Celery's own form, with anything in it."""
    text = base64.b64encode(body).decode()
    properties = {
        "correlation_id": "x", "delivery_mode": 2, "delivery_tag": os.urandom(8).hex(),
        "delivery_info": {"exchange": "", "routing_key": "render"}, "priority": 0,
        "body_encoding": "base64",
    }  # fmt: skip
    headers = {"lang": "py", "task": task, "id": os.urandom(8).hex(), "retries": 0}
    return json.dumps(
        {
            "body": text, "content-encoding": encoding, "content-type": content,
            "headers": headers, "properties": properties,
        }
    )  # fmt: skip


def call(*positional, **named):
    return message(json.dumps([positional, named, {}]).encode())


class Bomb:
    def __reduce__(self):
        return os.system, ("touch /tmp/datagen-was-here",)


def test_what_strangers_write_is_dropped_and_the_worker_lives(place, tmp_path, digest):
    import pickle  # noqa: TID251  what is to be refused

    redis, key = lines(place)
    strange = [
        "no JSON at all", b"\xff\xfe\x00", "[1, 2]", "{}", '{"body": 1}', "null", "17",
        message(b"not JSON"),
        message(json.dumps([[1, 2], {}, {}]).encode(), task="os.system"),
        message(pickle.dumps([[Bomb()], {}, {}]), content="application/x-python-serialize",
                encoding="binary"),
        message(b"[]", content="application/x-yaml"),
        call("../../x", 1, 0), call("../../../etc", 1, 0), call(JOB, "../1", 0), call(JOB, 1, -1),
        call(JOB, 10**30, 0), call(JOB, True, 0), call(JOB, 1, 1.5), call(JOB, 1), call(),
        call(JOB, 1, 0, "more"), call(JOB, 1, 0, out="/etc"), call(["a"] * 10_000, {}, None),
        call("x" * 100_000, 1, 0), call("zzzzzzzzzzzz", 1, 0),
    ]  # fmt: skip
    for text in strange:
        redis.lpush(key, text)
    run = Run(place, tmp_path)
    assert run().dataset_digest == digest
    wait_for(lambda: redis.llen(key) == 0)
    assert place.worker.is_alive
    assert not os.path.exists("/tmp/datagen-was-here")
    log = place.worker.log
    assert log.count("no datagen wrote") >= 5
    assert "is no job" in log
    assert "os.system" in log
    assert PASSWORD not in log


def test_a_wrong_password_is_told_at_once(place, tmp_path):
    run = Run(place, tmp_path)
    server = SimpleNamespace(url=place.server.url.replace(PASSWORD, "wrong"))
    run.place = SimpleNamespace(server=server, jobs=place.jobs)
    began = time.monotonic()
    with pytest.raises(InputError, match="refuses") as caught:
        run()
    assert "wrong" not in str(caught.value)
    assert time.monotonic() - began < 5


def test_a_broker_that_is_away_is_waited_for_and_named_once_in_a_while(place, tmp_path):
    run = Run(place, tmp_path)
    url = f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0"
    run.place = SimpleNamespace(server=SimpleNamespace(url=url), jobs=place.jobs)
    cancel = place.jobs / JOB / CANCEL
    timer = Timer(3, cancel.touch)
    timer.start()
    try:
        with pytest.raises(Cancelled):
            run()
    finally:
        timer.join()
        cancel.unlink()
    assert run.told == [f"the broker at {shown(url)} does not answer; trying on"]
    assert PASSWORD not in run.told[0]


# ------------------------------------------------------------------------------- with own workers


def test_a_killed_worker_a_flushed_and_a_killed_broker_lose_nothing(other, tmp_path, digest):
    """One run after another, so that the workers need come up once only."""
    first = other.hire()
    run = Run(other, tmp_path / "worker", pause=0.3)

    def kill():
        children = first.children()
        first.kill()
        other.hire()
        wait_for(lambda: all(map(is_gone, children)), seconds=5)

    assert run(once(kill)).dataset_digest == digest
    assert run.again("its process died") >= 1
    assert run.counts.failures == 0

    run = Run(other, tmp_path / "flush", pause=0.3)
    assert run(once(other.server.redis().flushall, after=-1)).dataset_digest == digest
    assert run.again("its message is gone") >= 1

    def restart():
        other.server.kill()
        time.sleep(2)
        other.server.start()

    run = Run(other, tmp_path / "broker", pause=0.3)
    assert run(once(restart, after=-1)).dataset_digest == digest
    assert run.counts.failures == 0


def test_a_worker_that_gives_its_work_a_while_ends_when_the_work_is_done(
    other, tmp_path, digest, monkeypatch
):
    monkeypatch.setenv("REMAP_SIGTERM", "SIGQUIT")  # as docs/deploy has it: 30 s at most
    worker = other.hire()
    run = Run(other, tmp_path, pause=0.5)

    def end():
        worker.process.send_signal(signal.SIGTERM)
        worker.process.wait(25)
        other.hire()

    assert run(once(end)).dataset_digest == digest
    assert run.again("its process died") == 0


def test_a_worker_outlives_a_process_that_is_killed_before_it_is_ready(other, tmp_path, digest):
    worker = other.hire()
    killed = set()

    def kill():
        for pid in set(worker.children()) - killed:
            with suppress(OSError), open(f"/proc/{pid}/cmdline") as file:
                if "spawn_main" in file.read() and not killed:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
        return killed

    wait_for(kill)
    assert Run(other, tmp_path)().dataset_digest == digest
    assert worker.is_alive, worker.log
    assert "exited with 'signal 9" in worker.log


def test_pipes_of_a_process_that_nobody_saw_die_are_used_again():
    pool = _Processes.__new__(_Processes)
    pool._pool, pool._queues = ["lives"], {"first": "lives", "second": "was killed"}
    assert pool.get_process_queues() == "second"
    pool._queues["second"] = "lives"
    with pytest.raises(StopIteration):
        pool.get_process_queues()


def test_a_worker_that_stands_still_is_overtaken_and_does_no_harm(
    other, tmp_path, digest, monkeypatch
):
    monkeypatch.setattr("datagen.jobs.watching.STALE", 6.0)
    monkeypatch.setattr("datagen.jobs.markers._FRESH", 4.0)
    worker = other.hire()
    run = Run(other, tmp_path, pause=0.1)
    stopped = []

    def stop():
        stopped.extend(worker.children())
        for pid in stopped[:1]:
            os.kill(pid, signal.SIGSTOP)

    try:
        assert run(once(stop)).dataset_digest == digest
    finally:
        for pid in stopped[:1]:
            os.kill(pid, signal.SIGCONT)
    time.sleep(1)
    assert pipeline.verify(run.out).findings == ()
