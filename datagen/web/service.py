"""What all requests share: the folders, the jobs in memory, and who does the work."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from weakref import WeakValueDictionary

from fastapi import Depends, Request

from datagen.errors import InputError
from datagen.jobs.broker import Broker
from datagen.jobs.conducted import CONTROL, TRAIN
from datagen.jobs.keeper import Keeper
from datagen.jobs.ledger import Jobs
from datagen.settings.serve import Quota, Serve
from datagen.web.clerk import Clerks
from datagen.web.home import Home
from datagen.web.overview import Overview
from datagen.web.problems import Refused
from datagen.web.types import AnyOrder
from datagen.web.uploads import Albums


@dataclass
class Service:
    """What all requests share."""

    settings: Serve
    home: Home
    broker: Broker | None
    jobs: Jobs
    overview: Overview
    clerks: Clerks
    keeper: Keeper | None  # None: others attend the jobs folder
    albums: Albums
    checks: Counter[str] = field(default_factory=Counter)  # and previews under way, by who asked
    orders: list[tuple[str, AnyOrder]] = field(default_factory=list)  # by whom; not yet jobs
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def turn(self, name: str) -> asyncio.Lock:
        """Whoever holds it is alone with this name, in this process."""
        return self._turns.setdefault(name, asyncio.Lock())

    def quota(self, by: str) -> Quota:
        """Of who asks, by the name of the token."""
        tokens = self.settings.tokens
        return tokens[by].quota if by in tokens else self.settings.quota

    @contextmanager
    def checking(self, by: str) -> Iterator[None]:
        """One of the checks and previews that somebody may have under way at once; else Refused."""
        most = self.quota(by).previews
        if self.checks[by] >= most:
            raise Refused(
                429,
                f"{most} of your checks and previews are under way, and no more may; wait for one",
                **{"Retry-After": "2"},
            )
        self.checks[by] += 1
        try:
            yield
        finally:
            self.checks[by] -= 1

    async def errand(self, what: str, asked: Any, seconds: float | None = None) -> Any:
        """Let a clerk do it (datagen.web.errands); its error is raised here."""
        home = {"home": str(self.home.folder), "jobs": str(self.home.jobs)}
        shared = {name: str(path) for name, path in self.home.shared.items()}
        return await self.clerks.run(
            {**home, "shared": shared, "what": what, "asked": asked}, seconds
        )


def service_of(request: Request) -> Service:
    """The service of the app that answers a request."""
    return request.app.state.service


def asker(request: Request) -> str:
    """Name of the token that a request came with; "" where none is needed."""
    return request.state.by or ""


Here = Annotated[Service, Depends(service_of)]
By = Annotated[str, Depends(asker)]


def make_service(settings: Serve, broker: Broker | None) -> Service:
    """InputError for a folder that cannot be used."""
    folder = Path(os.path.abspath(settings.home))
    jobs = Path(os.path.abspath(settings.jobs)) if settings.jobs else folder / "jobs"
    home = Home(folder, jobs, {name: _target(name, at) for name, at in settings.targets.items()})
    home.prepare()
    workers = len(os.sched_getaffinity(0)) if settings.workers is None else settings.workers
    keeper = None
    if broker is None and workers:
        keeper = Keeper(jobs, broker="", name="", duties=(CONTROL, TRAIN), processes=workers)
    ledger = Jobs(jobs)
    clerks = Clerks(2, settings.limits.preview, settings.limits.memory)
    albums = Albums(home, settings.limits)
    return Service(settings, home, broker, ledger, Overview(ledger, home), clerks, keeper, albums)


def _target(name: str, at: str) -> Path:
    path = Path(os.path.abspath(os.path.expanduser(at)))
    if not path.is_dir():
        raise InputError(f"targets.{name}: there is no folder {path}")
    return path
