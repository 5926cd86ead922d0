"""Where a chaos run happens: a disk, a broker, and workers."""

import hashlib
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from chaos_plan import EMBEDDED
from chaos_processes import MARK, Proc, ours
from chaos_renderer import TALLY
from chaos_service import Service
from redis import Redis
from redis.exceptions import RedisError

from datagen.jobs.embedded import redis_server
from datagen.jobs.roster import present

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORKERS = 2
_GONE = 15.0  # seconds for processes to see that their worker is gone
_START = 90.0  # seconds for workers to come up


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
