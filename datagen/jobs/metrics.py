"""What Prometheus reads of a worker, and of the jobs folder that it attends."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from datagen.errors import InputError, MissingError
from datagen.jobs.batch import folder_id
from datagen.jobs.broker import Broker
from datagen.jobs.keeper import Keeper
from datagen.jobs.ledger import Job, Jobs, State
from datagen.jobs.work import QUEUES

try:
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.core import GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    raise MissingError(
        "--metrics needs the package prometheus-client: pip install 'datagen[metrics]'"
    ) from error

HERE = "127.0.0.1"  # whoever is to read it from elsewhere comes through a proxy that asks who it is


@contextmanager
def served(port: int, jobs: Path, broker: Broker, keeper: Keeper) -> Iterator[None]:
    """Answer at http://127.0.0.1:PORT/metrics for this process, which is a worker."""
    registry = CollectorRegistry()
    registry.register(_Collector(Jobs(jobs), broker, keeper))
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
        states = Counter(job.standing().state for job in jobs)
        numbers = {str(state): states[state] for state in State}
        yield _labelled("jobs", "Jobs of the folder.", ("state",), numbers)
        yield from _progress(jobs)
        waiting = _waiting(self.broker, self.jobs.folder)
        yield _plain("broker_up", "Whether the broker answers.", waiting is not None)
        yield _labelled("queue_messages", "Messages that wait.", ("queue",), waiting or {})
        conductors = self.keeper.conductors()
        yield _plain("conductors", "Jobs that this worker carries out.", len(conductors))
        sizes = {role: rss(role[1]) for role in _roles(set(conductors.values()))}
        text = "Memory of this worker and what it started."
        yield _labelled("resident_bytes", text, ("role", "pid"), sizes)


def _progress(jobs: list[Job]) -> Iterator[Metric]:
    """Sums over the jobs of the folder, by what their conductors last wrote."""
    far = [(job, job.progress()) for job in jobs]
    images = sum(one.get("done") or 0 for job, one in far if job.verb == "generate")
    yield _plain("images", "Images made by jobs of `generate`, or under way.", images)
    active = [(job, one) for job, one in far if job.standing().state is State.RUNNING]
    workers = sum(one.get("workers") or 0 for _, one in active)
    yield _plain("processes_at_work", "Processes of all workers at jobs of the folder.", workers)
    in_flight = sum(one.get("in_flight") or 0 for _, one in active)
    yield _plain("payloads_in_flight", "Payloads sent and not reported.", in_flight)
    again, lost = (sum(one.get(name) or 0 for _, one in far) for name in ("again", "failures"))
    yield _plain("payloads_sent_again", "Payloads sent again, of all jobs.", again)
    yield _plain("payloads_given_up", "Payloads that failed for good, of all jobs.", lost)


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


def _plain(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"datagen_{name}", text, value=float(value))


def _labelled(name: str, text: str, labels: Sequence[str], values: Mapping[Any, float]) -> Metric:
    """One number for each key, which holds a value for every label."""
    family = GaugeMetricFamily(f"datagen_{name}", text, labels=labels)
    for key, value in values.items():
        family.add_metric([key] if isinstance(key, str) else [str(part) for part in key], value)
    return family


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
