"""What a training, or whatever else makes a folder, costs."""

import json
import resource
import shutil
import sys
import time
from collections.abc import Callable
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
        self.spent |= {"memory": max(_memory(), self.spent["memory"]), "steps": tick.steps}
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


def costed(folder: Path, make: Callable[[], object]) -> dict[str, float]:
    """What it cost to make `folder`: seconds of the process' own time, its peak memory in MB.

    Kept beside the folder, which is not made again then. What was cut off is made anew: its cost is
    not known.
    """
    path = folder.with_name(f"{folder.name}-cost.json")
    if not path.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        began = time.process_time()
        make()
        own = time.process_time() - began
        write_atomic(path, json.dumps({"own s": own, "memory": _memory()}))
    return json.loads(path.read_text())


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
