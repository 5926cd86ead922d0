"""The job at hand in a chaos run: who waits for it, how it stands, and what it has published."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from chaos_client import Client
from chaos_place import Place

from datagen.dataset.store import read_json, shards_of
from datagen.errors import InputError
from datagen.jobs.batch import opened
from datagen.jobs.ledger import Job, Jobs, State
from datagen.jobs.markers import index_of, look
from datagen.storage.address import quoted

_LOOK = 0.3  # seconds between two looks into the jobs folder


class AtHand:
    """One job, from its submission to its last shard; `seen` has when each was published."""

    def __init__(
        self, number: int, place: Place, client: Client, clean: Path, tell: Callable[[str], None]
    ) -> None:
        """`clean` is the dataset that nothing disturbed; `tell` is told each finding."""
        self.number, self.client = number, client
        self.job: Job | None = None
        self.state: State | None = None
        self.seen: dict[int, float] = {}  # shard, by its first image
        self.moved = time.time()  # when anything was new
        self._place, self._clean, self._tell = place, clean, tell
        about = read_json(clean / "recipe.json")
        self._names = {s.start: s.name for s in shards_of(about["count"], about["shard_size"])}
        self._looked = 0.0

    def is_amid(self, since: float) -> bool:
        """Whether it makes shards, also since then, and has more to make."""
        return max(self.seen.values(), default=0.0) > since and len(self.seen) < len(self._names)

    def look(self, *, force: bool = False) -> None:
        """Find the newest job that writes to the folder, and how it stands."""
        now = time.time()
        if not force and now - self._looked < _LOOK:
            return
        self._looked = now
        with suppress(InputError, OSError):
            ours = quoted(self.client.out.resolve())
            found = [j for j in Jobs(self._place.jobs).all() if j.arguments.get("out") == ours]
            if found:
                self.job = found[-1]
                state = self.job.standing().state
                if state is not self.state:
                    self.state, self.moved = state, now

    def look_at_shards(self) -> bool:
        """Whether any was published since the last look; each must be whole at first sight."""
        folder = self.client.out / "shards"
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            new = [e for e in entries if int(e.name.partition("-")[0]) not in self.seen]
            # The rename stamps it; our look is late by up to a tick, or by what we waited for.
            found = sorted((e.stat().st_ctime, int(e.name.partition("-")[0])) for e in new)
            for when, start in found:
                self.seen[start] = when
                name = self._names[start]
                if not _same(self._clean / "shards" / name, folder / name):
                    self._tell(f"shard {name} of job {self.number} is torn when shown")
            if found:
                self.moved = time.time()
                return True
        return False

    def under_way(self, pids: set[int]) -> tuple[frozenset[int], frozenset[int]]:
        """Shards that somebody is at, and those of them that these processes are at."""
        begun, theirs = set[int](), set[int]()
        if self.job is None:
            return frozenset(), frozenset()
        for folder in self.job.folder.glob("batches/*/attempts"):
            with suppress(InputError, OSError, ValueError):
                batch = opened(self._place.jobs, self.job.id, int(folder.parent.name))
                for path in folder.iterdir():
                    seen, index = look(path), index_of(path.name)
                    if seen is None or index is None or seen.who is None or seen.is_gone:
                        continue
                    start = batch.payload(index)["start"]
                    begun.add(start)
                    if seen.who.pid in pids:
                        theirs.add(start)
        return frozenset(begun - self.seen.keys()), frozenset(theirs - self.seen.keys())


def _same(one: Path, two: Path) -> bool:
    names = sorted(path.name for path in one.iterdir())
    try:
        if sorted(path.name for path in two.iterdir()) != names:
            return False
        return all((one / name).read_bytes() == (two / name).read_bytes() for name in names)
    except FileNotFoundError:
        return False
