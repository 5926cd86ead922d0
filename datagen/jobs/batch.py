"""The files of one run of the executor `Queue`: what is to be done, who is at it, what came of it.

JOBS/<job>/batches/last         the number of the newest batch; none is ever used twice
JOBS/<job>/batches/<number>/
    batch.json                  work and number of payloads; last, so that it vouches for the rest
    payloads.jsonl, offsets     one payload a line, and where each line begins, 8 bytes each
    attempts/<k>.<uuid>         somebody is at payload k, or died at it; see datagen.jobs.markers
    reports/<k>.json            what came of it; the conductor takes it away
    given_up/<k>                nobody shall begin it any more
    CLOSED                      nothing more is wanted of this batch
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.errors import InputError
from datagen.files import disk_space, sync, write_atomic

JOB_ID = re.compile(r"[a-z0-9]{12}")
CANCEL = "CANCEL"  # in the job's folder: the job is to stop
_CLOSED = "CLOSED"
_MOST = 10**9  # batches of a job, payloads of a batch
_OFFSET = struct.Struct("<Q")
_PROBE = bytes(4096)


def folder_of(jobs: Path, job: object, batch: object = None) -> Path:
    """Where a job lies, or one of its batches; InputError for what is no id or no number.

    What is given may come from a queue that others can write to.
    """
    if not isinstance(job, str) or not JOB_ID.fullmatch(job):
        raise InputError(f"{str(job)[:40]!r} is no job: ids have 12 letters a to z and digits")
    if batch is None:
        return jobs / job
    return jobs / job / "batches" / str(_number(batch, "batch"))


def _number(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MOST:
        raise InputError(f"{str(value)[:40]!r} is no number of a {name}")
    return value


@dataclass(frozen=True)
class Batch:
    """One run of a work over many payloads. `folder` is JOBS/<job>/batches/<number>."""

    folder: Path
    work: str
    count: int
    session: str = ""  # batches of one are sure to find the same files where they look

    @property
    def number(self) -> int:
        return int(self.folder.name)

    @property
    def attempts(self) -> Path:
        return self.folder / "attempts"

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def index(self, value: object) -> int:
        """`value` as the number of a payload; InputError when it is none."""
        if _number(value, "payload") >= self.count:
            raise InputError(f"batch {self.number} has {self.count} payloads, and no {value}")
        return _number(value, "payload")

    def payload(self, index: int) -> dict[str, Any]:
        """One payload; the others are not read."""
        with (self.folder / "offsets").open("rb") as offsets:
            offsets.seek(index * _OFFSET.size)
            (start,) = _OFFSET.unpack(offsets.read(_OFFSET.size))
        with (self.folder / "payloads.jsonl").open("rb") as payloads:
            payloads.seek(start)
            return json.loads(payloads.readline())

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for what comes of it: neither closed, gone nor cancelled."""
        gone = (self.folder / _CLOSED).exists() or not (self.folder / "batch.json").exists()
        return not gone and not self.is_cancelled

    @property
    def is_cancelled(self) -> bool:
        return (self.folder.parents[1] / CANCEL).exists()

    def is_given_up(self, index: int) -> bool:
        return (self.folder / "given_up" / str(index)).exists()

    def give_up(self, index: int) -> None:
        (self.folder / "given_up" / str(index)).touch()

    def has_report(self, index: int) -> bool:
        return (self.reports / f"{index}.json").exists()

    def report(self, index: int, report: dict[str, Any]) -> None:
        """Put what came of a payload where the conductor finds it, whole."""
        # Not `write_atomic`: two machines can have the same process id.
        aside = self.reports / f".{index}.{secrets.token_hex(8)}"
        with disk_space(self.folder):
            try:
                aside.write_text(json.dumps(report))
                os.replace(aside, self.reports / f"{index}.json")
            finally:
                aside.unlink(missing_ok=True)

    def reported(self) -> Iterator[int]:
        """Payloads whose reports are there, in no order."""
        with os.scandir(self.reports) as entries:
            for entry in entries:
                stem, dot, ending = entry.name.partition(".")
                if dot and ending == "json" and stem.isascii() and stem.isdigit():
                    yield int(stem)

    def take_report(self, index: int) -> dict[str, Any] | None:
        """A report, which is gone then; None for what is no report: a disk can lose power."""
        path = self.reports / f"{index}.json"
        try:
            report = json.loads(path.read_bytes())
        except (OSError, ValueError):
            report = None
        path.unlink(missing_ok=True)
        sound = isinstance(report, dict) and (report.keys() & {"result", "error"})
        return report if sound else None

    def check_room(self) -> None:
        """DiskFullError when the disk takes no more: sending work again would not help."""
        probe = self.folder / f".room.{secrets.token_hex(8)}"
        with disk_space(self.folder):
            try:
                probe.write_bytes(_PROBE)
            finally:
                probe.unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing more is wanted. Who is at it still sees that its folder is gone, and stops."""
        with contextlib.suppress(OSError):
            (self.folder / _CLOSED).touch()
        shutil.rmtree(self.folder, ignore_errors=True)


def begin(
    jobs: Path, job: str, work: str, payloads: Sequence[dict[str, Any]], session: str = ""
) -> Batch:
    """A new batch of the job; those of conductors that died are closed."""
    home = folder_of(jobs, job) / "batches"
    with disk_space(jobs):
        home.mkdir(exist_ok=True)
        number = _next(home)
        for left in home.iterdir():
            if left.name.isdigit():
                Batch(left, "", 0).close()
        batch = Batch(home / str(number), work, len(payloads), session)
        for name in ("attempts", "reports", "given_up"):
            (batch.folder / name).mkdir(parents=True)
        _write_payloads(batch.folder, payloads)
        about = {"work": work, "count": batch.count, "session": session}
        write_atomic(batch.folder / "batch.json", json.dumps(about))
    return batch


def _next(home: Path) -> int:
    """The number of a new batch. A late report of an old one must never meet a new one."""
    try:
        last = int((home / "last").read_text())
    except (OSError, ValueError):
        last = 0
    there = [int(path.name) for path in home.iterdir() if path.name.isdigit()]
    number = max(last, *there, 0) + 1
    write_atomic(home / "last", str(number))
    return number


def _write_payloads(folder: Path, payloads: Sequence[dict[str, Any]]) -> None:
    with (
        (folder / "payloads.jsonl").open("wb") as lines,
        (folder / "offsets").open("wb") as offsets,
    ):
        for payload in payloads:
            offsets.write(_OFFSET.pack(lines.tell()))
            lines.write(json.dumps(payload).encode() + b"\n")
    sync(folder / "payloads.jsonl")
    sync(folder / "offsets")


def opened(jobs: Path, job: object, number: object) -> Batch:
    """A batch that is there; InputError when there is none."""
    folder = folder_of(jobs, job, number)
    try:
        about = json.loads((folder / "batch.json").read_bytes())
        work, count, session = about["work"], about["count"], about["session"]
        return Batch(folder, str(work), int(count), str(session))
    except (OSError, ValueError, LookupError, TypeError):
        raise InputError(f"job {job} has no batch {number}, or it is over") from None


def folder_id(jobs: Path) -> str:
    """The name of this jobs folder, the same for all who share it, wherever it is mounted.

    It keeps messages of several folders apart that use one Redis.
    """
    path = jobs / "id"
    for _ in range(2):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            name = path.read_text("ascii")
            if re.fullmatch(r"[0-9a-f]{12}", name):
                return name
        aside = jobs / f".id.{secrets.token_hex(8)}"
        try:
            jobs.mkdir(parents=True, exist_ok=True)
            with disk_space(jobs):
                aside.write_text(secrets.token_hex(6))
                with contextlib.suppress(FileExistsError):
                    os.link(aside, path)  # unlike a rename, it leaves alone what is there
        except OSError as error:
            raise InputError(f"{jobs}: cannot write here ({error.strerror})") from error
        finally:
            aside.unlink(missing_ok=True)
    raise InputError(f"{path}: holds no name of a jobs folder; remove it when no job is under way")
