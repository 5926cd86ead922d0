"""Where `datagen jobs` finds jobs: in a folder, or at a server. Both are shown in one way."""

import time
from collections.abc import Callable
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from typer import Context

from datagen.cli import remote
from datagen.cli.queueing import again, finished, jobs_folder
from datagen.cli.screen import Screen
from datagen.errors import InputError
from datagen.jobs.following import Tail, lonely
from datagen.jobs.ledger import JOB_ID, Job, Jobs, State, one_of
from datagen.storage.address import Address, place_in

if TYPE_CHECKING:
    from datagen.client import Client
    from datagen.web import types

Shown = dict[str, Any]  # a job as --json shows it
_PAUSE = 0.2  # seconds between two looks


class Book(Protocol):
    """Jobs; `name` is an id, in full."""

    where: str  # "in FOLDER", or "at URL"

    def all(self) -> list[Shown]:
        """The oldest first."""
        ...

    def id_of(self, text: str) -> str:
        """The id that begins so; InputError where there is none, or several."""
        ...

    def get(self, name: str) -> Shown: ...

    def cancel(self, name: str) -> State:
        """How it stood before."""
        ...

    def retry(self, name: str) -> State:
        """How it stood before."""
        ...

    def remove(self, name: str) -> None: ...

    def log(self, name: str) -> list[str]: ...

    def follow_log(self, name: str, tell: Callable[[str], None]) -> None:
        """Tell each line that comes after what `log` gave, until the job's end."""
        ...

    def log_place(self, name: str) -> str:
        """Where to read it."""
        ...

    def waits(self, name: str) -> str | None:
        """What somebody must do before it can begin."""
        ...

    def follow(self, screen: Screen, job: Shown, *, as_json: bool) -> None:
        """Until its end, which is told as the command itself tells it."""
        ...

    def again(self, name: str, *words: str) -> str:
        """A command about it, ready to be typed."""
        ...


def book_of(context: Context, jobs: Path | None) -> Book:
    """The server's, where one is given, else that of the jobs folder."""
    client = remote.client_of(context)
    if client is None:
        return Folder(Jobs(jobs_folder(jobs)))
    if jobs is not None:
        raise InputError("--jobs is a folder here, and --server has its own: leave one out")
    return AtServer(client)


class Folder:
    """A jobs folder."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._tails: dict[str, Tail] = {}
        self.where = f"in {jobs.folder}"

    def all(self) -> list[Shown]:
        return [_described(job) for job in self._jobs.all()]

    def id_of(self, text: str) -> str:
        return self._jobs.find(text).id

    def get(self, name: str) -> Shown:
        return _described(self._job(name))

    def cancel(self, name: str) -> State:
        return self._job(name).cancel().state

    def retry(self, name: str) -> State:
        return self._job(name).retry().state

    def remove(self, name: str) -> None:
        self._jobs.remove(self._job(name))

    def log(self, name: str) -> list[str]:
        tail = self._tails[name] = Tail(self._job(name).log)
        return list(tail.lines())

    def follow_log(self, name: str, tell: Callable[[str], None]) -> None:
        while not self._job(name).standing().state.is_final:
            time.sleep(_PAUSE)
            for line in self._tails[name].lines():
                tell(line)

    def log_place(self, name: str) -> str:
        return str(self._job(name).log)

    def waits(self, name: str) -> str | None:
        return lonely(self._job(name))

    def follow(self, screen: Screen, job: Shown, *, as_json: bool) -> None:
        found = self._job(job["id"])
        report = finished(screen, found, whole=False)
        import_module(f"datagen.cli.{found.verb}").tell(screen, _out(found), as_json, report)

    def again(self, name: str, *words: str) -> str:
        return again(self._job(name), *words)

    def _job(self, name: str) -> Job:
        return Job(self._jobs.folder / name)


def _described(job: Job) -> Shown:
    about = {"id": job.id, "verb": job.verb, "out": str(_out(job)), "created": job.created}
    return about | {
        **vars(job.standing()),
        "broker": job.broker,
        "conducted": job.is_conducted(),
        "progress": job.progress(),
        "result": job.result(),
        "folder": str(job.folder),
    }


def _out(job: Job) -> Path | Address:
    return place_in(str(job.arguments.get("out", "")))


class AtServer:
    """A server's jobs; `out` is KIND/NAME there."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._told: dict[str, int] = {}  # lines of a log that were given
        self.where = f"at {client.url}"

    def all(self) -> list[Shown]:
        return [self._shown(job) for job in reversed(list(self._client.jobs()))]

    def id_of(self, text: str) -> str:
        if JOB_ID.fullmatch(text):
            return text
        where = f"{self.where}; `datagen jobs list` names all"
        return one_of(text, (job.id for job in self._client.jobs()), where)

    def get(self, name: str) -> Shown:
        return self._shown(self._client.job(name))

    def cancel(self, name: str) -> State:
        before = self._client.job(name).state
        self._client.cancel(name)
        return before

    def retry(self, name: str) -> State:
        before = self._client.job(name).state
        self._client.retry(name)
        return before

    def remove(self, name: str) -> None:
        self._client.remove(name)

    def log(self, name: str) -> list[str]:
        log = self._client.log(name)
        self._told[name] = log.left_out + len(log.lines)
        return log.lines

    def follow_log(self, name: str, tell: Callable[[str], None]) -> None:
        numbers = count(1)

        def said(line: str) -> None:
            if next(numbers) > self._told[name]:
                tell(line)

        for _ in self._client.follow(name, said=said):
            pass

    def log_place(self, name: str) -> str:
        return self.again(name, "logs")

    def waits(self, name: str) -> str | None:
        return None

    def follow(self, screen: Screen, job: Shown, *, as_json: bool) -> None:
        remote.follow(screen, self._client, job["id"], job["verb"], as_json=as_json)

    def again(self, name: str, *words: str) -> str:
        return remote.again(self._client, name, *words)

    def _shown(self, job: "types.Job") -> Shown:
        return {"id": job.id, "verb": job.verb, "out": job.makes} | job.model_dump(
            mode="json", exclude={"id", "verb", "makes"}
        )
