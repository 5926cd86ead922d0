"""A process that does what takes long or is not trusted to end: checks, previews, claims.

The server stays small and quick: none of torch, cv2 and OpenGL is loaded in it. The process speaks
as a worker process does (datagen.jobs.crew), and one that takes too long, or too much memory, is
killed.

Its memory is looked at from here, a few times a second. A limit on its addresses (RLIMIT_AS) would
count what drivers of GPUs and torch reserve and never touch, and where it hits, libraries in C++
abort or go on with half an answer.
"""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from resource import getpagesize
from typing import Any

from datagen.jobs.attempt import raised
from datagen.jobs.crew import Member
from datagen.web.problems import Refused

_LOOK = 0.05  # seconds between two looks at the memory; it grows by some 100 MB in that


class Clerks:
    """So many processes, which start when they are needed and stay."""

    def __init__(self, number: int, patience: float, memory: int) -> None:
        """Patience: seconds after which an errand is given up; memory: bytes, in the same way."""
        self._patience, self._memory = patience, memory
        # Its own threads: errands that wait would else keep all who read a file in a thread.
        self._threads = ThreadPoolExecutor(number, "clerk")
        self._idle: list[Member] = []
        self._busy: list[Member] = []
        self._lock = threading.Lock()

    async def run(self, errand: dict[str, Any], seconds: float | None = None) -> Any:
        """What comes of an errand of datagen.web.errands; raises the error that it ended with."""
        loop, patience = asyncio.get_running_loop(), seconds or self._patience
        return await loop.run_in_executor(self._threads, self._run, errand, patience)

    def close(self) -> None:
        """Let the processes go, and errands that are under way or wait."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for member in self._busy:
                member.kill()
            for member in self._idle:
                member.kill()
                member.end()
            self._idle.clear()

    def _run(self, errand: dict[str, Any], seconds: float) -> Any:
        with self._lock:
            member = self._idle.pop() if self._idle else Member("errand")
            self._busy.append(member)
        stays = False
        try:
            report = _report(member, errand, seconds, self._memory)
            # What one errand has taken and not given back would be missing to the next.
            stays = _resident(member.pid) < self._memory / 2
        finally:
            with self._lock:
                self._busy.remove(member)
                if stays:
                    self._idle.append(member)
            if not stays:
                member.kill()
                member.end()
        if "error" in report:
            raise raised(report["error"])
        return report["result"]


def _report(member: Member, errand: dict[str, Any], seconds: float, memory: int) -> dict[str, Any]:
    """What the process says at the end of the errand; Refused where that does not come."""
    member.send(errand)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        spoke = member.connection.poll(min(left, _LOOK))
        if _resident(member.pid) > memory:
            raise Refused(
                422,
                f"this needs more than {memory >> 20:,} MiB of memory; ask for less, or smaller",
            )
        if not spoke:
            continue
        report = member.receive()
        if report is None:
            raise Refused(500, "the process that was at this died; is the memory full?")
        if report.keys() & {"result", "error"}:
            return report
    raise Refused(504, f"this took more than {seconds:g} seconds, and was given up")


def _resident(pid: int) -> int:
    """Bytes of memory that a process of ours holds; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * getpagesize()
    except (OSError, IndexError):
        return 0
