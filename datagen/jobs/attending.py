"""What a worker process does with one message. It knows nothing of Celery and trusts no message."""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from datagen.errors import Cancelled, DatagenError, InputError
from datagen.jobs.attempt import attempt
from datagen.jobs.batch import Batch, opened
from datagen.jobs.executors import ATTEMPTS
from datagen.jobs.markers import Marker, is_ahead, marked, others
from datagen.jobs.work import Payload, Run, find

log = logging.getLogger(__name__)

_TELL = 2.0  # seconds between two words about progress
_TOO_LONG = "SoftTimeLimitExceeded"  # how Celery ends what hangs
_LOOK = 1.0  # seconds between two looks whether the work is still wanted


class Attendant:
    """One worker process. What it has opened stays open for messages of the same session."""

    def __init__(self, jobs: Path) -> None:
        self._jobs = jobs
        self._stack = ExitStack()
        self._open: tuple[tuple[str, str], Run] | None = None

    def attend(self, positional: Sequence[Any], named: Mapping[str, Any]) -> str:
        """Do what a message asks for; what came of it, in a few words, which are logged too.

        Whatever goes wrong, the process can take the next message.
        What is not done, or not reported, is sent again by the conductor when it is still wanted.
        """
        try:
            batch, index = self._asked(positional, named)
            line = f"payload {index} of {batch.folder}: {self._done(batch, index)}"
        except FileNotFoundError:
            line = "dropped: its batch is over"
        except (DatagenError, OSError, ValueError) as error:
            line = f"dropped: {error}"
            log.warning("%s", line)
        else:
            log.info("%s", line)
        return line

    def close(self) -> None:
        """Close what is open."""
        self._open = None
        self._stack.close()

    def _asked(self, positional: Sequence[Any], named: Mapping[str, Any]) -> tuple[Batch, int]:
        if len(positional) != 3 or named:
            raise InputError("a message holds a job, a batch and a payload, and nothing else")
        job, number, index = positional
        batch = opened(self._jobs, job, number)
        return batch, batch.index(index)

    def _done(self, batch: Batch, index: int) -> str:
        if not batch.is_wanted:
            return "dropped, for nobody waits for it"
        if batch.is_given_up(index) or batch.has_report(index):
            return "dropped, for it is settled"
        with marked(batch.attempts, index) as marker:
            before = others(batch.attempts, marker, index)
            if any(is_ahead(other, marker) for other in before):
                return "dropped, for somebody is at it"
            if len(before) >= ATTEMPTS:
                batch.report(index, lost(batch.payload(index), len(before)))
                return f"not begun: it has taken down {len(before)} processes"
            report = attempt(self._run(batch), batch.payload(index), _Teller(batch, marker))
            error = report.get("error")
            if error is not None and error["type"] == Cancelled.__name__:
                return "stopped, for nobody waits for it"
            if error is not None and error["type"] == _TOO_LONG:
                error.update(type="WorkerLost", message="it took longer than a worker allows")
            batch.report(index, {**report, "by": marker.who})
            return "done" if error is None else f"failed: {error['message']}"

    def _run(self, batch: Batch) -> Run:
        """The work's function; opened by the first payload, so that its errors are reported."""

        def run(payload: Payload, progress: Any) -> dict[str, Any]:
            key = batch.work, batch.session
            if self._open is None or self._open[0] != key:
                self.close()
                self._open = key, self._stack.enter_context(find(batch.work)())
            return self._open[1](payload, progress)

        return run


class _Teller:
    """Says how far a payload is, and stops it when nobody waits for it any more."""

    def __init__(self, batch: Batch, marker: Marker) -> None:
        self._batch, self._marker = batch, marker
        self._told = self._looked = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._looked >= _LOOK:
            self._looked = now
            if not self._batch.is_wanted:
                raise Cancelled("nobody waits for it any more")
        if now - self._told >= _TELL:
            self._told = now
            self._marker.tell(done)


def lost(payload: Payload, losses: int) -> dict[str, Any]:
    """The report of a payload that is given up, because it took its processes down."""
    error = {"type": "WorkerLost", "message": f"its process died {losses} times", "traceback": ""}
    return {"payload": payload, "error": error}
