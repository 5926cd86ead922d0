"""A thousand workers played in one process, and the clock that they and the conductor go by."""

import base64
import heapq
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from queue_scale_shards import SHARD, Shards
from redis import Redis

from datagen.jobs.batch import Batch, folder_id, opened
from datagen.jobs.work import QUEUES
from datagen.rng import Stream, rng_for

WORKERS = 1000
SECONDS = 45.0, 0.2  # of a shard: median, and sigma of the logarithm; 90 % lie in 32 to 63 s
DEATHS = 0.001  # share of the attempts at which a machine is lost
RETURN = 5.0  # seconds until another process is there instead
FETCH = 0.25  # seconds between two looks of the idle workers into Redis
TELL, BEAT = 2.0, 5.0  # seconds, as datagen.jobs.attending and datagen.jobs.markers have them
MARKER = 512  # bytes
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
        self.each_second: Callable[[], object] = lambda: None  # a chore of the conductor
        self.aside: Callable[[], object] = lambda: None  # what costs nobody anything
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
