"""What one job costs its conductor, from its beginning to its end."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from queue_scale_fleet import Costs, Fleet
from queue_scale_shards import SHARD, Shards
from redis import Redis

from datagen import pipeline, recipe
from datagen.dataset import manifest, store
from datagen.jobs import queue
from datagen.jobs.conduct import Meter
from datagen.jobs.embedded import embedded_broker
from datagen.jobs.ledger import Jobs

MOST = 1_000_000  # images that are carried out; beyond that, shards are empty, and are not joined
WORLD = "colored_shapes"
PARTS = 10  # of a run, to see whether it grows dearer


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
    run, finish = queue.Run, manifest.finish

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
        mock.patch.object(manifest, "finish", finished),
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
