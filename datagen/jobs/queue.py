"""The executor `Queue`: workers wherever the jobs folder is, called by messages over Redis.

The folder is the truth: what is not reported there, and nobody is at, is sent again. Redis may
lose everything at any time, and a message may come twice; it costs time and nothing else.
"""

import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datagen.errors import Cancelled
from datagen.jobs.address import shown
from datagen.jobs.attending import lost
from datagen.jobs.batch import Batch, begin
from datagen.jobs.celery import BrokerAway, Post
from datagen.jobs.executors import ATTEMPTS, Payload, Progress
from datagen.jobs.watching import Watch
from datagen.jobs.work import QUEUE_OF, QUEUES

_PAUSES = (0.02, 0.5)  # seconds between two looks for reports, while they come and while not
_LOOK = 0.5  # seconds between two looks at the markers
_RECONCILE = 1.0  # seconds between two comparisons of what was sent with what is seen
_SOON = 5.0  # seconds for which a message is not asked after
_MISSING = 2.0  # seconds for which it may be neither in Redis nor begun: two looks
_HELD = 30.0  # seconds, where a worker holds it: its processes may be coming up
_ASK = 2.5  # seconds between two looks into Redis for what waits there
_RETRY = 1.0  # seconds between two tries to reach a broker that is away
_COMPLAIN = 10.0  # seconds between two lines about it
# Payloads sent and not reported. So many for each worker, so that none is ever idle; no more, so
# that what a look costs does not grow with the job.
_EACH = 4
_WINDOW = (16, 4096)


@dataclass
class Counts:
    """What people who wait want to know; one may serve many runs of a job."""

    workers: int = 0  # processes at work within the last half minute
    in_flight: int = 0  # payloads that are sent and not reported
    failures: int = 0  # payloads that failed for good
    again: int = 0  # payloads that were sent again


@dataclass(frozen=True)
class Queue:
    """The same protocol as Processes. Raises Cancelled when the job's CANCEL is there.

    `tell` gets one line for each event: a payload lost, sent again, given up; the broker away.
    """

    broker_url: str
    jobs: Path
    job: str
    progress: Progress
    tell: Callable[[str], None] = lambda line: None
    counts: Counts = field(default_factory=Counts)
    # Workers keep open what they have opened for as long as this is the same; a folder of the same
    # name may hold something else in the next run.
    session: str = field(default_factory=lambda: secrets.token_hex(8))

    def run(self, work: str, payloads: Sequence[Payload]) -> Generator[dict[str, Any], None, None]:
        if not payloads:
            return
        post = Post(self.broker_url, self.jobs)
        batch = begin(self.jobs, self.job, work, payloads, self.session)
        try:
            yield from Run(self, batch, payloads, post).reports()
        finally:
            batch.close()
            post.close()


@dataclass
class _Sent:
    """A payload in flight."""

    since: float  # when it was sent last, by our monotonic clock
    done: int = 0
    missing: float | None = None  # since when it is neither in Redis nor begun
    dead: frozenset[str] = frozenset()  # attempts for which it was sent again


class Run:
    """One batch, from its first message to its last report."""

    def __init__(
        self,
        asked: Queue,
        batch: Batch,
        payloads: Sequence[Payload],
        post: Post,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asked, self._batch, self._payloads, self._post = asked, batch, payloads, post
        self._now = now
        self._queue = QUEUE_OF.get(batch.work, QUEUES[0])
        self._watch = Watch(batch.attempts, now)
        self._next = 0  # the first payload that was never sent
        self._again: deque[int] = deque()  # in flight, and to be sent once more
        self._flight: dict[int, _Sent] = {}
        self._away: tuple[float, float] | None = None  # next try, next line
        self._looked = self._reconciled = self._inquired = -math.inf  # when it was done last

    def reports(self) -> Iterator[dict[str, Any]]:
        pause = _PAUSES[0]
        while not self.is_over:
            pause = min(2 * pause, _PAUSES[1])
            for report in self.round():
                pause = _PAUSES[0]
                yield report
            time.sleep(pause)

    @property
    def is_over(self) -> bool:
        return not self._flight and self._next == len(self._payloads)

    def round(self) -> Iterator[dict[str, Any]]:
        """Send what fits, take the reports that are there, and see that nothing is lost."""
        if self._batch.is_cancelled:
            raise Cancelled("it was cancelled; what is published stays, and can be resumed")
        self._send()
        for index in list(self._batch.reported()):
            report = self._taken(index)
            if report is not None:
                yield report
        now = self._now()
        if now - self._looked >= _LOOK:
            self._looked = now
            self._look()
        if now - self._reconciled >= _RECONCILE:
            self._reconciled = now
            for index, dead in self._reconcile(now):
                yield self._settled(index, lost(self._payloads[index], dead))
        self._asked.counts.in_flight = len(self._flight)

    # ------------------------------------------------------------------------------------ reports

    def _taken(self, index: int) -> dict[str, Any] | None:
        report = self._batch.take_report(index)
        if index not in self._flight:
            return None  # of a second attempt, which came late
        if report is None:
            self._lost(index, "its report is damaged")
            return None
        host, pid = report.get("by", ("", 0))
        self._watch.note(host, pid)
        return self._settled(index, report)

    def _settled(self, index: int, report: dict[str, Any]) -> dict[str, Any]:
        """Nothing more is expected of a payload; what the executor gives for it."""
        error = report.get("error")
        if error is not None:
            self._asked.counts.failures += 1
            self._asked.tell(f"{self._name(index)} failed: {error['message']}")
            if error["type"] == "WorkerLost":
                self._batch.give_up(index)
        del self._flight[index]
        self._watch.forget(index)
        what = {"result": report["result"]} if error is None else {"error": error}
        return {"payload": self._payloads[index], **what}

    def _name(self, index: int) -> str:
        return f"{self._batch.work} {index} of {len(self._payloads)}"

    def _look(self) -> None:
        """See who is at what, and say how far it is."""
        for index, done in self._watch.look():
            if index in self._flight:
                self._flight[index].done = done
                self._asked.progress(self._payloads[index], done)
        self._asked.counts.workers = self._watch.workers

    # ------------------------------------------------------------------------------------ sending

    def _send(self) -> None:
        """Keep the window full, while the broker is there."""
        low, high = _WINDOW
        window = max(low, min(_EACH * self._watch.workers, high))
        try:
            while self._again and self._is_reachable():
                index = self._again[0]
                if index in self._flight:
                    self._post_one(index)
                self._again.popleft()
            while len(self._flight) < window and self._next < len(self._payloads):
                if not self._is_reachable():
                    break
                self._post_one(self._next)
                self._next += 1
        except BrokerAway:
            self._complain()

    def _post_one(self, index: int) -> None:
        self._post.send(self._queue, (self._asked.job, self._batch.number, index))
        sent = self._flight.setdefault(index, _Sent(0.0))
        sent.since, sent.missing = self._now(), None
        self._is_back()

    def _is_reachable(self) -> bool:
        return self._away is None or self._now() >= self._away[0]

    def _complain(self) -> None:
        now = self._now()
        line = now if self._away is None else self._away[1]
        if now >= line:
            self._asked.tell(
                f"the broker at {shown(self._asked.broker_url)} does not answer; trying on"
            )
            line = now + _COMPLAIN
        self._away = now + _RETRY, line

    def _is_back(self) -> None:
        if self._away is not None:
            self._away = None
            self._asked.tell(f"the broker at {shown(self._asked.broker_url)} answers again")

    # --------------------------------------------------------------------------------- reconciling

    def _reconcile(self, now: float) -> list[tuple[int, int]]:
        """Send again what is lost; gives (payload, dead attempts) of what is to be given up."""
        hopeless, idle = [], []
        for index, sent in self._flight.items():
            if self._watch.is_under_way(index):
                sent.missing = None
                continue
            dead = self._watch.dead(index)
            if len(dead) >= ATTEMPTS:
                hopeless.append((index, len(dead)))
            elif not dead <= sent.dead:
                sent.dead = dead
                self._lost(index, "its process died")
            elif now - sent.since >= _SOON and index not in self._again:
                idle.append(index)
        if idle and now - self._inquired >= _ASK and self._is_reachable():
            self._inquired = now
            self._inquire(idle, now)
        self._remind()
        return hopeless

    def _inquire(self, idle: Sequence[int], now: float) -> None:
        """Send again what nobody has begun and Redis does not hold."""
        try:
            waiting, held = self._post.waiting(self._queue)
        except BrokerAway:
            self._complain()
            return
        self._is_back()
        for index in idle:
            sent, message = self._flight[index], (self._asked.job, self._batch.number, index)
            if message in waiting:
                sent.missing = None
            elif sent.missing is None:
                sent.missing = now
            elif now - sent.missing >= (_HELD if message in held else _MISSING):
                self._batch.check_room()  # a worker that cannot write cannot say so
                self._lost(index, "its message is gone")

    def _lost(self, index: int, why: str) -> None:
        self._asked.counts.again += 1
        self._asked.tell(f"{self._name(index)}: {why}; it is sent again")
        self._flight[index].missing = None
        self._again.append(index)

    def _remind(self) -> None:
        """Say something while nothing moves, so that who waits sees that we live."""
        index = next(iter(self._flight), None)
        if index is not None:
            self._asked.progress(self._payloads[index], self._flight[index].done)
