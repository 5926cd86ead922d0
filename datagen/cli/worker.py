"""datagen worker"""

import os
from pathlib import Path
from typing import Annotated

from typer import Context, Option

from datagen.cli.options import JobsFolder
from datagen.cli.queueing import jobs_folder
from datagen.errors import InputError
from datagen.jobs.station import DUTIES, Station, work

Broker = Annotated[
    str | None,
    Option(
        "--broker",
        metavar="URL",
        help="Redis; else DATAGEN_BROKER, or one of our own for this machine.",
    ),
]
Queues = Annotated[
    str, Option("--queues", metavar="NAME,...", help="What it does, of all that there is.")
]
Concurrency = Annotated[
    int | None,
    Option("--concurrency", min=1, max=256, help="Processes.", show_default="the CPU's cores"),
]
Metrics = Annotated[
    int | None,
    Option("--metrics", metavar="PORT", min=1, max=65535, help="Prometheus, on this machine only."),
]
ALL = ",".join(DUTIES)


def command(
    context: Context,
    broker: Broker = None,
    jobs: JobsFolder = None,
    queues: Queues = ALL,
    concurrency: Concurrency = None,
    metrics: Metrics = None,
) -> None:
    """Goes on until Ctrl-C or SIGTERM. Give a password by DATAGEN_BROKER: `ps` shows options."""
    cores = len(os.sched_getaffinity(0))
    station = Station(
        Path(os.path.abspath(jobs_folder(jobs))),
        broker,
        _duties(queues),
        concurrency or cores,
        metrics,
    )
    work(station, context.obj.say)


def _duties(text: str) -> tuple[str, ...]:
    given = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in given:
        if name not in DUTIES:
            raise InputError(f"--queues {text}: there is no `{name}`; known: {', '.join(DUTIES)}")
    if not given:
        raise InputError(f"--queues: name at least one of {', '.join(DUTIES)}")
    return tuple(dict.fromkeys(given))
