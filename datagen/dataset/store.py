"""The dataset folder: where things lie in it, and how a shard gets there whole or not at all.

recipe.json         first of all; versions.json, and the weights: generator.*, renderer-N.*
shards/A-B/         images A to B - 1, records.jsonl, scenes.jsonl, shard.json
annotations.json, scenes.jsonl, audit.json, README.md, manifest.json
_COMPLETE           last: the sha256 of the manifest
"""

import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from datagen.digest import canonical, of_bytes
from datagen.errors import DatagenError, InputError
from datagen.files import disk_space, sha256_of, sync, write_atomic

COMPLETE = "_COMPLETE"
LOCK = ".lock"
# Folders of a run under way; a finished dataset has none of them.
SCRATCH = ("tmp", "quarantine")


@dataclass(frozen=True)
class Shard:
    """Images `start` to `stop` - 1: the unit of work, of publishing and of repair."""

    start: int
    stop: int

    @property
    def name(self) -> str:
        return f"{self.start:08d}-{self.stop:08d}"

    @property
    def place(self) -> str:
        """Its folder relative to the dataset's."""
        return f"shards/{self.name}"

    def __len__(self) -> int:
        return self.stop - self.start


def shards_of(count: int, size: int) -> list[Shard]:
    return [Shard(start, min(start + size, count)) for start in range(0, count, size)]


def is_published(out: Path, shard: Shard) -> bool:
    return (out / shard.place / "shard.json").is_file()


def is_complete(out: Path) -> bool:
    """Whether the marker is there and vouches for the manifest that is there."""
    try:
        return (out / COMPLETE).read_text("ascii") == sha256_of(out / "manifest.json") + "\n"
    except (OSError, UnicodeDecodeError):
        return False


def is_as_listed(path: Path, entry: Mapping[str, Any]) -> bool:
    """Whether a file has the size and sha256 that a manifest's entry says."""
    return (
        path.is_file()
        and path.stat().st_size == entry["size"]
        and sha256_of(path) == entry["sha256"]
    )


def reopen(out: Path) -> None:
    """From now on the dataset counts as unfinished."""
    (out / COMPLETE).unlink(missing_ok=True)
    sync(out)


def summary(out: Path, shard: Shard) -> dict[str, Any]:
    """A published shard's shard.json."""
    return read_json(out / shard.place / "shard.json")


def read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: holds no JSON object")
    return data


def inside(folder: Path, name: str) -> Path:
    """A file of the dataset `folder`, by its name there; InputError where there is none.

    No name, whoever wrote it, leads out of the folder: not by `..`, and not by a link.
    """
    parts = name.split("/")
    place, mode = str(folder), 0
    try:
        for part in parts:
            place = f"{place}/{part}"
            mode = os.lstat(place).st_mode
            if part in ("", ".", "..") or stat.S_ISLNK(mode):
                raise InputError(f"{folder}: {name[:80]!a} is no file inside of it")
    except (OSError, ValueError) as error:  # a zero byte
        raise InputError(f"{folder}: has no file {name[:80]!a}") from error
    if not stat.S_ISREG(mode):
        raise InputError(f"{folder}: {name[:80]!a} is no file")
    return folder / name


def records(out: Path, shards: Sequence[Shard]) -> Iterator[dict[str, Any]]:
    """Every image's record by rising index; one is in memory at a time."""
    for shard in shards:
        path = out / shard.place / "records.jsonl"
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield _record(line, f"{path}, line {number}")


def _record(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid JSON ({error})") from error
    if not isinstance(record, dict) or not {"index", "image", "annotations"} <= record.keys():
        raise InputError(f"{where}: is no record of an image")
    return record


class ShardFolder:
    """A shard while it is written, in a private folder that no reader looks into."""

    def __init__(self, out: Path, shard: Shard) -> None:
        self.out, self.shard = out, shard
        # The name is this attempt's own: another attempt at the same shard does no harm.
        self.folder = out / "tmp" / f"{shard.name}.{uuid.uuid4().hex[:12]}"
        self.files: dict[str, dict[str, Any]] = {}

    @property
    def size(self) -> int:
        """Bytes so far."""
        return sum(entry["size"] for entry in self.files.values())

    def write(self, name: str, data: bytes) -> str:
        """A new file; its sha256."""
        with (self.folder / name).open("xb") as file:
            file.write(data)
        sha256 = of_bytes(data)
        self.files[name] = {"size": len(data), "sha256": sha256}
        return sha256

    def publish(self, facts: dict[str, Any]) -> None:
        """Make the shard durable, check what the disk holds, and show it with one rename."""
        self.close(facts)
        for name in self.files:
            sync(self.folder / name)
        self.check()
        sync(self.folder)
        target = self.out / self.shard.place
        try:
            os.rename(self.folder, target)
        except OSError:
            if not is_published(self.out, self.shard):
                raise
            self._compare(target)
        sync(target.parent)

    def close(self, facts: dict[str, Any]) -> None:
        """Write shard.json, with `facts` and all files that are there."""
        files = dict(sorted(self.files.items()))
        self.write("shard.json", canonical({**facts, "files": files}) + b"\n")

    def check(self) -> None:
        """Read everything back."""
        for name, entry in self.files.items():
            if sha256_of(self.folder / name) != entry["sha256"]:
                raise DatagenError(f"{self.folder / name} reads back other than it was written")

    def _compare(self, target: Path) -> None:
        """Another attempt was first: ours must be the same, or the fault is put on record."""
        ours, theirs = (
            (self.folder / "shard.json").read_bytes(),
            (target / "shard.json").read_bytes(),
        )
        if ours != theirs:
            folder = self.out / "nondeterminism"
            folder.mkdir(exist_ok=True)
            write_atomic(folder / f"{self.shard.name}.json", both_accounts(theirs, ours))


def both_accounts(published: bytes, dropped: bytes) -> bytes:
    """The record of a shard that came out differently: its two shard.json."""
    return canonical({"published": json.loads(published), "dropped": json.loads(dropped)})


class Shelf(Protocol):
    """Where published shards stand, and where they are written before that."""

    @property
    def folder(self) -> Path:
        """Of this machine: holds recipe.json, and shards while they are written."""
        ...

    @property
    def has_all(self) -> bool:
        """Whether published shards take up room in `folder`."""
        ...

    def holds(self, shard: Shard) -> bool: ...

    def publish(self, written: ShardFolder, facts: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class FolderShelf:
    """The dataset folder itself."""

    folder: Path
    has_all = True

    def holds(self, shard: Shard) -> bool:
        return is_published(self.folder, shard)

    def publish(self, written: ShardFolder, facts: dict[str, Any]) -> None:
        written.publish(facts)


@contextmanager
def shard_folder(out: Path, shard: Shard) -> Iterator[ShardFolder]:
    """A private folder that is gone afterwards, published or not."""
    attempt = ShardFolder(out, shard)
    with disk_space(out):
        try:
            (out / "tmp").mkdir(exist_ok=True)
            (out / "shards").mkdir(exist_ok=True)
            attempt.folder.mkdir()
            yield attempt
        finally:
            shutil.rmtree(attempt.folder, ignore_errors=True)


def first_unwritten(out: Path, shard: Shard, ending: str) -> int:
    """The image at which a dead attempt stopped, from the files it left behind."""
    index = shard.start
    for attempt in (out / "tmp").glob(f"{shard.name}.*"):
        written = {path.name for path in attempt.glob(f"*.{ending}")}
        missing = (i for i in range(shard.start, shard.stop) if f"{i:08d}.{ending}" not in written)
        index = max(index, next(missing, shard.stop - 1))
    return index


def sweep(out: Path) -> None:
    """Remove what runs that were killed have left behind; call it with the lock held."""
    for name in SCRATCH:
        shutil.rmtree(out / name, ignore_errors=True)
    for leftover in out.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
