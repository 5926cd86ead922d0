"""The processes of a chaos run, found by a mark in their environment.

All that is started in a place, and all that it starts, carries it: so it can be found, and ended,
whatever became of who started it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MARK = "DATAGEN_CHAOS"


@dataclass(frozen=True)
class Proc:
    """A process of ours that lives."""

    pid: int
    parent: int
    command: str
    born: str  # so that another one with its number is not taken for it

    @property
    def is_here(self) -> bool:
        return _stat(self.pid)[2] == self.born

    def send(self, number: int) -> None:
        if self.is_here:
            os.kill(self.pid, number)


def ours(folder: Path) -> list[Proc]:
    """All processes that were started for a place; a Redis, which overwrites what it was told,
    is known by where it is."""
    found, mark = [], f"{MARK}={folder}".encode()
    for entry in os.listdir("/proc"):
        if not entry.isdecimal() or int(entry) == os.getpid():
            continue
        process = Path("/proc", entry)
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            told = mark in (process / "environ").read_bytes().split(b"\0")
            told = told or ("redis-server" in command and _is_at(process / "cwd", folder))
        except OSError:
            continue
        state, parent, born = _stat(int(entry))
        if told and state not in ("", "Z", "X"):
            found.append(Proc(int(entry), parent, command, born))
    return found


def _is_at(link: Path, folder: Path) -> bool:
    # Also at the disk of the place, which lies beside it with a longer name.
    return os.readlink(link).startswith(str(folder))


def _stat(pid: int) -> tuple[str, int, str]:
    """State, parent and time of birth; the state is empty where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", 0, ""
    return fields[0], int(fields[1]), fields[19]


@contextmanager
def ended(folder: Path) -> Iterator[None]:
    """However this process ends, by SIGKILL too, nothing that was started for a place lives on."""
    words = [sys.executable, __file__, str(folder)]
    watchdog = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        watchdog.communicate()


def _end_all(folder: Path) -> None:
    """Kill whatever was started for a place."""
    for _ in range(100):
        found = ours(folder)
        if not found:
            break
        for one in found:
            one.send(signal.SIGKILL)
        time.sleep(0.05)


if __name__ == "__main__":
    sys.stdin.read()  # nobody writes: it returns when the other end is gone
    _end_all(Path(sys.argv[1]))
