"""Numbers of jobs in the form that Prometheus reads, for workers and for servers."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from datagen.errors import MissingError
from datagen.jobs.ledger import Job, State

try:
    from prometheus_client import CollectorRegistry as CollectorRegistry
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.core import Metric as Metric
    from prometheus_client.registry import Collector as Collector
except ModuleNotFoundError as error:
    raise MissingError(
        "metrics need the package prometheus-client: pip install 'datagen[metrics]'"
    ) from error


def of_jobs(jobs: Sequence[Job]) -> Iterator[Metric]:
    """How many stand how, and sums over them, by what their conductors last wrote."""
    states = Counter(job.standing().state for job in jobs)
    numbers = {str(state): states[state] for state in State}
    yield labelled("jobs", "Jobs of the folder.", ("state",), numbers)
    far = [(job, job.progress()) for job in jobs]
    images = sum(one.get("done") or 0 for job, one in far if job.verb == "generate")
    yield plain("images", "Images made by jobs of `generate`, or under way.", images)
    active = [(job, one) for job, one in far if job.standing().state is State.RUNNING]
    workers = sum(one.get("workers") or 0 for _, one in active)
    yield plain("processes_at_work", "Processes of all workers at jobs of the folder.", workers)
    in_flight = sum(one.get("in_flight") or 0 for _, one in active)
    yield plain("payloads_in_flight", "Payloads sent and not reported.", in_flight)
    again, lost = (sum(one.get(name) or 0 for _, one in far) for name in ("again", "failures"))
    yield plain("payloads_sent_again", "Payloads sent again, of all jobs.", again)
    yield plain("payloads_given_up", "Payloads that failed for good, of all jobs.", lost)


def plain(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"datagen_{name}", text, value=float(value))


def labelled(name: str, text: str, labels: Sequence[str], values: Mapping[Any, float]) -> Metric:
    """One number for each key, which holds a value for every label."""
    family = GaugeMetricFamily(f"datagen_{name}", text, labels=labels)
    for key, value in values.items():
        family.add_metric([key] if isinstance(key, str) else [str(part) for part in key], value)
    return family
