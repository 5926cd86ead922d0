"""What Prometheus reads of a server and of the jobs folder."""

from collections.abc import Iterable

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from datagen.jobs.gauges import Collector, CollectorRegistry, Metric, of_jobs, plain
from datagen.web.service import Here, Service
from datagen.web.traffic import Traffic

router = APIRouter(tags=["health"])


class _Collector(Collector):
    """Reads the folder whenever it is asked."""

    def __init__(self, service: Service, traffic: Traffic) -> None:
        self._service, self._traffic = service, traffic

    def describe(self) -> Iterable[Metric]:
        return ()  # else it would be asked while it is registered

    def collect(self) -> Iterable[Metric]:
        yield from of_jobs(self._service.jobs.all())
        yield from self._traffic.collect()
        keeper = self._service.keeper
        if keeper is not None:
            text = "Jobs that this server carries out."
            yield plain("conductors", text, len(keeper.conductors()))


@router.get("/metrics", response_class=Response)
def metrics(service: Here, request: Request) -> Response:
    """In Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Collector(service, request.app.state.traffic))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
