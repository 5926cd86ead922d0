"""Where a chaos run happens: a disk, a broker and workers, and what starts them again, as systemd.

Everything that is started here, and all that it starts, carries a mark in its environment: so it
can be found, and ended, whatever became of who started it.
"""

import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos_plan import EMBEDDED
from chaos_renderer import TALLY
from redis import Redis
from redis.exceptions import RedisError

from datagen.jobs.embedded import redis_server
from datagen.jobs.roster import present

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MARK = "DATAGEN_CHAOS"
WORKERS = 2
_DISK = "1500m"
_TERM = 60.0  # seconds after SIGTERM until SIGKILL, as TimeoutStopSec in docs/deploy
_GONE = 15.0  # seconds for processes to see that their worker is gone
_START = 90.0  # seconds for workers to come up


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


def end_all(folder: Path) -> None:
    """Kill whatever was started for a place."""
    for _ in range(100):
        found = ours(folder)
        if not found:
            break
        for one in found:
            one.send(signal.SIGKILL)
        time.sleep(0.05)


class Service:
    """A process that is started again `rest` seconds after its end."""

    def __init__(self, command: Sequence[object], env: Mapping[str, str], log: Path) -> None:
        self._command, self._env, self._log = [str(word) for word in command], dict(env), log
        self.process: subprocess.Popen[bytes] | None = None
        self.rest = 1.0
        self.due: float | None = 0.0  # when to start; None while it runs, or shall not run
        self.kill_at: float | None = None  # it was asked to end, and has until then
        self.forced = 0  # how often that was not enough
        self.before_start = lambda: None

    def tick(self, now: float) -> None:
        if self.process is not None and self.process.poll() is not None:
            self.process, self.kill_at = None, None
            self.due = now + self.rest
            self.rest = 1.0
        if self.process is not None and self.kill_at is not None and now >= self.kill_at:
            self.forced += 1
            self.kill_at = None
            self.process.kill()
        if self.process is None and self.due is not None and now >= self.due:
            self.due = None
            self.before_start()
            self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the run alone
            )

    def kill(self, rest: float) -> None:
        assert self.process is not None
        self.rest = rest
        self.process.kill()
        self.process.wait()

    def term(self, rest: float) -> None:
        assert self.process is not None
        self.rest, self.kill_at = rest, time.time() + _TERM
        self.process.terminate()

    def end(self) -> None:
        """For good, in order."""
        self.due = None
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(_TERM)
            except subprocess.TimeoutExpired:
                self.forced += 1
                self.process.kill()
                self.process.wait()
            self.process = None


class Place:
    """A disk of its own, a broker, and two workers of one process each."""

    def __init__(self, folder: Path, part: str, disk: Path) -> None:
        self.folder, self.part, self.disk = folder, part, disk
        folder.mkdir()
        # With a Redis of its own the jobs lie on another disk than what is made; a machine that
        # has everything on one disk must do as well.
        self.jobs = (disk if part == EMBEDDED else folder) / "jobs"
        self.tally = folder / "tally"
        self.tally.mkdir()
        self.url: str | None = None
        self.broker: Service | None = None
        if part != EMBEDDED:
            self.broker = self._redis()
        self.environment = self._environment()
        words = ["worker", "--jobs", self.jobs, "--concurrency", 1]
        words += ["--queues", "render,eval,control"]
        self.workers = [
            Service(datagen(*words), self.environment, folder / f"worker-{number}.log")
            for number in range(WORKERS)
        ]

    def _redis(self) -> Service:
        """As docs/deploy has it: append-only file, no eviction, a user with few rights."""
        home, deploy = self.folder / "redis", ROOT / "docs" / "deploy"
        password = secrets.token_hex(16)
        home.mkdir()
        port = _free_port()
        hashed = hashlib.sha256(password.encode()).hexdigest()
        users = (deploy / "users.acl.example").read_text().replace("SHA256", hashed)
        # Somebody must be able to say FLUSHALL; users of datagen are not.
        users += f"user chaos on #{hashed} ~* +@all\n"
        (self.folder / "users.acl").write_text(users)
        self.url = f"redis://datagen:{password}@127.0.0.1:{port}/0"
        words = [redis_server(), deploy / "redis.conf", "--port", port, "--dir", home]
        words += ["--aclfile", self.folder / "users.acl", "--loglevel", "warning"]
        return Service(words, {**os.environ, MARK: str(self.folder)}, self.folder / "redis.log")

    def _environment(self) -> dict[str, str]:
        ours = {MARK: str(self.folder), TALLY: str(self.tally), "PYTHONPATH": f"{ROOT}:{HERE}"}
        # As docs/deploy has it: SIGTERM gives the work under way half a minute.
        ours |= {"REMAP_SIGTERM": "SIGQUIT", "TERM": "dumb"}
        foreign = ("DATAGEN_BROKER", "CELERY_BROKER_URL", "DATAGEN_JOBS", TALLY)
        plain = {key: value for key, value in os.environ.items() if key not in foreign}
        return plain | ours | ({"DATAGEN_BROKER": self.url} if self.url else {})

    def start(self) -> None:
        """Broker and workers, and wait until all are there."""
        end = time.time() + _START
        while self.redis() is None if self.broker else False:
            self.tick(time.time(), workers=False)
            time.sleep(0.05)
        while len(present(self.jobs)) < WORKERS or len(self.children()) < WORKERS:
            assert time.time() < end, f"workers do not come up; see {self.folder}/worker-*.log"
            self.tick(time.time())
            time.sleep(0.05)

    def tick(self, now: float, *, workers: bool = True) -> None:
        """Start what is due."""
        for service in [self.broker, *(self.workers if workers else ())]:
            if service is not None:
                service.tick(now)

    def redis(self, user: str = "chaos") -> Redis | None:
        """A client that may do all; None while there is no answer."""
        url = self.url.replace("//datagen:", f"//{user}:") if self.url else self._embedded_url()
        if url is None:
            return None
        client = Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0)
        try:
            client.ping()
        except RedisError:
            client.close()
            return None
        return client

    def _embedded_url(self) -> str | None:
        home = self.jobs / "redis"
        try:
            password, port = (home / "password").read_text(), (home / "port").read_text()
        except OSError:
            return None
        return f"redis://:{password}@127.0.0.1:{port}/0"

    @property
    def broker_files(self) -> Path:
        return self.folder / "redis" if self.broker else self.jobs / "redis"

    def forget(self) -> None:
        """Remove what a broker that is dead has kept."""
        for path in self.broker_files.glob("*.aof*"):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.broker_files / "appendonlydir", ignore_errors=True)

    # ---------------------------------------------------------------------------------- processes

    def all(self) -> list[Proc]:
        return ours(self.folder)

    def parents(self) -> list[int]:
        return [one.process.pid for one in self.workers if one.process is not None]

    def children(self, of: Sequence[int] | None = None) -> list[Proc]:
        """The processes of workers' pools."""
        parents = self.parents() if of is None else of
        return [one for one in self.all() if one.parent in parents and "spawn_main" in one.command]

    def conductors(self) -> list[Proc]:
        return [one for one in self.all() if "datagen.jobs.conduct" in one.command]

    def brokers(self) -> list[Proc]:
        return [one for one in self.all() if "redis-server" in one.command.partition(" ")[0]]

    def end(self) -> int:
        """End in order; how many processes were still there when all should have been gone."""
        for worker in self.workers:
            if worker.process is not None:
                worker.process.terminate()  # both at once
        for worker in self.workers:
            worker.end()
        if self.broker is not None:
            self.broker.end()
        end = time.time() + _GONE
        while self.all() and time.time() < end:
            time.sleep(0.2)
        return len(self.all())


def datagen(*words: object) -> list[str]:
    return [sys.executable, "-m", "datagen", *map(str, words)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ------------------------------------------------------------------------------------------ disk


@contextmanager
def disk(folder: Path) -> Iterator[bool]:
    """A file system in memory at `folder`; False where this user may not mount one."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)]
    mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            # Lazily: whatever still has a file open there has been killed already.
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


class Ballast:
    """A file that takes all room of a disk."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"

    def grow(self) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            for _ in range(5):
                free = os.statvfs(self._path.parent)
                if free.f_bavail == 0:
                    break
                size = os.fstat(handle).st_size
                os.posix_fallocate(handle, size, free.f_bavail * free.f_frsize)
        except OSError:
            pass  # somebody was faster: it is full
        finally:
            os.close(handle)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
