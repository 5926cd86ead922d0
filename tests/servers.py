"""Servers for tests: the app in this process, or `datagen serve` as a process of its own."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from faulty import ROOT
from starlette.testclient import TestClient

from datagen.settings.serve import Serve
from datagen.web.app import make_app
from datagen.web.service import make_service

SECRET = "a secret of forty letters, for tests alone"


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@contextmanager
def app(home: Path, **settings) -> Iterator[TestClient]:
    """A client of an app; nobody carries out its jobs unless `workers` says so."""
    told = Serve.model_validate({"home": str(home), "workers": 0, **settings})
    with TestClient(make_app(make_service(told, None)), base_url="http://127.0.0.1") as client:
        yield client


@dataclass
class Server:
    """A process; `start` again after `kill` is what a restart is."""

    home: Path
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0

    def start(self) -> None:
        words = ["serve", "--home", str(self.home), "--port", str(self.port), *self.options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "datagen", *words],
            cwd=ROOT,
            env=os.environ | self.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.search(r"at http://127\.0\.0\.1:(\d+)", line)
        assert found, line
        self.port = int(found[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.process.kill()
        self._end()

    def stop(self) -> int:
        """In order; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(30)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@contextmanager
def server(home: Path, *options: str, **environment: str) -> Iterator[Server]:
    """A server that runs until the end, however that comes."""
    one = Server(home, options, environment)
    one.start()
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.kill()
