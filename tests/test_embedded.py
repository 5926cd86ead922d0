"""The Redis of a jobs folder: shared by the workers of a machine, and dying with the last."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from brokers import Server, is_gone, wait_for
from redis import Redis

from datagen.errors import MissingError
from datagen.jobs.broker import Broker
from datagen.jobs.embedded import embedded_broker

HOLD = (
    "import sys; from pathlib import Path; from datagen.jobs.embedded import embedded_broker\n"
    "with embedded_broker(Path(sys.argv[1])) as url:\n"
    "    print(url, flush=True)\n"
    "    sys.stdin.read()\n"
)


@contextmanager
def holder(jobs):
    """Another process that holds the context; gives it and the URL that it got."""
    command = [sys.executable, "-c", HOLD, jobs]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def server_of(url):
    with Redis.from_url(url) as redis:
        return redis.info("server")["process_id"]


def test_it_has_a_password_that_nobody_else_can_read_and_dies_with_its_context(tmp_path):
    with embedded_broker(tmp_path / "jobs") as url, Redis.from_url(url) as redis:
        assert redis.config_get("appendonly") == {"appendonly": "yes"}
        assert redis.config_get("bind") == {"bind": "127.0.0.1"}
        assert redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert len(Broker(url).url.split("@")[0]) > 40
        server = server_of(url)
        with open(f"/proc/{server}/cmdline") as file:
            assert redis.config_get("requirepass")["requirepass"] not in file.read()
    assert is_gone(server)
    folder = tmp_path / "jobs" / "redis"
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("password", "redis.conf"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600


def test_workers_share_it_and_another_takes_over_at_the_same_address(tmp_path):
    told = []
    with holder(tmp_path) as (owner, first), embedded_broker(tmp_path, told.append) as url:
        assert url == first
        server = server_of(url)
        with Redis.from_url(url) as redis:
            redis.set("kept", "yes")
            redis.config_set("appendfsync", "always")
            redis.set("kept", "yes")
        owner.kill()
        wait_for(lambda: is_gone(server), seconds=10)
        wait_for(Broker(url).answers, seconds=10)
        assert server_of(url) != server
        wait_for(lambda: told, seconds=10)  # it answers a moment before it is told
        assert told == [f"the Redis of {tmp_path / 'redis'} is gone; another is started"]
        with Redis.from_url(url) as redis:
            assert redis.get("kept") == b"yes"


def test_a_killed_server_comes_again(tmp_path):
    with embedded_broker(tmp_path) as url:
        server = server_of(url)
        os.kill(server, signal.SIGKILL)
        wait_for(lambda: Broker(url).answers() and server_of(url) != server, seconds=10)


def test_damaged_files_and_a_port_of_a_stranger_are_no_obstacle(tmp_path):
    with embedded_broker(tmp_path / "jobs") as url:
        pass
    folder = tmp_path / "jobs" / "redis"
    (folder / "appendonly.aof").write_bytes(b"*3\r\n$9\r\ngarbage" * 9)
    with Server(tmp_path) as stranger:
        (folder / "port").write_text(str(stranger.port))
        with embedded_broker(tmp_path / "jobs") as url:
            assert Broker(url).answers()
            assert f":{stranger.port}/" not in url
            assert stranger.redis().dbsize() == 0
            assert stranger.redis().info("commandstats").keys() <= {
                f"cmdstat_{name}" for name in ("ping", "dbsize", "client", "auth", "hello", "info")
            }


def test_without_a_program_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("datagen.jobs.embedded.find_spec", lambda name: None)
    with pytest.raises(MissingError, match="apt install redis-server"), embedded_broker(tmp_path):
        pass
