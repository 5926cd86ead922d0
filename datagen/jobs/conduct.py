"""The main program of a conductor, which carries out one job: `conduct JOBS ID HANDLE`.

It holds the job's lock and writes its state, so there is one at most. Killed at any moment, the
next one goes on from what is published.
"""

import contextlib
import errno
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import Any, Self

from datagen.errors import BusyError, Cancelled, DatagenError, DiskFullError, PartialError
from datagen.jobs.conducted import Conducted, find
from datagen.jobs.executors import Executor, Local, MakeExecutor, Progress
from datagen.jobs.ledger import Job, Standing, State, ended, here

log = logging.getLogger("datagen.jobs.conduct")  # its own name is __main__

BROKER = "DATAGEN_BROKER"  # in the environment, since `ps` shows a command line to everybody
PROCESSES = "DATAGEN_PROCESSES"  # in the environment: for the work, where there is no broker
LINE = "%(asctime)s %(levelname)s %(message)s"  # of the job's log
DEATHS = 3  # conductors lost without any progress in between, and the job is given up
_PATIENCE = 10  # seconds for an orderly end, when the worker is gone

Facts = Callable[[], dict[str, Any]]  # of the executor: workers, failures, again


class _Dismissed(BaseException):
    """The worker that this conductor belongs to ends; another one goes on with the job."""


def conduct(job: Job, executor: MakeExecutor, facts: Facts = dict) -> State:
    """Carry out a job that this process holds; gives how it stands in the end."""
    standing = _begun(job)
    if standing.state.is_final:
        return standing.state
    try:
        log.info("carried out by process %d on %s", os.getpid(), socket.gethostname())
        with Meter(job, facts) as meter:
            result = find(job.verb)(job.arguments, Conducted(executor, meter, log.info))
        meter.write()
        job.write_result(result)
        end = ended(standing, State.DONE)
    except _Dismissed:
        log.info("the worker that conducted this job ends; it waits for another one")
        end = Standing(State.QUEUED, time.time())
    except Exception as error:  # noqa: BLE001  whatever it is, it belongs to the one who asked
        end = _failed(standing, error)
    job.write(end)
    return end.state


def _begun(job: Job) -> Standing:
    """Take the job over, or say why not."""
    standing = job.standing()
    if standing.state.is_final:
        return standing
    if job.is_cancelled():
        standing = _failed(standing, Cancelled("it was cancelled"))
    elif standing.state is State.RUNNING:  # who held it did not come to an end
        standing = _bereft(standing, int(job.progress().get("done", 0)))
    if not standing.state.is_final:
        standing = replace(
            standing, state=State.RUNNING, since=time.time(), conductor=here(), error=None
        )
    job.write(standing)
    return standing


def _bereft(standing: Standing, reached: int) -> Standing:
    deaths = 1 if reached > standing.reached else standing.deaths + 1
    log.warning("the conductor before this one died, for the %d. time at %d", deaths, reached)
    if deaths < DEATHS:
        return replace(standing, deaths=deaths, reached=reached)
    return ended(
        standing,
        State.FAILED,
        exit_code=1,
        error=f"its conductor died {deaths} times without getting any further; "
        "look for the cause in the log (out of memory?), then `datagen jobs retry`",
    )


def _failed(standing: Standing, error: Exception) -> Standing:
    """The state that an exception stands for."""
    match error:
        case Cancelled():
            state = State.CANCELLED
        case PartialError():
            state = State.PARTIAL
        case DiskFullError() | OSError(errno=errno.ENOSPC):
            state = State.PAUSED
        case _:
            state = State.FAILED
    code, text = 1, f"unexpected {type(error).__name__}: {error}"
    if isinstance(error, DatagenError):
        code, text = error.exit_code, str(error)
        log.error("%s: %s", state, text)
    else:
        log.error("%s: %s", state, text, exc_info=error)
    return ended(standing, state, exit_code=code, error=text)


class Meter:
    """How far the job is, on disk once a second while it is open, whatever else stands still."""

    def __init__(self, job: Job, facts: Facts, interval: float = 1.0) -> None:
        self._job, self._facts, self._interval = job, facts, interval
        self._now = 0, 0, ""
        self._first = 0, time.monotonic()  # what was done when the count began
        self._looked = -interval
        self._ended = Event()
        self._thread = Thread(target=self._write_on, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        self._thread.join()

    def __call__(self, done: int, total: int, note: str) -> None:
        """Raises Cancelled when the job is to stop."""
        before, now = self._now, time.monotonic()
        if total != before[1] or done < before[0]:  # another phase
            self._first = done, now
        self._now = done, total, note
        if now - self._looked >= self._interval:
            self._looked = now
            if self._job.is_cancelled():
                raise Cancelled("it was cancelled; what was published is kept")

    def write(self) -> None:
        done, total, note = self._now
        seconds = time.monotonic() - self._first[1]
        rate = (done - self._first[0]) / seconds if seconds > 1 else 0.0
        left = round((total - done) / rate) if rate > 0 else None
        about = {"what": self._job.verb, "done": done, "total": total, "note": note}
        speed = {"per_second": round(rate, 2), "eta_s": left}
        self._job.write_progress(about | speed | self._facts())

    def _write_on(self) -> None:
        while not self._ended.wait(self._interval):
            # A disk that is full stops the job where it matters; this is only told.
            with contextlib.suppress(DiskFullError, OSError):
                if self._now[1]:  # else what the conductor before this one wrote says more
                    self.write()


# --------------------------------------------------------------------------------------- process


def main(folder: str, name: str, handle: int) -> int:
    """Carry out one job for the worker at the other end of the pipe `handle`."""
    job = Job(Path(folder) / name)
    broker = os.environ.pop(BROKER, "")
    processes = int(os.environ.pop(PROCESSES, "1"))
    try:
        with job.held():
            _leave_with_the_worker(handle)
            make = _Make(broker, processes, job.folder.parent, job)
            return 0 if conduct(job, make, make.facts).is_final else 1
    except BusyError:
        return 0  # another conductor was faster
    except _Dismissed:
        return 1


class _Make:
    """The executor of this worker's broker; without a broker, processes of this one's own."""

    def __init__(self, broker: str, processes: int, jobs: Path, job: Job) -> None:
        self._broker, self._processes, self._jobs, self._job = broker, processes, jobs, job
        self._counts: Any = None

    def __call__(self, progress: Progress) -> Executor:
        if not self._broker:
            return Local(self._processes, progress)
        from datagen.jobs.queue import Counts, Queue  # celery is slow to import

        self._counts = self._counts or Counts()
        told = log.info, self._counts
        return Queue(self._broker, self._jobs, self._job.id, progress, *told)

    def facts(self) -> dict[str, Any]:
        return {} if self._counts is None else dict(vars(self._counts))


def _leave_with_the_worker(handle: int) -> None:
    """End when the worker ends, however that happens: in order, or after a while at once."""
    os.set_inheritable(handle, False)

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once
        raise _Dismissed

    def watch() -> None:
        os.read(handle, 1)  # nobody writes: it returns when the other end is gone
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_PATIENCE)
        os._exit(1)

    signal.signal(signal.SIGTERM, stop)
    Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    logging.basicConfig(format=LINE, datefmt="%Y-%m-%d %H:%M:%S", level=logging.WARNING)
    logging.getLogger("datagen").setLevel(logging.INFO)
    logging.captureWarnings(True)
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
