"""A process that does what takes long or is not trusted to end: checks, previews, claims.

The server stays small and quick: none of torch, cv2 and OpenGL is loaded in it. The process speaks
as a worker process does (datagen.jobs.crew), and one that takes too long is killed.
"""

import asyncio
import threading
import time
from typing import Any

from datagen.jobs.attempt import raised
from datagen.jobs.crew import Member
from datagen.web.problems import Refused


class Clerks:
    """So many processes, which start when they are needed and stay."""

    def __init__(self, number: int, patience: float) -> None:
        """Patience: seconds after which an errand is given up."""
        self._patience = patience
        self._free = threading.Semaphore(number)
        self._idle: list[Member] = []
        self._lock = threading.Lock()

    async def run(self, errand: dict[str, Any], seconds: float | None = None) -> Any:
        """What comes of an errand of datagen.web.errands; raises the error that it ended with."""
        return await asyncio.to_thread(self._run, errand, seconds or self._patience)

    def close(self) -> None:
        """Let the processes go."""
        with self._lock:
            for member in self._idle:
                member.kill()
                member.end()
            self._idle.clear()

    def _run(self, errand: dict[str, Any], seconds: float) -> Any:
        with self._free:
            with self._lock:
                member = self._idle.pop() if self._idle else Member("errand")
            try:
                report = _report(member, errand, seconds)
            except BaseException:
                member.kill()
                member.end()
                raise
            with self._lock:
                self._idle.append(member)
        if "error" in report:
            raise raised(report["error"])
        return report["result"]


def _report(member: Member, errand: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What the process says at the end of the errand; Refused where that does not come."""
    member.send(errand)
    end = time.monotonic() + seconds
    while member.connection.poll(max(0.0, end - time.monotonic())):
        report = member.receive()
        if report is None:
            raise Refused(500, "the process that was at this died; is the memory full?")
        if report.keys() & {"result", "error"}:
            return report
    raise Refused(504, f"this took more than {seconds:g} seconds, and was given up")
