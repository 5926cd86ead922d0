"""The executor `Queue`: workers wherever the jobs folder is, called by messages over Redis.

The folder is the truth: what is not reported there, and nobody is at, is sent again. Redis may
lose everything at any time, and a message may come twice; it costs time and nothing else.
"""

import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datagen.errors import Cancelled
from datagen.jobs.address import shown
from datagen.jobs.attending import lost
from datagen.jobs.batch import Batch, begin
from datagen.jobs.broker import Broker
from datagen.jobs.celery import BrokerAway, Post
from datagen.jobs.executors import ATTEMPTS, Hands, Here, Progress, Reports
from datagen.jobs.roster import present
from datagen.jobs.watching import Watch
from datagen.jobs.work import QUEUE_OF, QUEUES, Payload

_PAUSES = (0.02, 0.5)  # seconds between two looks for reports, while they come and while not
_SOON_HERE = 0.004  # the first of these pauses where this process works too: it stands still then
_SLOWER = 1.2  # from one pause to the next: a report lies there for a fifth of its time, at most
_LOOK = 0.5  # seconds between two looks at the markers, if there are few
_LOOKS = 500  # markers looked at in a second: a thousand workers shall not take a tenth of a core
_RECONCILE = 1.0  # seconds between two comparisons of what was sent with what is seen
_SOON = 5.0  # seconds for which a message is not asked after
_MISSING = 2.0  # seconds for which it may be neither in Redis nor begun: two looks
_HELD = 30.0  # seconds, where a worker holds it: its processes may be coming up
_ASK = 2.5  # seconds between two looks into Redis for what waits there
_RETRY = 1.0  # seconds between two tries to reach a broker that is away
_COMPLAIN = 10.0  # seconds between two lines about it
_CENSUS = 5.0  # seconds between two looks at who attends the queue
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

    @contextmanager
    def open(self, work: str) -> Iterator[Hands]:
        with closing(Post(self.broker_url, self.jobs)) as post:
            yield _Attended(self, work, post)


@dataclass
class _Silence:
    """Of a broker that is away: when it is to be tried, and complained about, next."""

    next_try: float
    next_line: float


@dataclass
class Line:
    """The way to the workers, and what is known of it from one run to the next."""

    post: Post
    silence: _Silence | None = None
    watch: Watch | None = None


class _Attended:
    """The workers of a queue."""

    def __init__(self, asked: Queue, work: str, post: Post) -> None:
        self._asked, self._work, self._line = asked, work, Line(post)
        self._broker, self._queue = Broker(asked.broker_url).name, QUEUE_OF.get(work, QUEUES[0])
        self._census = -math.inf, 0  # when it was taken, processes

    @property
    def others(self) -> int:
        now = time.monotonic()
        if now - self._census[0] >= _CENSUS:
            there = present(self._asked.jobs)
            ours = (w for w in there if w.broker == self._broker and self._queue in w.duties)
            self._census = now, sum(worker.processes for worker in ours)
        return self._census[1]

    def run(self, payloads: Sequence[Payload], here: Here | None = None) -> Reports:
        if here is not None and len(payloads) == 1:
            yield {"payload": payloads[0], "result": here(payloads[0])}
        elif payloads:
            asked = self._asked
            batch = begin(asked.jobs, asked.job, self._work, payloads, asked.session)
            try:
                yield from Run(asked, batch, payloads, self._line, here).reports()
            finally:
                batch.close()


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
        line: Line,
        here: Here | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asked, self._batch, self._payloads, self._line = asked, batch, payloads, line
        self._here, self._now = here, now
        self._queue = QUEUE_OF.get(batch.work, QUEUES[0])
        self._watch = line.watch = line.watch or Watch(batch.attempts, now)
        self._watch.turn_to(batch.attempts)
        self._next = 0  # the first payload that was never sent
        self._end = len(payloads)  # behind the last one to be sent; the others are done here
        self._mine = deque[int]()  # the first of these
        if here is not None and payloads:
            self._end -= 1
            self._mine.append(self._end)
        self._again: deque[int] = deque()  # in flight, and to be sent once more
        self._flight: dict[int, _Sent] = {}
        self._looked = self._reconciled = self._inquired = -math.inf  # when it was done last

    def reports(self) -> Iterator[dict[str, Any]]:
        least = pause = _PAUSES[0] if self._here is None else _SOON_HERE
        while not self.is_over:
            pause = min(_SLOWER * pause, _PAUSES[1])
            for report in self.round():
                pause = least
                yield report
            if self._here is not None and (index := self._taken_back()) is not None:
                pause = least
                payload = self._payloads[index]
                yield {"payload": payload, "result": self._here(payload)}
            elif not self.is_over:
                time.sleep(pause)

    @property
    def is_over(self) -> bool:
        return not self._mine and not self._flight and self._next == self._end

    def _taken_back(self) -> int | None:
        """A payload that nobody is at, to be done in this process; from now on it is only ours."""
        if self._mine:
            return self._mine.popleft()
        if self._next < self._end:
            self._end -= 1
            return self._end
        self._look()
        for index in reversed(self._flight):
            # A report is there before its marker goes: looked for in this order, one of both is.
            if not self._watch.is_under_way(index) and not self._batch.has_report(index):
                self._batch.give_up(index)
                del self._flight[index]
                self._watch.forget(index)
                return index
        return None

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
        if now - self._looked >= max(_LOOK, self._watch.seen / _LOOKS):
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
            while len(self._flight) < window and self._next < self._end:
                if not self._is_reachable():
                    break
                self._post_one(self._next)
                self._next += 1
        except BrokerAway:
            self._complain()

    def _post_one(self, index: int) -> None:
        self._line.post.send(self._queue, (self._asked.job, self._batch.number, index))
        sent = self._flight.setdefault(index, _Sent(0.0))
        sent.since, sent.missing = self._now(), None
        self._is_back()

    def _is_reachable(self) -> bool:
        silence = self._line.silence
        return silence is None or self._now() >= silence.next_try

    def _complain(self) -> None:
        now = self._now()
        silence = self._line.silence = self._line.silence or _Silence(now, now)
        silence.next_try = now + _RETRY
        if now >= silence.next_line:
            silence.next_line = now + _COMPLAIN
            self._asked.tell(
                f"the broker at {shown(self._asked.broker_url)} does not answer; trying on"
            )

    def _is_back(self) -> None:
        if self._line.silence is not None:
            self._line.silence = None
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
            waiting, held = self._line.post.waiting(self._queue)
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
