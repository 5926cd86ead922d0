"""How many requests there were and how long they took, for Prometheus."""

import time
from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds, at most


class Traffic:
    """Counts of this process; only the thread of the event loop changes them."""

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, str]] = Counter()  # (method, status)
        self._within: Counter[float] = Counter()
        self._seconds = 0.0

    def note(self, method: str, status: int, seconds: float) -> None:
        """One answer, which began so long after its request."""
        self._answers[method, str(status)] += 1
        self._within[next((b for b in _BUCKETS if seconds <= b), float("inf"))] += 1
        self._seconds += seconds

    def collect(self) -> Iterable[Metric]:
        """As Prometheus wants them: buckets hold all that was at most so slow."""
        text = "Answers of this server."
        answers = CounterMetricFamily("datagen_http_requests", text, labels=("method", "status"))
        for key, number in sorted(self._answers.items()):
            answers.add_metric(key, number)
        yield answers
        times = HistogramMetricFamily("datagen_http_seconds", "Until an answer begins.")
        rising = [(b, sum(n for k, n in self._within.items() if k <= b)) for b in _BUCKETS]
        buckets = [(f"{b:g}", float(n)) for b, n in rising]
        buckets.append(("+Inf", float(sum(self._within.values()))))
        times.add_metric((), buckets, self._seconds)
        yield times


class Counted:
    """ASGI middleware that notes every answer, those of the guard included."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app, self._traffic = app, traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A stranger may send any word as a method: unknown ones share one label.
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._traffic.note(method, message["status"], time.monotonic() - began)
            await send(message)

        await self._app(scope, receive, noted)


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
