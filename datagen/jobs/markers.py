"""The marker of an attempt: a file that is there, and touched, while a process is at a payload.

Who dies leaves it behind. A process of the same machine can be asked whether it lives; of others
the file's age must do, in the time of the file system: the clocks of two machines may differ.
"""

import contextlib
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Event, Thread
from typing import Any

_BEAT = 5.0  # seconds between two heartbeats
_FRESH = 20.0  # seconds; who beat within them is at work
_SIZE = 512  # bytes; of one size, so that it can be overwritten in place


@dataclass(frozen=True)
class Who:
    """A process that made a marker, as the marker tells."""

    host: str
    pid: int
    machine: str  # equal where process ids mean the same processes
    born: str  # so that the next process with this id is not taken for it

    @property
    def is_gone(self) -> bool:
        """Whether it has certainly ended; of another machine that cannot be known."""
        return bool(self.born) and self.machine == _machine() and _born(self.pid) != self.born


@dataclass(frozen=True)
class Seen:
    """A marker that somebody looked at."""

    name: str
    changed: int  # ns, by the clock of the file system
    began: int  # ns, the same
    who: Who | None  # None while it is being written
    done: int

    @property
    def is_gone(self) -> bool:
        return self.who is not None and self.who.is_gone


class Marker:
    """This process's own marker."""

    def __init__(self, folder: Path, index: int) -> None:
        self._path = folder / f"{index}.{secrets.token_hex(8)}"
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self.began = os.fstat(self._handle).st_mtime_ns
        self.name = self._path.name
        self.who = socket.gethostname(), os.getpid()
        self.tell(0)
        os.fsync(self._handle)  # payloads that take the whole machine down count as well

    def tell(self, done: int) -> None:
        """How far it is; counts as a heartbeat."""
        text = json.dumps({**_me(), "began": self.began, "done": done}).encode()
        os.pwrite(self._handle, text.ljust(_SIZE), 0)

    def beat(self) -> None:
        os.utime(self._handle)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._handle)


@contextmanager
def marked(folder: Path, index: int) -> Iterator[Marker]:
    """A marker that beats for as long as this process lives and the context is open."""
    marker, end = Marker(folder, index), Event()

    def beat() -> None:
        while not end.wait(_BEAT):
            marker.beat()

    thread = Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield marker
    finally:
        end.set()
        thread.join()
        marker.remove()


def others(folder: Path, mine: Marker, index: int) -> list[Seen]:
    """The markers of other attempts at the same payload, dead or alive."""
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.name.startswith(f"{index}.") and e.name != mine.name]
    return [seen for name in names if (seen := look(folder / name)) is not None]


def is_ahead(other: Seen, mine: Marker) -> bool:
    """Whether another attempt is alive and began before ours: then ours is one too many."""
    is_fresh = mine.began - other.changed < _FRESH * 1e9
    return is_fresh and not other.is_gone and (other.began, other.name) < (mine.began, mine.name)


def look(path: str | Path) -> Seen | None:
    """What a marker tells; None when it is gone."""
    try:
        with open(path, "rb", buffering=0) as file:
            changed = os.fstat(file.fileno()).st_mtime_ns
            text = file.read(_SIZE)
    except OSError:
        return None
    name = os.path.basename(path)
    try:
        data = json.loads(text)
        who = Who(str(data["host"]), int(data["pid"]), str(data["machine"]), str(data["born"]))
        return Seen(name, changed, int(data["began"]), who, int(data["done"]))
    except (ValueError, LookupError, TypeError):
        return Seen(name, changed, changed, None, 0)


def at_work(jobs: Path) -> set[int]:
    """The processes of this machine that are at a payload of any job of the folder."""
    found = (look(path) for path in jobs.glob("*/batches/*/attempts/*"))
    seen = (one.who for one in found if one is not None and one.who is not None)
    return {who.pid for who in seen if who.machine == _machine() and not who.is_gone}


def index_of(name: str) -> int | None:
    """The payload that a marker is for, from its name."""
    stem = name.partition(".")[0]
    return int(stem) if stem.isascii() and stem.isdigit() else None


def _me() -> dict[str, Any]:
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "machine": _machine(), "born": _born(pid)}


@lru_cache
def _machine() -> str:
    """Of the running kernel and the name space of process ids: containers have their own."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.stat('/proc/self/ns/pid').st_ino}"
    return ""


def _born(pid: int) -> str:
    """When a process started, in the kernel's ticks; nothing when there is none, or a zombie."""
    try:
        # What is in brackets is the program's name, which may hold brackets itself.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
