"""Which payloads somebody is at, from their markers and by the conductor's own clock alone."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from datagen.jobs.markers import Who, index_of, look

STALE = 30.0  # seconds without a heartbeat, and an attempt counts as dead
_RECENT = 30.0  # seconds for which a process counts as at work after its last sign


@dataclass
class _Attempt:
    """What is known of one marker."""

    changed: int = -1  # ns, by the clock of the file system, whatever that says
    moved: float = 0.0  # when that last became another one, by our clock
    who: Who | None = None
    is_gone: bool = False


@dataclass
class Watch:
    """Looks at the markers of a batch. `now` is the conductor's monotonic clock."""

    folder: Path
    now: Callable[[], float] = time.monotonic
    _attempts: dict[int, dict[str, _Attempt]] = field(default_factory=dict)
    _workers: dict[tuple[str, int], float] = field(default_factory=dict)  # -> last sign

    def turn_to(self, folder: Path) -> None:
        """Look at another batch from now on; which processes are at work stays known."""
        self.folder = folder
        self._attempts.clear()

    def look(self) -> Iterator[tuple[int, int]]:
        """Look at all markers; gives (payload, how far it is) of those that have changed."""
        now, there = self.now(), set[str]()
        with os.scandir(self.folder) as entries:
            found = [(e, index) for e in entries if (index := index_of(e.name)) is not None]
        for entry, index in found:
            name = entry.name
            try:
                changed = entry.stat().st_mtime_ns
            except FileNotFoundError:
                continue
            there.add(name)
            attempt = self._attempts.setdefault(index, {}).setdefault(name, _Attempt())
            if changed != attempt.changed:
                attempt.changed, attempt.moved = changed, now
                seen = look(entry.path)
                if seen is not None and seen.who is not None:
                    attempt.who = seen.who
                    self.note(seen.who.host, seen.who.pid)
                    yield index, seen.done
            attempt.is_gone = attempt.who is not None and attempt.who.is_gone
        self._drop_all_but(there)
        end = now - _RECENT
        self._workers = {who: last for who, last in self._workers.items() if last > end}

    def _drop_all_but(self, there: set[str]) -> None:
        for index, attempts in list(self._attempts.items()):
            for name in attempts.keys() - there:
                del attempts[name]
            if not attempts:
                del self._attempts[index]

    def note(self, host: str, pid: int) -> None:
        """A process has shown itself."""
        self._workers[host, pid] = self.now()

    @property
    def workers(self) -> int:
        """Processes that had shown themselves lately when the last look ended."""
        return len(self._workers)

    @property
    def seen(self) -> int:
        """Payloads that had markers at the last look."""
        return len(self._attempts)

    def is_under_way(self, index: int) -> bool:
        """Whether an attempt at the payload is alive."""
        attempts = self._attempts.get(index, {})
        return len(attempts) > len(self.dead(index))

    def dead(self, index: int) -> frozenset[str]:
        """The attempts that have left their marker and are gone, or stand still."""
        attempts = self._attempts.get(index)
        if attempts is None:  # most of what waits; a conductor asks after each once a second
            return frozenset()
        end = self.now() - STALE
        return frozenset(n for n, a in attempts.items() if a.is_gone or a.moved <= end)

    def forget(self, index: int) -> None:
        """Remove what the attempts at a payload left."""
        for name in self._attempts.pop(index, {}):
            (self.folder / name).unlink(missing_ok=True)
