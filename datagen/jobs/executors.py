"""Executors: one work function over many payloads, here or in processes, with the same bytes."""

import json
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from datagen.errors import InputError
from datagen.jobs.attempt import attempt
from datagen.jobs.crew import Member, listen
from datagen.jobs.work import Payload, Run, find

Progress = Callable[[Payload, int], None]  # (payload, images done)
# {"payload", "result"}, or {"payload", "error"}
Reports = Generator[dict[str, Any], None, None]
Here = Callable[[Payload], Any]  # payload -> result

ATTEMPTS = 3  # a payload that takes its process down this often is given up
MAX_WORKERS = 256  # processes of one machine


class Hands(Protocol):
    """Who does one work. What they have opened stays open from one run to the next."""

    @property
    def others(self) -> int:
        """Processes that would work beside this one."""
        ...

    def run(self, payloads: Sequence[Payload], here: Here | None = None) -> Reports:
        """Reports in the order of completion.

        With `here` this process works too: it does one payload, then what no other has begun, and
        what another died at. What `here` gives is the result as it is, what it raises is raised.
        """
        ...


class Executor(Protocol):
    """Finds those who do a work, named as in datagen.jobs.work."""

    def open(self, work: str) -> AbstractContextManager[Hands]: ...


# Who does the work: so many processes of this machine, or what makes an executor that tells its
# argument how far each payload is.
MakeExecutor = Callable[[Progress], Executor]
Workers = int | MakeExecutor


def hired(workers: Workers, progress: Progress) -> Executor:
    """The executor that `workers` ask for; who works changes no byte of what is made.

    InputError for a number that is out of range.
    """
    if callable(workers):
        return workers(progress)
    if not 1 <= workers <= MAX_WORKERS:
        raise InputError(f"workers must be a whole number from 1 to {MAX_WORKERS}, got {workers}")
    return Local(workers, progress)


@dataclass(frozen=True)
class Local:
    """At most `workers` processes of this machine; this one where one is enough."""

    workers: int
    progress: Progress

    @contextmanager
    def open(self, work: str) -> Iterator[Hands]:
        with ExitStack() as stack:
            yield _AsMany(self, work, stack)


class _AsMany:
    """As many processes as there are payloads: they start when that is known."""

    def __init__(self, asked: Local, work: str, stack: ExitStack) -> None:
        self._asked, self._work, self._stack = asked, work, stack
        self._open: dict[int, Hands] = {}  # by the number of processes

    @property
    def others(self) -> int:
        return self._asked.workers if self._asked.workers > 1 else 0

    def run(self, payloads: Sequence[Payload], here: Here | None = None) -> Reports:
        number = max(min(self._asked.workers, len(payloads)), 1)
        if number not in self._open:
            progress = self._asked.progress
            executor = InProcess(progress) if number == 1 else Processes(number, progress)
            self._open[number] = self._stack.enter_context(executor.open(self._work))
        return self._open[number].run(payloads, here)


@dataclass(frozen=True)
class InProcess:
    """One after the other, in this process."""

    progress: Progress

    @contextmanager
    def open(self, work: str) -> Iterator[Hands]:
        with ExitStack() as stack:
            yield _Alone(self.progress, work, stack)


class _Alone:
    """This process; the work is opened when the first payload needs it."""

    others = 0

    def __init__(self, progress: Progress, work: str, stack: ExitStack) -> None:
        self._progress, self._work, self._stack = progress, work, stack
        self._run: Run | None = None

    def run(self, payloads: Sequence[Payload], here: Here | None = None) -> Reports:
        for payload in payloads:
            if here is None:
                yield self._done(payload)
            else:
                yield {"payload": payload, "result": here(payload)}

    def _done(self, payload: Payload) -> dict[str, Any]:
        if self._run is None:
            self._run = self._stack.enter_context(find(self._work)())
        # What cannot travel as JSON must fail here too, where it is easy to see.
        copy = json.loads(json.dumps(payload))
        report = attempt(self._run, copy, lambda done: self._progress(copy, done))
        return {"payload": copy, **json.loads(json.dumps(report))}


@dataclass(frozen=True)
class Processes:
    """`workers` fresh processes; one that dies is replaced, and its payload tried again."""

    workers: int
    progress: Progress

    @contextmanager
    def open(self, work: str) -> Iterator[Hands]:
        crew = _Crew(work, self.workers, self.progress)
        try:
            yield crew
        finally:
            crew.end()


@dataclass
class _Task:
    """A payload and how many processes it has taken down."""

    payload: Payload
    losses: int = 0


class _Crew:
    """The processes of `Processes`."""

    def __init__(self, work: str, workers: int, progress: Progress) -> None:
        self._work, self._wanted, self._progress = work, workers, progress
        self._members: list[Member] = []
        self._proven: set[Member] = set()  # those that have done something
        self._hire(workers)

    @property
    def others(self) -> int:
        return self._wanted

    def run(self, payloads: Sequence[Payload], here: Here | None = None) -> Reports:
        tasks = [_Task(payload) for payload in payloads]
        mine = deque(tasks[-1:] if here is not None else ())
        waiting = deque(tasks[: len(tasks) - len(mine)])
        busy: dict[Member, _Task] = {}
        try:
            while mine or waiting or busy:
                self._send(waiting, busy, least=0 if here is not None else 1)
                if here is not None and (mine or waiting):
                    payload = (mine or waiting).pop().payload
                    yield {"payload": payload, "result": here(payload)}
                    continue
                for member, message in listen(busy):
                    if message is not None and "done" in message:
                        self._progress(busy[member].payload, message["done"])
                        continue
                    task = busy.pop(member)
                    if message is not None:
                        self._proven.add(member)
                        yield {"payload": task.payload, **message}
                        continue
                    status = self._ended(member, is_missed=here is None)
                    task.losses += 1
                    if here is not None:
                        mine.append(task)
                    elif task.losses < ATTEMPTS:
                        waiting.appendleft(task)
                    else:
                        yield _lost(task, status)
        finally:
            for member in busy:
                member.kill()
                self._members.remove(member)
            for member in busy:
                member.end()

    def _send(self, waiting: deque[_Task], busy: dict[Member, _Task], least: int) -> None:
        self._hire(max(self._wanted, least))
        for member in self._members:
            if waiting and member not in busy:
                busy[member] = waiting.popleft()
                member.send(busy[member].payload)

    def _hire(self, number: int) -> None:
        while len(self._members) < number:
            self._members.append(Member(self._work))

    def _ended(self, member: Member, *, is_missed: bool) -> int:
        """Take leave of a process that has died; its exit status.

        Who died at the first thing it was given would do so again: where others can go on without
        it, it is not replaced.
        """
        self._members.remove(member)
        if member not in self._proven and not is_missed:
            self._wanted -= 1
        self._proven.discard(member)
        return member.end()

    def end(self) -> None:
        for member in self._members:
            member.dismiss()
        for member in self._members:
            member.end()


def _lost(task: _Task, status: int) -> dict[str, Any]:
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    message = f"its process died {task.losses} times, the last time with {how}"
    error = {"type": "WorkerLost", "message": message, "traceback": ""}
    return {"payload": task.payload, "error": error}
