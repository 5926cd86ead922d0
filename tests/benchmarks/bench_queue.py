"""What the queue costs beside processes of one's own: the same shards, by as many processes.

Run: python -m pytest -q -s tests/benchmarks/bench_queue.py

The workers of Celery are up before, as services are; `Processes` starts its own each time. So each
run is read twice: from the call to the last report, and from the first image to the last shard.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bench_estimate import cpu_of_children
from brokers import Server, Worker, wait_for
from faulty import write_recipe

from datagen import recipe
from datagen.dataset import store
from datagen.dataset.claim import claimed
from datagen.jobs.executors import Executor, Processes
from datagen.jobs.making import shard_payloads
from datagen.jobs.queue import Queue
from datagen.recipe import Recipe

JOB = "abcdefghij01"
SHARD = 5000  # aerial images: 25 to 30 s of one core
EACH = 2  # shards for each process
PAIRS = {1: 1, 2: 2}  # processes -> pairs of runs, in turn: the machine's speed drifts
LEAST = 0.95  # of what `Processes` reach
PAUSE = 1.0  # s an image, where images only wait
SLOW = 30  # images of such a shard


@dataclass(frozen=True)
class Reading:
    """One run of an executor."""

    images: int
    processes: int
    wall: float  # s, from the call to the last report
    span: float  # s, from the first image to the last shard
    busy: float  # s, that processes were at a shard, all together
    cpu: float  # s, of all processes
    beside: float  # s of them that went to who calls and carries, not to who renders

    @property
    def share(self) -> float:
        """Of the time of all processes that they were at a shard, once the first had begun."""
        return self.busy / (self.processes * self.span)


@pytest.mark.parametrize("processes", PAIRS)
def test_print_rendering_by_celery_beside_processes(processes: int, tmp_path: Path) -> None:
    made = recipe.load("aerial", [f"count={processes * EACH * SHARD}", f"shard_size={SHARD}"])
    whole, steady, shares = list[float](), list[float](), list[float]()
    with workers_of_celery(tmp_path, processes) as celery:
        for pair in range(PAIRS[processes]):
            load = os.getloadavg()[0]
            ours = run_of(made, tmp_path / f"{pair}-processes", processes, by_processes)
            theirs = run_of(made, tmp_path / f"{pair}-celery", processes, celery)
            whole.append(ours.wall / theirs.wall)
            steady.append(ours.span / theirs.span)
            shares.append(theirs.share / ours.share)
            say(f"  Processes  {told(ours)}; {dear(ours)}")
            say(f"  Celery     {told(theirs)}; {dear(theirs)}")
            say(f"  load {load:.1f} before, {os.getloadavg()[0]:.1f} after")
    say(f"  Celery / Processes, {processes} at work: images/s {spread(whole)}, without the start "
        f"{spread(steady)}; share of the time at work {spread(shares)}")  # fmt: skip
    # Not images/s: other programs take from one run what they leave to the next.
    assert statistics.median(shares) >= LEAST


def test_print_shards_that_only_wait_by_celery_beside_processes(tmp_path: Path) -> None:
    """Side by side at the same time: who waits takes nothing from others. The waits are all."""
    with ThreadPoolExecutor(4) as pool:
        runs = {n: pool.submit(waiting, tmp_path / str(n), n, pool) for n in PAIRS}
        found = {n: run.result() for n, run in runs.items()}
    for processes, (ours, theirs) in found.items():
        say(f"  Processes  {told(ours)}")
        # What is beside the rendering is that of all conductors here, which share this process.
        say(f"  Celery     {told(theirs)}; CPU beside the rendering at most {theirs.beside:.2f} s")
        say(f"  Celery / Processes, {processes} at work: images/s {ours.wall / theirs.wall:.3f}, "
            f"without the start {ours.span / theirs.span:.3f}")  # fmt: skip
    one, two = found[1][1], found[2][1]
    say(f"  Celery, two beside one: {two.images / two.wall / (one.images / one.wall):.2f}")
    assert all(ours.wall / theirs.wall >= LEAST for ours, theirs in found.values())


def waiting(folder: Path, processes: int, pool: ThreadPoolExecutor) -> tuple[Reading, Reading]:
    text = f"count = {processes * EACH * SLOW}\nshard_size = {SLOW}"
    made = recipe.load(write_recipe(folder / "recipe", text, pause=PAUSE))
    with workers_of_celery(folder, processes) as celery:
        ours = pool.submit(run_of, made, folder / "processes", processes, by_processes)
        theirs = run_of(made, folder / "celery", processes, celery)
        return ours.result(), theirs


# ------------------------------------------------------------------------------------------- runs


@dataclass(frozen=True)
class Arm:
    """Who does the work, and what that has cost since it began."""

    executor: Callable[[int], Executor]
    cpu: Callable[[], float]  # s, of all processes so far
    renders: Callable[[], float]  # s, of those that render


by_processes = Arm(
    lambda processes: Processes(processes, lambda payload, done: None),
    lambda: cpu_of_children() + time.process_time(),
    cpu_of_children,
)


@contextmanager
def workers_of_celery(folder: Path, processes: int) -> Iterator[Arm]:
    """A Redis and a worker, which has made one image already."""
    folder.mkdir(exist_ok=True)
    jobs, server = folder / "jobs", Server(folder)
    (jobs / JOB).mkdir(parents=True)
    server.start()
    worker = Worker(server.url, jobs, folder / "worker.log", processes)

    def renders() -> float:
        return sum(cpu_of(child) for child in worker.children())

    def cpu() -> float:
        redis: Any = server.redis().info("cpu")
        used = redis["used_cpu_user"] + redis["used_cpu_sys"]
        return renders() + cpu_of(worker.process.pid) + used + time.process_time()

    arm = Arm(lambda _: Queue(server.url, jobs, JOB, lambda payload, done: None), cpu, renders)
    try:
        wait_for(lambda: len(worker.children()) >= processes)
        warm = recipe.load(write_recipe(folder / "warm", f"count = {processes}\nshard_size = 1"))
        run_of(warm, folder / "warmed", processes, arm)
        yield arm
    finally:
        worker.stop()
        server.kill()


def run_of(made: Recipe, out: Path, processes: int, arm: Arm) -> Reading:
    shards = store.shards_of(made.count, made.shard_size)
    with claimed(made, out, resume=False):
        payloads = shard_payloads(out.resolve(), shards)
        before = SimpleNamespace(cpu=arm.cpu(), renders=arm.renders())
        began = time.perf_counter()
        with arm.executor(processes).open("make_shard") as hands:
            reports = list(hands.run(payloads))
        wall = time.perf_counter() - began
        cpu, renders = arm.cpu() - before.cpu, arm.renders() - before.renders
    assert all("result" in report for report in reports)
    times = [lasted(out / shard.place) for shard in shards]
    return Reading(
        images=made.count,
        processes=processes,
        wall=wall,
        span=max(end for _, end in times) - min(begin for begin, _ in times),
        busy=sum(end - begin for begin, end in times),
        cpu=cpu,
        beside=cpu - renders,
    )


def lasted(folder: Path) -> tuple[float, float]:
    """When a shard's first image was begun, and when the shard was published."""
    written = sorted(path.stat().st_mtime for path in folder.glob("*.png"))
    one = (written[-1] - written[0]) / max(1, len(written) - 1)
    return written[0] - one, folder.stat().st_ctime


def cpu_of(pid: int) -> float:
    """Seconds of a process that lives, and of its children that have ended."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def told(one: Reading) -> str:
    return (
        f"{one.processes} at work: {one.images / one.wall:7.2f} images/s, {one.wall:6.1f} s; "
        f"at a shard {100 * one.share:6.2f} % of {one.span:.1f} s"
    )


def dear(one: Reading) -> str:
    return f"CPU {one.cpu:.1f} s, {one.beside:.2f} s of it beside the rendering"


def spread(readings: list[float]) -> str:
    """Median, and the lowest and highest reading."""
    return f"{statistics.median(readings):.3f} ({min(readings):.3f} to {max(readings):.3f})"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
