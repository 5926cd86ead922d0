"""How a thing goes away for good: not while a job needs it, and whole or not at all."""

import os
import shutil
import uuid
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from datagen.errors import InputError
from datagen.files import is_locked
from datagen.jobs.ledger import Job, Jobs
from datagen.storage.address import quoted
from datagen.web.home import NotHere
from datagen.web.overview import Overview
from datagen.web.problems import Refused

_GONE = ".gone-"  # how the name of a folder begins that was put away


def refuse_used(overview: Overview, jobs: Jobs, path: Path) -> None:
    """Refused where a job that has not ended makes what lies there or reads it, or somebody else.

    What a job needs stands in its arguments: paths, percent-encoded or as they are.
    """
    places = {str(one) for one in (path, path.resolve())}
    places |= {quoted(Path(place)) for place in places}
    for job in overview.all():
        if job.state.is_final:
            continue
        needed = _needed(jobs.folder / job.id, job.created)
        if any(text == at or text.startswith(f"{at}/") for text in needed for at in places):
            raise Refused(
                409,
                f"job {job.id} needs {path.parent.name}/{path.name}, and is {job.state}; cancel it "
                "first, or wait for its end",
            )
    if path.is_dir() and is_locked(path):
        raise Refused(409, f"somebody is writing to {path.parent.name}/{path.name}; wait for it")


def put_away_unused(overview: Overview, jobs: Jobs, folder: Path) -> None:
    """Put away what no job needs that has not ended, by a look at the disk; else Refused."""
    overview.forget()
    refuse_used(overview, jobs, folder)
    put_away(folder)


def put_away(folder: Path) -> None:
    """It is there as a whole, or not at all; `sweep` then makes room on the disk. NotHere."""
    try:
        os.rename(folder, folder.with_name(f"{_GONE}{uuid.uuid4().hex}"))
    except FileNotFoundError as error:  # somebody else was faster
        raise NotHere(f"there is no {folder.parent.name}/{folder.name}") from error


def sweep(folder: Path) -> None:
    """Also what is left of one that was put away when the server ended."""
    for gone in folder.glob(f"{_GONE}*"):
        shutil.rmtree(gone, ignore_errors=True)


@lru_cache(maxsize=10_000)
def _needed(folder: Path, created: float) -> frozenset[str]:
    """Paths in the arguments of a job, which never change; another one of its id began later."""
    try:
        return frozenset(text for text in _texts(Job(folder).arguments) if text.startswith("/"))
    except InputError:  # removed meanwhile
        return frozenset()


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict | list):
        for inner in data.values() if isinstance(data, dict) else data:
            yield from _texts(inner)
