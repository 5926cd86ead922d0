"""What the steps of a training cost."""

import json
import resource
import sys
import time
from pathlib import Path

from datagen.files import write_atomic
from datagen.learning.loop import Tick

_EVERY = 10.0  # seconds between two lines of the log


class Clock:
    """Counts a process' own time, for cores may be shared, and the clock's; a `progress`.

    Kept in a file, since a run that was cut off goes on in another process.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        held = json.loads(path.read_text()) if path.is_file() else {}
        self.spent = {"made": 0, "own": 0.0, "wall": 0.0, "memory": 0.0, "steps": 0} | held
        self.newest: tuple[int, float, float] | None = None
        self.told = -_EVERY

    def __call__(self, tick: Tick) -> None:
        now = tick.step, time.process_time(), time.monotonic()
        if self.newest is not None:  # the first step of a process is not counted: it warms up
            for name, old, new in zip(("made", "own", "wall"), self.newest, now, strict=True):
                self.spent[name] += new - old
        self.newest = now
        if now[2] - self.told < _EVERY and tick.step < tick.steps:
            return
        self.told = now[2]
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.spent |= {"memory": max(memory, self.spent["memory"]), "steps": tick.steps}
        write_atomic(self.path, json.dumps(self.spent))
        sys.stderr.write(f"{tick.step}/{tick.steps}  {tick.words}\n")

    def read(self) -> dict[str, float]:
        """Milliseconds of a step, minutes of all steps, peak memory in MB; {} if none was counted.

        Minutes are the process' own.
        """
        if not self.spent["made"]:
            return {}
        own, wall = (1000 * self.spent[name] / self.spent["made"] for name in ("own", "wall"))
        minutes = own * self.spent["steps"] / 60_000
        return {"own ms": own, "wall ms": wall, "minutes": minutes, "memory": self.spent["memory"]}
