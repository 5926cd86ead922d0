"""The jobs folder in memory: many clients ask how jobs stand, and the disk is asked seldom."""

import asyncio
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datagen.errors import DatagenError
from datagen.jobs.ledger import Job, Jobs
from datagen.storage.address import place_in
from datagen.web import types
from datagen.web.home import MADE, Home

_FRESH = 0.25  # seconds for which what was read is given again
_RARELY = 8  # of so many looks, one at jobs that have ended: somebody else may have retried one


@dataclass
class _Known:
    """What was read of a job, and when its files were written."""

    job: Job
    stamps: tuple[int, int]  # of state and progress, ns
    shown: types.Job
    line: bytes  # the same as JSON: written once, and sent often
    whole: bytes  # with its result, once it has ended


class Overview:
    """All jobs, the newest first; safe to be asked from several threads."""

    def __init__(self, jobs: Jobs, home: Home) -> None:
        self._jobs, self._home = jobs, home
        self._known: dict[str, _Known] = {}
        self._newest_first: list[types.Job] = []
        self._read, self._looks = float("-inf"), 0
        self._lock = threading.Lock()
        self._turn = asyncio.Lock()

    async def fresh(self) -> None:
        """After this nothing that is asked waits for the disk; for who must not stand still."""
        if self._is_old():
            async with self._turn:  # of many who ask, one looks
                if self._is_old():
                    await asyncio.to_thread(self.all)

    def all(self) -> list[types.Job]:
        """As they stood a quarter of a second ago, at most."""
        with self._lock:
            if self._is_old():
                self._look()
                self._read = time.monotonic()
            return self._newest_first

    def get(self, name: str) -> types.Job | None:
        """One of them."""
        self.all()
        found = self._known.get(name)
        return None if found is None else found.shown

    def line(self, job: types.Job) -> bytes:
        """A job of `all`, as JSON."""
        found = self._known.get(job.id)
        return job.model_dump_json().encode() if found is None else found.line

    def whole(self, name: str) -> bytes | None:
        """One of them as JSON, with its result once it has ended."""
        self.all()
        found = self._known.get(name)
        return None if found is None else found.whole

    def _is_old(self) -> bool:
        return time.monotonic() - self._read > _FRESH

    def forget(self) -> None:
        """What was read is out of date: somebody has changed something."""
        self._read, self._looks = float("-inf"), 0

    def _look(self) -> None:
        names = set(self._jobs.ids())
        for name in self._known.keys() - names:
            del self._known[name]
        changed, every = False, self._looks % _RARELY == 0
        self._looks += 1
        for name in names:
            known = self._known.get(name)
            if known is not None and known.shown.state.is_final and not every:
                continue
            try:
                fresh = self._read_anew(known, name)
            except (DatagenError, OSError):
                self._known.pop(name, None)  # damaged, or removed meanwhile
                continue
            if fresh is not known:
                self._known[name], changed = fresh, True
        if changed or len(self._newest_first) != len(self._known):
            shown = [known.shown for known in self._known.values()]
            self._newest_first = sorted(shown, key=lambda job: (-job.created, job.id))

    def _read_anew(self, known: _Known | None, name: str) -> _Known:
        """The same object where nothing was written since."""
        if known is not None and known.stamps == _stamps(known.job):
            return known
        job = Job(self._jobs.folder / name)  # not the one that is known: this may be another
        stamps = _stamps(job)
        told = self.shown(job)
        line = whole = told.model_dump_json().encode()
        if told.state.is_final:
            result = _named(self._home, job.result())
            whole = told.model_copy(update={"result": result}).model_dump_json().encode()
        return _Known(job, stamps, told, line, whole)

    def shown(self, job: Job) -> types.Job:
        """A job as it stands on the disk, as answers show it, without its result."""
        standing = job.standing()
        return types.Job(
            id=job.id,
            verb=job.verb,
            state=standing.state,
            since=standing.since,
            created=job.created,
            makes=_made(job),
            by=job.by,
            progress=types.Progress.model_validate(job.progress()),
            error=standing.error and self._home.named(standing.error),
            exit_code=standing.exit_code,
        )


def _stamps(job: Job) -> tuple[int, int]:
    return job.written(), job.progressed()


def _named(home: Home, result: Any) -> Any:
    """The server's paths in it by their addresses."""
    if isinstance(result, str):
        return home.named(result)
    if isinstance(result, Mapping):
        return {key: _named(home, value) for key, value in result.items()}
    if isinstance(result, list):
        return [_named(home, value) for value in result]
    return result


def _made(job: Job) -> str | None:
    out = place_in(str(job.arguments.get("out", "")))
    kind = MADE.get(job.verb)
    return f"{kind}/{getattr(out, 'name', '')}" if kind else None
