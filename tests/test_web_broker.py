"""A server with a broker: it takes orders, and workers who share its folders carry them out."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from brokers import Server as Redis
from brokers import is_gone, wait_for
from conftest import ROOT
from servers import server

from datagen.client import Client
from datagen.jobs.ledger import State
from datagen.web import types

pytestmark = pytest.mark.slow

WORLD = types.WorldOf(recipe="aerial")
COUNT, SHARD = 600, 10


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with Redis(tmp_path_factory.mktemp("redis")) as one:
        yield one


@pytest.fixture
def worker(redis, tmp_path):
    """Of the home that a test's server has."""
    command = [sys.executable, "-m", "datagen", "worker", "--concurrency", "2"]
    command += ["--broker", redis.url, "--jobs", str(tmp_path / "home" / "jobs")]
    (tmp_path / "home" / "jobs").mkdir(parents=True)
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )
    yield process
    os.kill(process.pid, signal.SIGTERM)
    process.wait(60)


def test_workers_go_on_while_the_server_is_dead(redis, worker, tmp_path):
    order = types.Generate(world=WORLD, count=COUNT, shard_size=SHARD, name="town")
    home: Path = tmp_path / "home"
    with server(home, "--broker", redis.url) as one, Client(one.url) as asks:
        job = asks.submit(order, key="once")
        shards = home / "datasets" / "town" / "shards"
        wait_for(lambda: any(shards.glob("*")), seconds=60)
        one.kill()
        assert is_gone(one.process.pid)
        before = len(list(shards.iterdir()))
        assert before < COUNT // SHARD
        wait_for(lambda: len(list(shards.iterdir())) > before + 2)
        one.start()
        assert asks.submit(order, key="once").id == job.id
        *_, last = asks.follow(job.id)
        assert last.state is State.DONE
        assert last.progress.done == COUNT
        assert asks.verify("town").sound
