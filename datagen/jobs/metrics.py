"""What Prometheus reads of a worker, and of the jobs folder that it attends."""

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from datagen.errors import InputError
from datagen.jobs.batch import folder_id
from datagen.jobs.broker import Broker
from datagen.jobs.gauges import Collector, CollectorRegistry, Metric, labelled, of_jobs, plain
from datagen.jobs.keeper import Keeper
from datagen.jobs.ledger import Jobs
from datagen.jobs.work import QUEUES

HERE = "127.0.0.1"  # whoever is to read it from elsewhere comes through a proxy that asks who it is


@contextmanager
def served(port: int, jobs: Path, broker: Broker, keeper: Keeper) -> Iterator[None]:
    """Answer at http://127.0.0.1:PORT/metrics for this process, which is a worker."""
    registry = CollectorRegistry()
    registry.register(_Collector(Jobs(jobs), broker, keeper))
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(port, HERE, registry)
    except OSError as error:
        raise InputError(f"--metrics {port}: cannot listen there ({error.strerror})") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class _Collector(Collector):
    """Reads the folder, Redis and /proc whenever it is asked."""

    jobs: Jobs
    broker: Broker
    keeper: Keeper

    def describe(self) -> Iterable[Metric]:
        return ()  # else it would be asked while it is registered

    def collect(self) -> Iterable[Metric]:
        jobs = self.jobs.all()
        yield from of_jobs(jobs)
        waiting = _waiting(self.broker, self.jobs.folder)
        yield plain("broker_up", "Whether the broker answers.", waiting is not None)
        yield labelled("queue_messages", "Messages that wait.", ("queue",), waiting or {})
        conductors = self.keeper.conductors()
        yield plain("conductors", "Jobs that this worker carries out.", len(conductors))
        sizes = {role: rss(role[1]) for role in _roles(set(conductors.values()))}
        text = "Memory of this worker and what it started."
        yield labelled("resident_bytes", text, ("role", "pid"), sizes)


def _waiting(broker: Broker, jobs: Path) -> dict[str, int] | None:
    """Queue -> messages in it; None while the broker does not answer."""
    try:
        with Redis.from_url(broker.url, socket_timeout=2, socket_connect_timeout=2) as redis:
            prefix = f"datagen:{folder_id(jobs)}:"
            return {name: int(str(redis.llen(f"{prefix}{name}"))) for name in QUEUES}
    except RedisError:
        return None


def _roles(conductors: Collection[int]) -> Iterator[tuple[str, int]]:
    """What the processes of this worker are."""
    yield "worker", os.getpid()
    for pid in children(os.getpid()):
        name = _name(pid)
        yield "conductor" if pid in conductors else "redis" if "redis" in name else "pool", pid


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def children(pid: int) -> Iterator[int]:
    """Processes that a process started, and those that they started."""
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = [int(word) for word in tasks.read_text().split()]
        except OSError:
            continue
        for child in found:
            yield child
            yield from children(child)


def rss(pid: int) -> int:
    """Resident memory, bytes; 0 for a process that is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")]
    return sizes[0] if sizes else 0
