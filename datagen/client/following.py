"""A job until its end, by server-sent events; where they do not come through, by asking."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2

from datagen.client.wire import Lost, Wire
from datagen.web import types

Said = Callable[[str], object]

_QUIET = 45.0  # seconds; the server sends something every 15
_PAUSE = 1.0  # seconds between two questions, or two streams


def follow(wire: Wire, place: str, said: Said) -> Iterator[types.Job]:
    """The job whenever it has changed, at its end with its result; `said` gets its log."""
    log = _Log(said)
    told: types.Job | None = None
    streams = True
    while True:
        if streams:
            try:
                for job in _streamed(wire, f"{place}/events", log):
                    if job != told and not job.state.is_final:
                        told = job
                        yield job
            except Lost as lost:
                # Not even a sign of life comes: something on the way holds it up.
                streams = not isinstance(lost.__cause__, httpx2.ReadTimeout)
        job = wire.one(types.Job, "GET", place)
        if job.state.is_final or not streams:
            log.has(wire.one(types.Log, "GET", f"{place}/log"))
        if job != told:
            told = job
            yield job
        if job.state.is_final:
            return
        time.sleep(_PAUSE)


def _streamed(wire: Wire, place: str, log: "_Log") -> Iterator[types.Job]:
    """The jobs of a stream, which begins with how it stands and with the first line of its log."""
    with wire.stream(place, {"Accept": "text/event-stream"}, quiet=_QUIET) as answer:
        log.begins()
        for event, data in _events(answer.iter_lines()):
            if event == "log":
                log.heard(data)
            elif event == "job":
                yield types.Job.model_validate(data, extra="ignore")


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """(event, data) as in the living standard of HTML; the data are JSON."""
    event, data = "message", ""
    for line in lines:
        field, _, value = line.partition(":")
        if field == "event":
            event = value.strip()
        elif field == "data":
            data += value.strip()
        elif not line and data:
            yield event, json.loads(data)
            event, data = "message", ""


class _Log:
    """Each line once, though every stream begins with the first one."""

    def __init__(self, said: Said) -> None:
        self._said = said
        self._told, self._at = 0, 0  # lines: of the log, and of this stream

    def begins(self) -> None:
        """Another stream."""
        self._at = 0

    def heard(self, line: str) -> None:
        """The next line of the stream."""
        self._at += 1
        if self._at > self._told:
            self._told = self._at
            self._said(line)

    def has(self, log: types.Log) -> None:
        """What it holds so far."""
        self._at = log.left_out
        for line in log.lines:
            self.heard(line)
