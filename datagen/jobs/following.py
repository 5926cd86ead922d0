"""What a client does while it waits: it reads the job's files, and nothing depends on it."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from datagen.jobs.conducted import duty_of
from datagen.jobs.ledger import Job, Standing
from datagen.jobs.roster import present
from datagen.progress import Advance

_INTERVAL = 0.2  # seconds between two looks
_EVENT = re.compile(r"[\d-]{10} [\d:]{8} (?:INFO|WARNING) (.*)")
_PATIENCE = 4.0  # seconds before it is said that nobody takes the job
_AGAIN = 30.0  # seconds until it is said once more
UNITS = {
    "generate": "images",
    "evaluate": "pictures",
    "learn": "steps",
    "train": "steps",
    "export": "images",
}


def follow(
    job: Job,
    advance: Advance,
    say: Callable[[str], None],
    *,
    whole: bool = True,
    left: bool = True,
) -> Standing:
    """Tell how a job goes until its end; gives how it stands then.

    Without `whole`, what its log says so far is left out; without `left`, the time to go.
    """
    tail = Tail(job.log, job.log.stat().st_size if not whole and job.log.exists() else 0)
    lonely = _Lonely(job, say)
    while True:
        standing = job.standing()
        for line in tail.lines():
            if (event := remark(line)) is not None:
                say(event)
        if standing.state.is_final:
            return standing
        progress = job.progress()
        if progress.get("total"):
            advance(
                int(progress["done"]), int(progress["total"]), words(job.verb, progress, left=left)
            )
        lonely.look()
        time.sleep(_INTERVAL)


def remark(line: str) -> str | None:
    """What a line of a job's log tells whoever follows it."""
    event = _EVENT.fullmatch(line)
    return None if event is None else event[1]


def words(verb: str, progress: dict[str, Any], *, left: bool = True) -> str:
    """How a job goes, beside how much is done."""
    per_second = progress.get("per_second") or 0.0
    said = [progress["note"].strip()] if progress.get("note") else []
    if per_second and not any("/s" in note for note in said):
        said.append(f"{per_second:.3g} {UNITS.get(verb, verb)}/s")
    if left and progress.get("eta_s"):
        said.append(f"{duration(progress['eta_s'])} to go")
    counts = {"workers": "at work", "failures": "failed", "again": "sent again"}
    said += [f"{progress[key]} {name}" for key, name in counts.items() if progress.get(key)]
    return ", ".join(said)


def duration(seconds: float) -> str:
    """3700 -> 1:01:40"""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Tail:
    """The lines that a growing file gets after its first `start` bytes."""

    def __init__(self, path: Path, start: int = 0) -> None:
        self._path, self._at = path, start

    def lines(self) -> Iterator[str]:
        """What is new, in whole lines."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                for line in file:
                    if not line.endswith(b"\n"):
                        return  # half of one: the rest comes later
                    self._at += len(line)
                    yield line.decode(errors="backslashreplace").rstrip("\n")
        except FileNotFoundError:
            return


class _Lonely:
    """Says so when nobody is there who would carry out the job."""

    def __init__(self, job: Job, say: Callable[[str], None]) -> None:
        self._job, self._say = job, say
        self._due = time.monotonic() + _PATIENCE

    def look(self) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _PATIENCE
        if (remark := lonely(self._job)) is not None:
            self._due = now + _AGAIN
            self._say(remark)


def lonely(job: Job) -> str | None:
    """What is to be done where no worker would carry out the job."""
    jobs = job.folder.parent
    there = present(jobs)
    if any(worker.attends(job) for worker in there) or job.is_conducted():
        return None
    what = f"datagen worker --jobs {jobs}" + (f" --broker {job.broker}" if job.broker else "")
    start = f"start one, here or where this folder is shared: {what}"
    if not there:
        return f"no worker attends {jobs}; {start}"
    at_broker = [one for one in there if job.broker in (None, one.broker)]
    if at_broker:
        return f"no worker of {jobs} has the duty `{duty_of(job.verb)}`; {start}"
    names = ", ".join(sorted({one.broker for one in there}))
    return f"the workers of {jobs} attend {names}, and the job is for {job.broker}; {start}"
