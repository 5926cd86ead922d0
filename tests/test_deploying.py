"""The files of docs/deploy: a real Redis takes its part, and the commands in all are ours."""

import hashlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from brokers import Server, Worker, wait_for
from conftest import ROOT
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from datagen.cli.serve import settings_of
from datagen.doctor.broker import judged
from datagen.doctor.check import State
from datagen.jobs.broker import Broker
from datagen.jobs.celery import Post
from datagen.jobs.embedded import redis_server
from datagen.jobs.station import DUTIES

DEPLOY = ROOT / "docs" / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
PASSWORD = "only-for-tests"


class Deployed(Server):
    """A Redis with our redis.conf and users.acl."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"redis://datagen:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        users = (DEPLOY / "users.acl.example").read_text()
        hashed = hashlib.sha256(PASSWORD.encode()).hexdigest()
        (self.folder / "users.acl").write_text(users.replace("SHA256", hashed))
        options = ["--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder]
        options += ["--aclfile", self.folder / "users.acl"]
        self._process = subprocess.Popen(
            [redis_server(), DEPLOY / "redis.conf", *map(str, options)],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(self.answers, 20)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Deployed(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(server):
    with server.redis() as client:
        yield client


def lines(name: str, key: str) -> list[str]:
    """What stands after KEY= or KEY: on the lines of a file."""
    return re.findall(rf"^\s*{key}[=:]\s*(.*)$", (DEPLOY / name).read_text(), re.M)


# --------------------------------------------------------------------------------- redis.conf


def test_redis_takes_the_settings_and_doctor_has_nothing_to_say(redis):
    info = redis.info()
    assert info["maxmemory_policy"] == "noeviction"
    assert info["aof_enabled"] == 1
    assert info["maxmemory"] == 256 * 2**20
    warned = {check.name for check in judged(info) if check.state is not State.OK}
    assert warned <= {"broker's version"}


def test_redis_does_not_start_without_its_users(tmp_path):
    command = [redis_server(), DEPLOY / "redis.conf", "--aclfile", tmp_path / "none"]
    done = subprocess.run([*command, "--port", "0"], capture_output=True, timeout=20, check=False)
    assert done.returncode != 0


def test_nobody_comes_in_without_the_password(server):
    with Redis(port=server.port) as nobody, pytest.raises(AuthenticationError):
        nobody.ping()


@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL",
        "FLUSHDB",
        "KEYS *",
        "CONFIG GET dir",
        "CONFIG SET dir /tmp",
        "SHUTDOWN NOSAVE",
        "SAVE",
        "ACL LIST",
        "CLIENT LIST",
        "SCRIPT FLUSH",
        "EVAL return 0",
        "REPLICAOF 127.0.0.1 1",
        "GET other",
        "SET other 1",
        "SUBSCRIBE other",
    ],
)
def test_the_workers_user_may_not(redis, command):
    with pytest.raises(NoPermissionError):
        redis.execute_command(*command.split())


def test_a_worker_lives_with_what_its_user_may(server, redis, tmp_path):
    """kombu sweeps every few seconds, with a lock that is released by a script."""
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    worker = Worker(server.url, jobs, tmp_path / "log")
    post = Post(server.url, jobs)
    try:
        swept = redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
        post.send("render", ("a" * 12, 1, 0))
        wait_for(lambda: "dropped" in worker.log)  # there is no such job
        wait_for(lambda: redis.info("commandstats")["cmdstat_evalsha"]["calls"] >= swept + 2)
        wait_for(lambda: post.waiting("render") == (set(), set()))
        assert worker.is_alive, worker.log
        assert "permission" not in worker.log
    finally:
        post.close()
        worker.stop()


# ------------------------------------------------------------------------------------ commands


def commands() -> list[list[str]]:
    """Words of each `datagen` that compose and systemd start."""
    found = [
        ["datagen", *re.findall(r'"[^"]*"|[^,\s\[\]]+', text)]
        for text in lines("compose.yml", "command")
        if text.startswith("[")
    ]
    found += [shlex.split(text) for unit in UNITS for text in lines(unit.name, "ExecStart")]
    stripped = [[word.strip('"') for word in words] for words in found]
    return [words[1:] for words in stripped if words[0].endswith("datagen")]


def test_every_command_is_one_of_ours_with_its_options(cli):
    assert len(commands()) == 5
    for verb, *words in commands():
        known = cli(verb, "--help").out
        for word in words:
            assert not word.startswith("-") or word in known, word


def test_every_queue_that_is_named_is_one():
    named = [words[words.index("--queues") + 1] for words in commands() if "--queues" in words]
    named += lines("datagen.env.example", "DATAGEN_QUEUES")
    queues = {queue for text in named if "$" not in text for queue in text.split(",")}
    assert queues == set(DUTIES)


def test_every_variable_that_is_used_is_in_the_example():
    given = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "datagen.env.example").read_text(), re.M))
    systemd = {"CREDENTIALS_DIRECTORY"}
    for name in ["compose.yml", *(unit.name for unit in UNITS)]:
        used = set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / name).read_text()))
        assert used <= given | systemd, name
    assert {"DATAGEN_BROKER", "DATAGEN_JOBS", "REMAP_SIGTERM"} <= given


def test_the_server_takes_its_example(monkeypatch):
    monkeypatch.delenv("DATAGEN_TOKEN", raising=False)
    settings = settings_of(DEPLOY / "serve.toml.example", {}, {})
    assert settings.tokens["anna"].quota.jobs == 20
    assert settings.host == "127.0.0.1"


def test_the_address_in_the_example_is_one():
    for url in lines("datagen.env.example", "DATAGEN_BROKER"):
        assert Broker(url).name == "redis://redis:6379/0"


def test_compose_is_sound():
    yaml = pytest.importorskip("yaml")
    data = yaml.safe_load((DEPLOY / "compose.yml").read_text())
    known = {"name", "services", "networks", "volumes", "secrets", "x-worker"}
    assert set(data) == known
    for name, service in data["services"].items():
        assert service["read_only"], name
        for port in service.get("ports", ()):
            assert name == "serve" and port.startswith("127.0.0.1:"), name
        assert service["cap_drop"] == ["ALL"] and service["user"] not in ("root", "0"), name
        assert set(service["networks"]) <= set(data["networks"])
        for volume in service["volumes"]:
            if isinstance(volume, str) and not volume.startswith("."):
                assert volume.split(":")[0] in data["volumes"]
    assert data["networks"]["queue"]["internal"] is True


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_takes_the_units(tmp_path):
    copies = []
    for unit in UNITS:
        copy = tmp_path / unit.name.replace("@.", "@cpu.")
        # It looks whether programs are there.
        copy.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text()))
        copies.append(copy)
    command = ["systemd-analyze", "verify", *copies]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert done.returncode == 0 and not said, done.stderr


def test_the_image_has_what_the_readme_asks_for():
    text = (DEPLOY / "Dockerfile").read_text()
    for need in ("python3-venv", "libegl1", "libgl1-mesa-dri", "make setup", "USER datagen"):
        assert need in text
    sources = re.findall(r"^COPY (\S+)", text, re.M)
    assert all(source == "." or (ROOT / source).exists() for source in sources)


def test_the_page_names_every_file():
    page = (ROOT / "docs" / "deploying.md").read_text()
    for path in DEPLOY.iterdir():
        name = path.name.removesuffix(".example").removesuffix(".dockerignore")
        assert name.removesuffix(".service").removesuffix("@") in page, path.name
