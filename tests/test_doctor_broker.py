"""What `doctor` says of a Redis that the environment names: a real one, set up well and badly."""

import json

import pytest
from brokers import PASSWORD, Server, free_port
from packaging.version import Version

from datagen.doctor.broker import examined, is_patched, judged
from datagen.doctor.check import State


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def settings(server):
    """Sets what `redis-server` runs with, for one test."""
    redis, before = server.redis(), {}

    def change(**values):
        for key, value in values.items():
            name = key.replace("_", "-")
            before.setdefault(name, redis.config_get(name)[name])
            redis.config_set(name, value)

    yield change
    for name, value in before.items():
        redis.config_set(name, value)
    redis.close()


def lines(monkeypatch, url):
    monkeypatch.setenv("DATAGEN_BROKER", url)
    return {check.name: check for check in examined()}


def test_without_a_broker_there_is_no_line(monkeypatch):
    for name in ("DATAGEN_BROKER", "CELERY_BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    assert examined() == []


def test_a_sound_redis_has_no_warning_but_for_its_version(server, settings, monkeypatch):
    settings(appendonly="yes", maxmemory_policy="noeviction", maxmemory="100mb")
    found = lines(monkeypatch, server.url)
    assert found.pop("broker's version").found.startswith("Redis ")
    assert {check.state for check in found.values()} == {State.OK}
    assert len(found) == 4
    assert PASSWORD not in str(found)


@pytest.mark.parametrize(
    ("wrong", "name", "remedy"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "broker's eviction", "noeviction"),
        ({"appendonly": "no"}, "broker's persistence", "appendonly yes"),
        ({"maxmemory": "1mb"}, "broker's memory", "maxmemory"),
    ],
)
def test_each_setting_that_loses_messages_is_told(
    server, settings, monkeypatch, wrong, name, remedy
):
    settings(appendonly="yes", maxmemory_policy="noeviction", maxmemory="100mb")
    settings(**wrong)
    found = lines(monkeypatch, server.url)
    assert found[name].state is State.WARN
    assert remedy in found[name].remedy
    others = {k for k, c in found.items() if c.state is State.WARN} - {name, "broker's version"}
    assert not others


def test_a_wrong_password_is_told_without_it(server, monkeypatch):
    (found,) = lines(monkeypatch, server.url.replace(PASSWORD, "geheim")).values()
    assert found.state is State.WARN
    assert "password" in found.found and "geheim" not in str(found)


def test_a_redis_that_is_away_is_told(monkeypatch):
    (found,) = lines(monkeypatch, f"redis://127.0.0.1:{free_port()}/0").values()
    assert found.state is State.WARN
    assert "refused" in found.found


def test_an_address_that_is_no_redis_is_told(monkeypatch):
    (found,) = lines(monkeypatch, "http://:geheim@example.org").values()
    assert found.state is State.WARN
    assert "geheim" not in str(found)


@pytest.mark.parametrize(
    ("url", "word"),
    [("redis://:p@redis.invalid", "TLS"), ("rediss://redis.invalid", "password")],
)
def test_a_redis_elsewhere_without_tls_or_password_is_a_danger(monkeypatch, url, word):
    found = lines(monkeypatch, url)["broker's address"]
    assert found.state is State.WARN
    assert word in found.found


@pytest.mark.parametrize(
    ("version", "kind", "good"),
    [
        ("6.2.19", "Redis", False),
        ("6.2.20", "Redis", True),
        ("7.0.15", "Redis", False),
        ("7.4.6", "Redis", True),
        ("8.0.3", "Redis", False),
        ("8.2.2", "Redis", True),
        ("8.4.0", "Redis", True),
        ("8.1.3", "Valkey", False),
        ("8.1.4", "Valkey", True),
        ("9.0.0", "Valkey", True),
    ],
)
def test_a_release_with_the_hole_in_lua_is_known_by_its_number(version, kind, good):
    assert is_patched(Version(version), kind) is good


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"redis_version": "5.0.7"}, "too old"),
        ({"redis_version": "7.0.15"}, "Debian's 7.0.15-1~deb12u6"),
        ({"redis_version": "6.2.14"}, "CVE-2025-49844"),
        ({"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.1.4"}, "Valkey"),
        ({}, "unknown"),
    ],
)
def test_the_version_is_judged_with_what_to_install(info, words):
    check = next(judged(info))
    assert words in check.found + check.remedy
    assert bool(check.remedy) is (check.state is State.WARN)


def test_the_command_has_the_lines_of_the_broker(server, monkeypatch, cli):
    monkeypatch.setenv("DATAGEN_BROKER", server.url)
    names = [c["name"] for c in json.loads(cli("doctor", "--json", "--quiet").out)["checks"]]
    assert [name for name in names if name.startswith("broker")] == [
        "broker",
        "broker's version",
        "broker's eviction",
        "broker's persistence",
        "broker's memory",
    ]
