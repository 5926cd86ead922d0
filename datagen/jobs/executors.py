"""Executors: one work function over many payloads, here or in processes, with the same bytes."""

import json
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from datagen.errors import InputError
from datagen.jobs.attempt import attempt
from datagen.jobs.crew import Member, listen
from datagen.jobs.work import find

Payload = dict[str, Any]
Progress = Callable[[Payload, int], None]  # (payload, images done)

ATTEMPTS = 3  # a payload that takes its process down this often is given up
MAX_WORKERS = 256  # processes of one machine


class Executor(Protocol):
    """Runs one work function over many payloads; reports come in the order of completion."""

    def run(
        self, work: str, payloads: Sequence[Payload]
    ) -> Generator[dict[str, Any], None, None]: ...


# Who does the work: so many processes of this machine, or what makes an executor that tells its
# argument how far each payload is.
Workers = int | Callable[[Progress], Executor]


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

    def run(self, work: str, payloads: Sequence[Payload]) -> Generator[dict[str, Any], None, None]:
        one = min(self.workers, len(payloads)) <= 1
        executor = InProcess(self.progress) if one else Processes(self.workers, self.progress)
        return executor.run(work, payloads)


@dataclass(frozen=True)
class InProcess:
    """One after the other, in this process."""

    progress: Progress

    def run(self, work: str, payloads: Sequence[Payload]) -> Generator[dict[str, Any], None, None]:
        with find(work)() as run:
            for payload in payloads:
                # What cannot travel as JSON must fail here too, where it is easy to see.
                copy = json.loads(json.dumps(payload))
                report = attempt(run, copy, lambda done, copy=copy: self.progress(copy, done))
                yield json.loads(json.dumps(report))


@dataclass
class _Task:
    """A payload and how many processes it has taken down."""

    payload: Payload
    losses: int = 0


@dataclass(frozen=True)
class Processes:
    """`workers` fresh processes; one that dies is replaced, and its payload tried again."""

    workers: int
    progress: Progress

    def run(self, work: str, payloads: Sequence[Payload]) -> Generator[dict[str, Any], None, None]:
        waiting = deque(_Task(payload) for payload in payloads)
        crew = [Member(work) for _ in range(min(self.workers, len(payloads)))]
        busy: dict[Member, _Task] = {}
        try:
            while waiting or busy:
                for member in crew:
                    if waiting and member not in busy:
                        busy[member] = waiting.popleft()
                        member.send(busy[member].payload)
                for member, message in listen(busy):
                    if message is not None and "done" in message:
                        self.progress(busy[member].payload, message["done"])
                        continue
                    task = busy.pop(member)
                    if message is not None:
                        yield message
                        continue
                    status = member.end()
                    crew[crew.index(member)] = Member(work)
                    task.losses += 1
                    if task.losses < ATTEMPTS:
                        waiting.appendleft(task)
                    else:
                        yield _lost(task, status)
        finally:
            for member in crew:
                member.kill() if member in busy else member.dismiss()
            for member in crew:
                member.end()


def _lost(task: _Task, status: int) -> dict[str, Any]:
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    message = f"its process died {task.losses} times, the last time with {how}"
    error = {"type": "WorkerLost", "message": message, "traceback": ""}
    return {"payload": task.payload, "error": error}
