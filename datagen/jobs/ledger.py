"""The jobs folder: what was asked for, how far it is, and what came of it; the truth about jobs."""

import hashlib
import json
import os
import secrets
import shutil
import socket
import string
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from datagen.errors import BusyError, InputError
from datagen.files import disk_space, is_locked, locked, write_atomic
from datagen.jobs.batch import JOB_ID

ABOUT, STATE, PROGRESS = "job.json", "state.json", "progress.json"
RESULT, LOG = "result.json", "log.txt"
CANCEL = "CANCEL"  # there: the job is to stop
_REMOVED = ".removed"  # behind a dot and the id of a job that is on its way out
_DIGITS, _LENGTH = string.ascii_lowercase + string.digits, 12  # of an id


class State(StrEnum):
    """How a job stands; the first two are not the end of it."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    PARTIAL = "partial"
    PAUSED = "paused"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Nothing more happens by itself."""
        return self not in (State.QUEUED, State.RUNNING)


@dataclass(frozen=True)
class Standing:
    """What state.json holds."""

    state: State
    since: float  # seconds since 1970
    exit_code: int | None = None  # as the command without a queue would end
    error: str | None = None
    conductor: Mapping[str, Any] | None = None  # host and pid of who carries it out
    deaths: int = 0  # conductors that died since the job last got any further
    reached: int = 0  # how far it was when the last of them died


@dataclass(frozen=True)
class Job:
    """One job of the jobs folder. What was asked for never changes; all else is read anew."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def log(self) -> Path:
        return self.folder / LOG

    @cached_property
    def about(self) -> dict[str, Any]:
        """What job.json holds; InputError where it is damaged."""
        about = _read(self.folder / ABOUT)
        kinds = {"verb": str, "arguments": dict, "created": float, "broker": str | None}
        if not isinstance(about, dict) or not all(
            isinstance(about.get(name), kind) for name, kind in kinds.items()
        ):
            raise InputError(f"{self.folder / ABOUT}: is damaged; remove {self.folder}")
        return about

    @property
    def verb(self) -> str:
        return self.about["verb"]

    @property
    def arguments(self) -> dict[str, Any]:
        return self.about["arguments"]

    @property
    def broker(self) -> str | None:
        """Name of the broker whose workers shall do it; None: whoever attends the folder."""
        return self.about["broker"]

    @property
    def by(self) -> str | None:
        """Who asked a server for it; None where nobody had to say."""
        return self.about.get("by")

    @property
    def request(self) -> str | None:
        """Digest of what a server was asked for; None where no server was."""
        return self.about.get("request")

    @property
    def created(self) -> float:
        """Seconds since 1970."""
        return self.about["created"]

    def standing(self) -> Standing:
        data = _read(self.folder / STATE)
        try:
            return Standing(**{**(data or {}), "state": State((data or {})["state"])})
        except (LookupError, TypeError, ValueError):
            raise InputError(
                f"{self.folder / STATE}: is damaged; remove it and run "
                f"`datagen jobs retry {self.id}`"
            ) from None

    def written(self) -> int:
        """When the state was last replaced, ns; cheaper than to read it."""
        return os.stat(f"{self.folder}/{STATE}").st_mtime_ns  # to join paths costs more than this

    def progressed(self) -> int:
        """When the progress was last replaced, ns; 0 before it was written."""
        try:
            return os.stat(f"{self.folder}/{PROGRESS}").st_mtime_ns
        except FileNotFoundError:
            return 0

    def progress(self) -> dict[str, Any]:
        """What the conductor last wrote about it; nothing before that."""
        return _read(self.folder / PROGRESS) or {}

    def result(self) -> Any:
        """What the command prints with --json; None before its end."""
        return _read(self.folder / RESULT)

    def is_conducted(self) -> bool:
        """Whether a process carries it out right now."""
        return is_locked(self.folder)

    def is_cancelled(self) -> bool:
        """Whether somebody asked it to stop."""
        return (self.folder / CANCEL).exists()

    @contextmanager
    def held(self, patience: float = 1.0) -> Iterator[None]:
        """Hold the job for changing its state; BusyError when somebody else does.

        Patience, in seconds: who only looks whether it is held, holds it for a moment.
        """
        end = time.monotonic() + patience
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(locked(self.folder))
                    break
                except BusyError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.05)
            yield

    def write(self, standing: Standing) -> None:
        """Replace the state; for who holds the job."""
        write_atomic(self.folder / STATE, json.dumps(asdict(standing)))

    def write_progress(self, progress: Mapping[str, Any]) -> None:
        write_atomic(self.folder / PROGRESS, json.dumps(progress, allow_nan=False))

    def write_result(self, result: Any) -> None:
        write_atomic(self.folder / RESULT, json.dumps(result, indent=1, allow_nan=False))

    def cancel(self) -> Standing:
        """Ask it to stop; one that nobody carries out stops at once. Gives how it stood before."""
        before = self.standing()
        if before.state.is_final:
            return before
        (self.folder / CANCEL).touch()
        try:
            with self.held(patience=0.2):
                now = self.standing()
                if not now.state.is_final:
                    self.write(ended(now, State.CANCELLED, exit_code=1, error="it was cancelled"))
        except BusyError:
            pass  # its conductor looks for the file
        return before

    def retry(self) -> Standing:
        """Queue it again where it ended without being done. Gives how it stood before."""
        before = self._stood()
        if before.state.is_final:  # else its conductor may hold it, for hours
            with self.held():
                before = self._stood()
                if before.state.is_final and before.state is not State.DONE:
                    (self.folder / CANCEL).unlink(missing_ok=True)
                    self.write(_new(State.QUEUED))
        elif self.is_cancelled():
            raise InputError(f"job {self.id} is about to stop; wait for its end, and retry it then")
        return before

    def _stood(self) -> Standing:
        """How it stands; without a state, which somebody has removed, it counts as failed."""
        return self.standing() if (self.folder / STATE).exists() else _new(State.FAILED)

    def refuse_unended(self) -> None:
        """InputError where it has not ended."""
        state = self.standing().state
        if not state.is_final:
            raise InputError(
                f"job {self.id} is {state}; stop it first, and wait for its end: "
                f"`datagen jobs cancel {self.id}`"
            )


@dataclass(frozen=True)
class Jobs:
    """The folder of all jobs, which clients and workers share."""

    folder: Path

    def make(
        self,
        verb: str,
        arguments: Mapping[str, Any],
        broker: str | None,
        *,
        name: str | None = None,
        by: str | None = None,
        request: str | None = None,
    ) -> Job:
        """A new job, queued; `broker` is a name without a password.

        `name` is its id, else one that is drawn. BusyError where there is a job of this id: of two
        who make it at once, one does.
        """
        job = Job(self.folder / (name or drawn_id()))
        about = {"id": job.id, "verb": verb, "arguments": dict(arguments)}
        about |= {"by": by, "request": request} if request is not None else {}
        # By rename: a worker sees the whole job or none.
        aside = self.folder / f".{job.id}.{secrets.token_hex(4)}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with disk_space(self.folder):
                aside.mkdir()
                new = Job(aside)
                write_atomic(
                    aside / ABOUT, json.dumps(about | {"created": time.time(), "broker": broker})
                )
                new.write(_new(State.QUEUED))
                os.rename(aside, job.folder)
        except OSError as error:
            if job.folder.exists():
                raise BusyError(f"there is a job {job.id} already") from error
            raise InputError(f"{self.folder}: cannot write here ({error.strerror})") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return job

    def find(self, text: str) -> Job:
        """The job whose id begins with `text`; InputError when there is none, or several."""
        where = f"in {self.folder}; `datagen jobs list` names all, and --jobs names another folder"
        return Job(self.folder / one_of(text, self.ids(), where))

    def ids(self) -> list[str]:
        """Of all jobs, in no order."""
        try:
            with os.scandir(self.folder) as entries:
                return [e.name for e in entries if JOB_ID.fullmatch(e.name) and e.is_dir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{self.folder}: cannot read it ({error.strerror})") from error

    def all(self) -> list[Job]:
        """Every job that can be read, the oldest first."""
        jobs = [job for job in map(self._sound, self.ids()) if job is not None]
        return sorted(jobs, key=lambda job: (job.created, job.id))

    def unfinished(self) -> list[Job]:
        """Those that are not at their end, the oldest first."""
        return [job for job in self.all() if not job.standing().state.is_final]

    def remove(self, job: Job) -> None:
        """Forget a job that has ended, and nothing that it wrote elsewhere; else InputError."""
        aside = self.folder / f".{job.id}{_REMOVED}"
        with job.held():
            job.refuse_unended()
            os.rename(job.folder, aside)  # it is there as a whole, or not at all
        for left in self.folder.glob(f".*{_REMOVED}"):  # also of who was killed meanwhile
            shutil.rmtree(left, ignore_errors=True)

    def _sound(self, name: str) -> Job | None:
        job = Job(self.folder / name)
        try:
            job.about  # noqa: B018  reads it
            job.standing()
        except InputError:
            return None
        return job


def one_of(text: str, ids: Iterable[str], where: str) -> str:
    """The id that begins with `text`; InputError where there is none `where`, or several."""
    found = sorted(name for name in ids if name.startswith(text)) if text else []
    if text in found:
        return text
    if not found:
        raise InputError(f"there is no job `{text[:40]}` {where}")
    if len(found) > 1:
        shown = ", ".join(found[:5])
        raise InputError(f"`{text}` fits {len(found)} jobs, such as {shown}; give more of the id")
    return found[0]


def ended(
    standing: Standing, state: State, *, exit_code: int = 0, error: str | None = None
) -> Standing:
    """How a job stands at its end."""
    return replace(
        standing,
        state=state,
        since=time.time(),
        exit_code=exit_code,
        error=error,
        conductor=None,
        deaths=0,
    )


def drawn_id() -> str:
    """Of a new job."""
    return "".join(secrets.choice(_DIGITS) for _ in range(_LENGTH))


def id_of(key: str) -> str:
    """The id of the job that was asked for with this key: the same for the same key."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest())
    return "".join(_DIGITS[number // len(_DIGITS) ** k % len(_DIGITS)] for k in range(_LENGTH))


def here() -> dict[str, Any]:
    """This process, as people who look for it need it."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


def _new(state: State) -> Standing:
    return Standing(state, time.time())


def _read(path: Path) -> Any:
    """JSON of a file that is whole or absent; None where it is absent, or no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
