"""A Redis and workers of our own, for tests only; they never touch another server."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from faulty import ROOT, TESTS
from redis import Redis
from redis.exceptions import RedisError

from datagen.jobs.embedded import redis_server

PASSWORD = "only-for-tests"


class Server:
    """Redis without any memory: what is in it is lost when it is killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *about: object) -> None:
        self.kill()

    def start(self) -> None:
        options = ["--port", self.port, "--bind", "127.0.0.1", "--requirepass", PASSWORD]
        options += ["--save", "", "--appendonly", "no", "--dir", self.folder]
        self._process = subprocess.Popen(
            [redis_server(), *map(str, options)],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(self.answers)

    def answers(self) -> bool:
        try:
            return bool(self.redis().ping())
        except RedisError:
            return False

    def redis(self) -> Redis:
        return Redis.from_url(self.url)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Worker:
    """`serve` in a process of its own, with processes that work."""

    def __init__(self, url: str, jobs: Path, log: Path, processes: int = 2) -> None:
        code = (
            "import logging; from pathlib import Path; from datagen.jobs.celery import serve;"
            "logging.basicConfig(level=logging.INFO);"
            f"serve({url!r}, Path({str(jobs)!r}), ['render', 'eval'], {processes})"
        )
        path = os.pathsep.join([str(ROOT), str(TESTS), os.environ.get("PYTHONPATH", "")])
        self._log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", code],
                env={**os.environ, "PYTHONPATH": path},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def children(self) -> list[int]:
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.is_alive:
            os.kill(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return bool(re.match(r".*\) [ZX]", file.read()))
    except FileNotFoundError:
        return True
