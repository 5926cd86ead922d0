"""What a job costs its conductor: 1,000 workers, up to ten million images, rendering left out.

Run: python tests/benchmarks/queue_scale.py OUT [whole] [IMAGES ...]

The conductor is the real one, on real files and a real Redis: `pipeline.generate` with the executor
`Queue` and the job's `Meter`. The workers are played by a Fleet in the same process, which takes
real messages out of Redis, and writes real markers, reports and shards; instead of rendering, it
lets a clock of its own go on. Only what the conductor does is counted, as CPU time: whenever it
sleeps, the clock goes on and the workers have their turn.

Of jobs of more than a million images, only as many shards are carried out, at the beginning and at
the end; those between are told to be done all at once. With `whole`, all are carried out.

Each size is kept in OUT/<images>.json, and not measured again; the table of all is printed.
"""

import base64
import contextlib
import heapq
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from redis import Redis

from datagen import pipeline, recipe
from datagen.dataset import store
from datagen.dataset.store import Shard
from datagen.frames import opened as opened_frames
from datagen.jobs import queue
from datagen.jobs.batch import Batch, folder_id, opened
from datagen.jobs.conduct import Meter
from datagen.jobs.embedded import embedded_broker
from datagen.jobs.ledger import Jobs
from datagen.jobs.work import QUEUES
from datagen.rng import Stream, rng_for
from datagen.shards import make_shard

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)  # images
MOST = 1_000_000  # images that are carried out; beyond that, shards are empty, and are not joined
WORLD, SHARD = "colored_shapes", 64
WORKERS = 1000
SECONDS = 45.0, 0.2  # of a shard: median, and sigma of the logarithm; 90 % lie in 32 to 63 s
DEATHS = 0.001  # share of the attempts at which a machine is lost
RETURN = 5.0  # seconds until another process is there instead
FETCH = 0.25  # seconds between two looks of the idle workers into Redis
TELL, BEAT = 2.0, 5.0  # seconds, as datagen.jobs.attending and datagen.jobs.markers have them
MARKER = 512  # bytes
PARTS = 10  # of a run, to see whether it grows dearer
BORN = 1_700_000_000 * 10**9  # ns; when the played clock shows 0


class Costs:
    """CPU seconds of this process while it is the conductor."""

    def __init__(self) -> None:
        self.spent, self._since = 0.0, time.process_time()

    def stop(self) -> float:
        """The workers' turn; gives what the conductor's last one took."""
        turn = time.process_time() - self._since
        self.spent += turn
        return turn

    def go_on(self) -> None:
        self._since = time.process_time()

    @property
    def now(self) -> float:
        return self.spent + time.process_time() - self._since


# ----------------------------------------------------------------------------------------- shards


class Shards:
    """Publishes shards without pictures, as like a real one as the joining at the end looks."""

    def __init__(self, made: recipe.Recipe, out: Path, whole: bool) -> None:
        self.out = out
        self._texts = _texts(made) if whole else {"shard.json": "{}"}
        self.twice = 0

    def publish(self, payload: dict[str, Any]) -> None:
        shard = Shard(payload["start"], payload["stop"])
        if store.is_published(self.out, shard):
            self.twice += 1
            return
        target = self.out / shard.place
        target.parent.mkdir(exist_ok=True)
        aside = self.out / "tmp" / shard.name
        aside.mkdir(parents=True)
        for name, text in self._texts.items():
            (aside / name).write_text(_moved(text, shard))
        os.rename(aside, target)


def _texts(made: recipe.Recipe) -> dict[str, str]:
    """The files of a real first shard but its pictures, with marks for what others have instead."""
    first, texts = Shard(0, SHARD), {}
    with tempfile.TemporaryDirectory() as place, opened_frames(made) as make_frame:
        make_shard(made, make_frame, Path(place), first, 0, lambda done: None)
        for name in ("shard.json", "records.jsonl", "scenes.jsonl"):
            text = (Path(place) / first.place / name).read_text()
            text = re.sub(r"\b000000(\d\d)\.png", r"\0name \1\0.png", text)
            text = re.sub(r'"index":(\d+)([,}])', r'"index":\0number \1\0\2', text)
            texts[name] = text.replace(first.name, "\0shard\0")
    return texts


def _moved(text: str, shard: Shard) -> str:
    """The text for another shard; the last one of a dataset may be smaller."""
    pieces = text.split("\0")
    for k in range(1, len(pieces), 2):
        kind, _, index = pieces[k].partition(" ")
        number = shard.start + int(index or 0)
        pieces[k] = {"shard": shard.name, "name": f"{number:08d}"}.get(kind, str(number))
    moved = "".join(pieces)
    lines = moved.splitlines(keepends=True)
    if len(shard) < SHARD == len(lines):
        return "".join(lines[: len(shard)])
    if len(shard) < SHARD and "digests" in moved:
        facts = json.loads(moved)
        return json.dumps({**facts, "digests": facts["digests"][: len(shard)]})
    return moved


# ---------------------------------------------------------------------------------------- workers


@dataclass
class Worker:
    """A process on another machine, and what it is at."""

    host: str
    pid: int
    tag: str = ""  # of its message in Redis
    index: int = 0
    payload: dict[str, Any] = field(default_factory=dict)
    marker: int = -1  # handle
    path: Path = Path()
    head: str = ""  # what its marker begins with
    began: float = 0.0
    end: float = 0.0

    @property
    def is_at_work(self) -> bool:
        return self.marker >= 0

    def mark(self, now: float) -> None:
        """Write the marker as datagen.jobs.markers does, at the played time."""
        done = int(SHARD * (now - self.began) / (self.end - self.began))
        os.pwrite(self.marker, f'{self.head}, "done": {done}}}'.ljust(MARKER).encode(), 0)
        self.touch(now)

    def touch(self, now: float) -> None:
        stamp = BORN + int(now * 1e9)
        os.utime(self.marker, ns=(stamp, stamp))


class Fleet:
    """All workers, and the clock that they and the conductor go by."""

    def __init__(self, url: str, jobs: Path, shards: Shards, costs: Costs) -> None:
        self.now = 0.0  # seconds
        self.made = self.died = 0
        self.seconds = 0.0  # that all have worked, for nothing included
        self.each_second = lambda: None  # a chore of the conductor
        self.aside = lambda: None  # what costs nobody anything
        self._jobs, self._shards, self._costs = jobs, shards, costs
        self._redis = Redis.from_url(url)
        prefix = f"datagen:{folder_id(jobs)}:"
        self._queue, self._unacked = f"{prefix}{QUEUES[0]}", f"{prefix}unacked"
        self._idle = [Worker(f"machine{k // 16}", 1000 + k) for k in range(WORKERS)]
        self._todo: list[tuple[float, int, str, Worker]] = []  # heap: when, tie, what, who
        self._tags = iter(range(1 << 62))
        self._rng = rng_for(0, 0, Stream.SCENE)
        self._batches: dict[int, Batch] = {}
        self._held: dict[str, str] = {}  # tag -> message, to be told to Redis
        self._settled: list[str] = []  # tags to be acknowledged
        self._fetched = -FETCH

    def sleep(self, seconds: float) -> None:
        """What the conductor calls instead of time.sleep."""
        before = self.now
        after = before + seconds + self._costs.stop()
        while self._todo and self._todo[0][0] <= after:
            self.now, _, what, worker = heapq.heappop(self._todo)
            getattr(self, f"_{what}")(worker)
        self.now = after
        if after - self._fetched >= FETCH:
            self._fetched = after
            self._take()
        self.aside()
        self._costs.go_on()
        if int(after) > int(before):
            self.each_second()

    def clock(self) -> float:
        return self.now

    def _soon(self, seconds: float, what: str, worker: Worker) -> None:
        heapq.heappush(self._todo, (self.now + seconds, next(self._tags), what, worker))

    def _take(self) -> None:
        """Idle workers take messages, as Celery would: each is held until it is acknowledged."""
        with self._redis.pipeline(transaction=False) as pipe:
            if self._held:
                pipe.hset(self._unacked, mapping=self._held)
            if self._settled:
                pipe.hdel(self._unacked, *self._settled)
            if self._idle:
                pipe.rpop(self._queue, len(self._idle))
            taken = (pipe.execute() or [None])[-1]
        self._held, self._settled = {}, []
        for text in taken if isinstance(taken, list) else ():
            worker, message = self._idle.pop(), json.loads(text)
            worker.tag = str(next(self._tags))
            self._held[worker.tag] = json.dumps([message, "", QUEUES[0]])
            self._begin(worker, json.loads(base64.b64decode(message["body"]))[0])

    def _begin(self, worker: Worker, message: Sequence[Any]) -> None:
        job, number, index = message
        batch = self._batches.setdefault(number, opened(self._jobs, job, number))
        worker.index, worker.payload = index, batch.payload(index)
        worker.began = self.now
        seconds = SECONDS[0] * math.exp(SECONDS[1] * self._rng.standard_normal())
        worker.end = self.now + seconds
        worker.path = batch.attempts / f"{index}.{os.urandom(8).hex()}"
        about = {"host": worker.host, "pid": worker.pid, "machine": worker.host, "born": "1"}
        began = BORN + int(self.now * 1e9)
        worker.head = json.dumps({**about, "began": began})[:-1]
        worker.marker = os.open(worker.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        worker.mark(self.now)
        self._soon(self._pace(worker), "tell", worker)
        self._soon(BEAT, "beat", worker)
        if self._rng.random() < DEATHS:
            self._soon(seconds * self._rng.random(), "die", worker)
        else:
            self._soon(seconds, "finish", worker)

    def _pace(self, worker: Worker) -> float:
        """Seconds between two words about progress: after the first image that is late enough."""
        image = (worker.end - worker.began) / SHARD
        return math.ceil(TELL / image) * image

    def _tell(self, worker: Worker) -> None:
        if worker.is_at_work and self.now < worker.end:
            worker.mark(self.now)
            self._soon(self._pace(worker), "tell", worker)

    def _beat(self, worker: Worker) -> None:
        if worker.is_at_work and self.now < worker.end:
            worker.touch(self.now)
            self._soon(BEAT, "beat", worker)

    def _finish(self, worker: Worker) -> None:
        self._shards.publish(worker.payload)
        batch = next(reversed(self._batches.values()))
        what = {"start": worker.payload["start"], "stop": worker.payload["stop"]}
        by = worker.host, worker.pid
        batch.report(worker.index, {"payload": worker.payload, "result": what, "by": by})
        worker.path.unlink(missing_ok=True)
        self._settled.append(worker.tag)
        self.made += 1
        self._leave(worker)
        self._idle.append(worker)

    def _die(self, worker: Worker) -> None:
        """A machine is lost: its marker stays, and Redis goes on holding the message."""
        self.died += 1
        self._leave(worker)
        self._soon(RETURN, "come", Worker(worker.host, worker.pid + WORKERS))

    def _come(self, worker: Worker) -> None:
        self._idle.append(worker)

    def _leave(self, worker: Worker) -> None:
        self.seconds += self.now - worker.began
        os.close(worker.marker)
        worker.marker = -1


# ------------------------------------------------------------------------------------ measurements


@dataclass
class Reading:
    """How things stand when a part of a run is over."""

    shards: int
    cpu: float  # seconds of the conductor
    clock: float  # seconds by the played clock
    memory: int  # bytes of this process


class Hole:
    """The shards in the middle of a long job, which nobody carries out."""

    def __init__(self, size: int, asked: queue.Queue, run: queue.Run, stub: Shards) -> None:
        self.size, self._asked, self._run, self._stub = size, asked, run, stub

    def close(self, carried: int) -> None:
        """Once half of `carried` shards are sent: the conductor takes those between for done."""
        if self.size and self._run._next >= carried // 2:
            assert self._run._next + self.size <= len(self._run._payloads)
            for payload in self._run._payloads[self._run._next : self._run._next + self.size]:
                self._stub.publish(payload)
                self._asked.progress(payload, SHARD)
            self._run._next += self.size
            self.size = 0


class Notes:
    """Readings at the seams of a run, and at every tenth of its shards."""

    def __init__(self, costs: Costs, fleet: Fleet, shards: int) -> None:
        self._costs, self._fleet, self.shards = costs, fleet, shards
        self.begun: Reading | None = None  # the batch is there, and nothing is sent
        self.parts: list[Reading] = []
        self.rendered: Reading | None = None  # all shards are there

    def now(self) -> Reading:
        return Reading(self._fleet.made, self._costs.now, self._fleet.now, resident())

    def look(self) -> None:
        assert self.begun is not None
        if self._fleet.made >= (len(self.parts) + 1) * self.shards // PARTS:
            self.parts.append(self.now())
            done, cost = self._fleet.made, 1e3 * (self._costs.now - self.begun.cpu)
            say(f"{done:,} of {self.shards:,} shards, {cost / done:.2f} ms of CPU a shard")


def measure(out: Path, images: int, most: int) -> dict[str, Any]:
    """One job from its beginning to its end."""
    made = recipe.load(WORLD, [f"count={images}", f"shard_size={SHARD}"])
    whole, place = images <= MOST, out / "dataset"
    shards = store.shards_of(images, SHARD)
    carried = len(store.shards_of(min(images, most), SHARD))
    stub = Shards(made, place, whole)
    with embedded_broker(out / "jobs") as url:
        job = Jobs(out / "jobs").make("generate", {}, None)
        costs = Costs()
        fleet = Fleet(url, out / "jobs", stub, costs)
        notes, counts, told = Notes(costs, fleet, carried), queue.Counts(), list[str]()
        before, server = notes.now(), cpu_of_redis(url)
        with (
            _played(fleet, notes, stub, len(shards) - carried, whole),
            Meter(job, lambda: vars(counts), 1e9) as meter,
        ):
            fleet.each_second = lambda: (meter.write(), notes.look())
            with contextlib.suppress(_Rendered):
                pipeline.generate(
                    made,
                    place,
                    workers=lambda progress: queue.Queue(
                        url, out / "jobs", job.id, progress, told.append, counts
                    ),
                    progress=lambda p: meter(p.done, p.total, ""),
                )
        after, server = notes.now(), cpu_of_redis(url) - server
    assert stub.twice == 0
    assert all(store.is_published(place, shard) for shard in shards)
    begun, rendered = notes.begun, notes.rendered
    assert begun is not None
    assert rendered is not None
    return {
        "images": images,
        "shards": len(shards),
        "carried": carried,
        "begin_s": begun.cpu - before.cpu,
        "begin_bytes": begun.memory - before.memory,
        "start_bytes": before.memory,
        "render_s": rendered.cpu - begun.cpu,
        "render_clock": rendered.clock - begun.clock,
        "peak_bytes": max(r.memory for r in (*notes.parts, rendered, after)),
        "parts": [vars(r) for r in (begun, *notes.parts, rendered)],
        "worked_s": fleet.seconds,
        "died": fleet.died,
        "again": counts.again,
        "failures": counts.failures,
        "told": len(told),
        "redis_s": server,
        "finish_s": after.cpu - rendered.cpu if whole else None,
        "look_s": _looking(place, images),
        "load": os.getloadavg()[1],
    }


class _Rendered(Exception):
    """All shards are there, and are not to be joined."""


@contextlib.contextmanager
def _played(fleet: Fleet, notes: Notes, stub: Shards, left_out: int, whole: bool) -> Iterator[None]:
    """The conductor's clock is the fleet's, and its seams are seen."""
    run, finish = queue.Run, pipeline.finish

    def begun(asked: queue.Queue, *rest: Any) -> queue.Run:
        notes.begun = notes.now()
        made = run(asked, *rest, now=fleet.clock)
        hole = Hole(left_out, asked, made, stub)
        fleet.aside = lambda: hole.close(notes.shards)
        return made

    def finished(*args: Any) -> Any:
        notes.rendered = notes.now()
        if not whole:
            raise _Rendered
        return finish(*args)

    with (
        mock.patch.object(queue, "time", SimpleNamespace(sleep=fleet.sleep, monotonic=fleet.clock)),
        mock.patch.object(queue, "Run", begun),
        mock.patch.object(pipeline, "finish", finished),
    ):
        yield


def _looking(place: Path, images: int) -> float:
    """CPU seconds to find that nothing is missing, as a run does that goes on with another one."""
    begun = time.process_time()
    shards = store.shards_of(images, SHARD)
    missing = [shard for shard in shards if not store.is_published(place, shard)]
    assert not missing
    return time.process_time() - begun


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def resident() -> int:
    """Bytes of memory that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_of_redis(url: str) -> float:
    info: Any = Redis.from_url(url).info("cpu")
    return info["used_cpu_user"] + info["used_cpu_sys"]


# ------------------------------------------------------------------------------------------ table


def table(kept: Sequence[dict[str, Any]]) -> str:
    head = (
        "images", "shards", "carried out", "a shard, CPU ms", "first to last tenth of them",
        "of one core", "workers busy", "begin, s", "look again, s", "join, ms an image",
        "memory, MB",
    )  # fmt: skip
    lines = [head, ["---"] * len(head), *map(_row, kept)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(one: dict[str, Any]) -> list[str]:
    costs = _costs_of_parts(one["parts"])
    join = "-" if one["finish_s"] is None else f"{1e3 * one['finish_s'] / one['images']:.3f}"
    return [
        f"{one['images']:,}",
        f"{one['shards']:,}",
        f"{one['carried']:,}",
        f"{1e3 * one['render_s'] / one['carried']:.2f}",
        f"{1e3 * costs[0]:.2f} to {1e3 * costs[-1]:.2f}",
        f"{one['render_s'] / one['render_clock']:.3f}",
        f"{one['worked_s'] / one['render_clock'] / WORKERS:.3f}",
        f"{one['begin_s']:.2f}",
        f"{one['look_s']:.2f}",
        join,
        f"{one['start_bytes'] / 1e6:.0f} to {one['peak_bytes'] / 1e6:.0f}",
    ]


def _costs_of_parts(parts: Sequence[dict[str, Any]]) -> list[float]:
    """CPU seconds a shard in each part of a run."""
    pairs = pairwise(parts)
    return [
        (b["cpu"] - a["cpu"]) / (b["shards"] - a["shards"])
        for a, b in pairs
        if b["shards"] > a["shards"]
    ]


def main(out: Path, most: int, sizes: Sequence[int]) -> None:
    kept = []
    for images in sizes:
        path = out / f"{images}.json"
        if not path.exists():  # in a process of its own, for its memory's sake
            code = [sys.executable, __file__, str(out), "alone", str(most), str(images)]
            subprocess.run(code, check=True)
        kept.append(json.loads(path.read_text()))
    say(table(kept))


def alone(out: Path, most: int, images: int) -> None:
    place = out / f"{images}.scratch"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        found = measure(place, images, most)
        (out / f"{images}.json").write_text(json.dumps(found, indent=1))
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    folder, *words = sys.argv[1:]
    if words[:1] == ["alone"]:
        alone(Path(folder), int(words[1]), int(words[2]))
    else:
        is_whole = words[:1] == ["whole"]
        chosen = [int(word) for word in words[is_whole:]] or SIZES
        main(Path(folder), max(chosen) if is_whole else MOST, chosen)
