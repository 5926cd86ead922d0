"""Who attends a jobs folder: each worker keeps a file in it fresh."""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.files import write_atomic
from datagen.jobs.conducted import duty_of
from datagen.jobs.ledger import Job, here

FOLDER = "workers"
LATE = 15.0  # seconds without a sign of life: the worker is taken for gone
_FORGOTTEN = 3600.0  # seconds after which a file of a worker that is gone is removed


@dataclass(frozen=True)
class Attending:
    """A worker as its file describes it."""

    host: str
    pid: int
    broker: str  # its name, without a password
    duties: tuple[str, ...]  # render and eval are queues; control and train start conductors
    processes: int
    since: float  # seconds since 1970

    def attends(self, job: Job) -> bool:
        """Whether it would carry out this job."""
        return duty_of(job.verb) in self.duties and job.broker in (None, self.broker)


class Presence:
    """The file of one worker, fresh as long as `renew` is called."""

    def __init__(self, jobs: Path, about: Mapping[str, Any]) -> None:
        self._about = {**here(), **about, "since": time.time()}
        self._file = jobs / FOLDER / f"{self._about['host']}.{self._about['pid']}.json"

    def renew(self) -> None:
        try:
            os.utime(self._file)
        except FileNotFoundError:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._file, json.dumps(self._about))

    def end(self) -> None:
        self._file.unlink(missing_ok=True)


def present(jobs: Path) -> list[Attending]:
    """Workers that gave a sign of life lately, by host."""
    with contextlib.suppress(OSError):
        return sorted(_fresh(jobs / FOLDER), key=lambda one: (one.host, one.pid))
    return []


def _fresh(folder: Path) -> Iterator[Attending]:
    if not folder.is_dir():
        return
    now = _clock(folder)
    for file in folder.glob("*.json"):
        with contextlib.suppress(FileNotFoundError):
            age = now - file.stat().st_mtime
            if age <= LATE:
                one = _decoded(file)
                if one is not None:
                    yield one
            elif age > _FORGOTTEN:
                file.unlink()


def _clock(folder: Path) -> float:
    """Now, by the clock that stamps the files: on a shared disk it may differ from ours."""
    try:
        os.utime(folder)
        return folder.stat().st_mtime
    except OSError:  # a folder that may only be read
        return time.time()


def _decoded(file: Path) -> Attending | None:
    try:
        data = json.loads(file.read_bytes())
        texts = str(data["host"]), int(data["pid"]), str(data["broker"]), tuple(data["duties"])
        return Attending(*texts, int(data["processes"]), float(data["since"]))
    except (LookupError, TypeError, ValueError):
        return None
