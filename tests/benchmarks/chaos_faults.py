"""What makes the faults of a chaos run happen, and what ends those that last."""

import signal
import time
from collections.abc import Callable, Sequence

from chaos_disk import Ballast
from chaos_hit import Hit
from chaos_job import AtHand
from chaos_place import Place
from chaos_plan import Fault
from chaos_processes import Proc
from redis.exceptions import RedisError

from datagen.jobs.ledger import State


class Faults:
    """Those that happened in a place. A stop, or a full disk, lasts until its time is over."""

    def __init__(self, place: Place) -> None:
        self.hits: list[Hit] = []
        self._place = place
        self._job: AtHand  # which the faults hit, whoever their victims are
        self._stopped: list[tuple[Proc, float, Hit]] = []
        self._full: tuple[Ballast, float, Hit] | None = None
        self.last_stop = 0.0  # when who was stopped last goes on, seconds since 1970

    @property
    def is_full(self) -> bool:
        return self._full is not None

    @property
    def are_over(self) -> bool:
        return not self._stopped and self._full is None

    def of(self, job: int) -> list[Hit]:
        return [hit for hit in self.hits if hit.job == job]

    def turn_to(self, job: AtHand) -> None:
        """From now on faults hit this job."""
        self._job = job

    # -------------------------------------------------------------------------------------- ends

    def end_due(self, now: float) -> None:
        """Let go on what was stopped for long enough, and make room again."""
        self._resume(now)
        self._make_room(now)

    def _resume(self, now: float) -> None:
        for entry in list(self._stopped):
            one, until, hit = entry
            if now >= until or not one.is_here:
                one.send(signal.SIGCONT)
                hit.until = now - hit.at
                self._job.moved = now
                self._stopped.remove(entry)

    def _make_room(self, now: float) -> None:
        if self._full is None:
            return
        ballast, until, hit = self._full
        hit.paused = bool(hit.paused or self._job.state is State.PAUSED)
        if now < until and not hit.paused:
            ballast.grow()
            return
        ballast.remove()
        hit.until, self._full, self._job.moved = now - hit.at, None, now

    # ------------------------------------------------------------------------------------ begins

    def begin(self, fault: Fault) -> bool:
        """Make it happen; False when nobody is there whom it can hit."""
        place, seconds = self._place, fault.seconds
        kind = fault.kind
        if kind == "kill client":
            if self._job.client.process is None:
                return False
            return self._did(fault, "client", lambda: self._job.client.kill(seconds))
        if kind == "flush":
            redis = place.redis()
            if redis is None:
                return False
            with redis:
                return self._did(fault, "broker", redis.flushall)
        if kind == "disk full":
            return self._fill(fault)
        if kind == "kill all":
            return self._kill_all(fault)
        if kind.endswith("broker"):
            return self._broker(fault)
        if kind.endswith("worker"):
            return self._worker(fault)
        found = place.children() if kind.endswith("child") else place.conductors()
        one = self._chosen(found, fault)
        if one is None:
            return False
        if kind.startswith("stop"):
            return self._stop(fault, one, [one])
        return self._did(fault, one, lambda: one.send(signal.SIGKILL), [one])

    def _chosen(self, found: Sequence[Proc], fault: Fault) -> Proc | None:
        """One of them that is not stopped already."""
        stopped = {one.pid for one, _, _ in self._stopped}
        free = sorted((one for one in found if one.pid not in stopped), key=lambda one: one.pid)
        return free[int(fault.pick * len(free))] if free else None

    def _worker(self, fault: Fault) -> bool:
        place = self._place
        pids = place.parents()
        one = self._chosen([one for one in place.all() if one.pid in pids], fault)
        if one is None:
            return False
        (service,) = [w for w in place.workers if w.process and w.process.pid == one.pid]
        hands = place.children([one.pid])
        if service.kill_at is not None and fault.kind != "kill worker":
            return False  # it is about to end
        if fault.kind == "stop worker":
            return self._stop(fault, one, [])
        if fault.kind == "kill worker":
            return self._did(fault, one, lambda: service.kill(fault.seconds), hands)
        return self._did(fault, one, lambda: service.term(fault.seconds))

    def _broker(self, fault: Fault) -> bool:
        place = self._place
        one = self._chosen(place.brokers(), fault)
        if one is None:
            return False
        if fault.kind == "stop broker":
            return self._stop(fault, one, [])
        is_emptied = fault.kind == "empty broker"

        def kill() -> None:
            if place.broker is not None:
                place.broker.before_start = place.forget if is_emptied else lambda: None
                place.broker.kill(fault.seconds)
            else:
                one.send(signal.SIGKILL)
                if is_emptied:
                    place.forget()

        return self._did(fault, one, kill)

    def _stop(self, fault: Fault, one: Proc, hands: Sequence[Proc]) -> bool:
        if not self._did(fault, one, lambda: one.send(signal.SIGSTOP), hands):
            return False
        until = time.time() + fault.seconds
        self._stopped.append((one, until, self.hits[-1]))
        self.last_stop = max(self.last_stop, until)
        return True

    def _fill(self, fault: Fault) -> bool:
        if self._full is not None or self._job.state is not State.RUNNING or not self._job.seen:
            return False
        ballast = Ballast(self._place.disk)
        self._did(fault, "disk", ballast.grow)
        self._full = ballast, time.time() + fault.seconds, self.hits[-1]
        return True

    def _kill_all(self, fault: Fault) -> bool:
        """As when the machine's power fails, but for its memory of what was written."""
        place = self._place
        found = [one for one in place.all() if "verify" not in one.command]
        hands = place.children()

        def kill() -> None:
            for one in found:
                one.send(signal.SIGKILL)
            for service in (place.broker, *place.workers):
                if service is not None and service.process is not None:
                    service.kill(fault.seconds)
            if self._job.client.process is not None:
                self._job.client.kill(fault.seconds)

        return self._did(fault, "all", kill, hands)

    def _did(
        self, fault: Fault, whom: Proc | str, act: Callable[[], object], hands: Sequence[Proc] = ()
    ) -> bool:
        """Do it, and remember how things stood."""
        begun, pieces = self._job.under_way({one.pid for one in hands})
        name = whom if isinstance(whom, str) else f"{whom.pid} {whom.command[:80].strip()}"
        hit = Hit(
            fault, time.time(), self._job.number, [name], len(self._job.seen), begun, pieces,
        )  # fmt: skip
        try:
            act()
        except (RedisError, ProcessLookupError):
            return False  # it went away just now
        self.hits.append(hit)
        return True
