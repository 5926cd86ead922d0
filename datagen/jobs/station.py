"""What `datagen worker` does: it attends a jobs folder with processes and conductors."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from datagen.files import make_folder
from datagen.jobs.broker import Broker, chosen
from datagen.jobs.conducted import CONTROL, TRAIN
from datagen.jobs.keeper import Keeper
from datagen.jobs.stopping import stoppable
from datagen.jobs.work import QUEUES

DUTIES = (*QUEUES, TRAIN, CONTROL)


@dataclass(frozen=True)
class Station:
    """What one worker attends."""

    jobs: Path
    broker: str | None  # URL; None: that of the environment, or a Redis of our own
    duties: Sequence[str]
    concurrency: int  # processes for the queues
    metrics: int | None = None  # port for Prometheus


def work(station: Station, say: Callable[[str], None]) -> None:
    """Work until SIGTERM or SIGINT; then let what is under way come to its end.

    InputError for a broker that refuses us, MissingError for what is not installed, DatagenError
    where Celery cannot go on.
    """
    queues = [name for name in station.duties if name in QUEUES]
    make_folder(station.jobs)
    with ExitStack() as stack:
        stack.enter_context(_logging(say))
        stack.enter_context(stoppable())
        broker = stack.enter_context(_broker(station, say))
        keeper = Keeper(
            station.jobs,
            broker=broker.url,
            name=broker.name,
            duties=station.duties,
            processes=station.concurrency if queues else 0,
        )
        if station.metrics is not None:
            from datagen.jobs.metrics import served

            stack.enter_context(served(station.metrics, station.jobs, broker, keeper))
        for line in _told(station, broker, queues):
            say(line)
        stack.callback(say, "stopped; unfinished jobs wait for another worker")
        keeper.start()
        stack.callback(keeper.stop)
        if queues:
            from datagen.jobs.celery import serve  # slow to import

            # Of root we speak ourselves, in one line.
            warnings.filterwarnings("ignore", "You're running the worker with superuser")
            serve(broker.url, station.jobs, queues, station.concurrency)
        else:
            Event().wait()


def _told(station: Station, broker: Broker, queues: Sequence[str]) -> Iterator[str]:
    """What this worker attends, for people."""
    yield f"jobs folder  {station.jobs}"
    yield f"broker       {broker.name}"
    number = f"{', '.join(queues)}, {station.concurrency} processes" if queues else "none"
    yield f"queues       {number}"
    duties = [name for name in station.duties if name not in QUEUES]
    yield f"conducts     {_jobs(duties)}"
    if station.metrics is not None:
        yield f"metrics      http://127.0.0.1:{station.metrics}/metrics"
    if broker.danger is not None:
        yield f"warning: {broker.danger}"
    if os.geteuid() == 0:
        yield "warning: this is root; a user with fewer rights does as well"
    yield "Ctrl-C ends it when what is under way is done"


def _jobs(duties: Sequence[str]) -> str:
    kinds = {CONTROL: "generate, evaluate and learn", TRAIN: "train, one at a time"}
    return "; ".join(kinds[name] for name in (CONTROL, TRAIN) if name in duties) or "no jobs"


@contextmanager
def _broker(station: Station, say: Callable[[str], None]) -> Iterator[Broker]:
    broker = chosen(station.broker)
    if broker is None:
        from datagen.jobs.embedded import embedded_broker

        with embedded_broker(station.jobs, say) as url:
            yield Broker(url)
    else:
        broker.answers()  # a refusal is told before anything begins
        yield broker


@contextmanager
def _logging(say: Callable[[str], None]) -> Iterator[None]:
    """What the parts of a worker log, for the person who started it."""
    handler = _Told(say)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    root, ours = logging.getLogger(), logging.getLogger("datagen")
    before = ours.level
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.setLevel(before)
        root.removeHandler(handler)


class _Told(logging.Handler):
    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(self.format(record))
