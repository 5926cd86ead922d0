"""What a dataset holds of each image, read one by one: no file is in memory, however large."""

import json
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

from datagen.dataset import store
from datagen.dataset.store import Shard
from datagen.errors import InputError
from datagen.web.problems import Refused

_SHARD_SIZE = 10_000  # the most images that a recipe may have in one shard


class Stamp(NamedTuple):
    """Tells a file from one that took its place."""

    inode: int
    written: int  # ns
    size: int  # bytes


@dataclass(frozen=True)
class Row:
    """What a published shard holds of one image; parsed when it is asked for."""

    folder: Path  # the dataset's
    shard: Shard
    index: int
    record_line: bytes
    scene_line: bytes  # an empty object where it was not read

    @property
    def size(self) -> int:
        """Bytes that were read."""
        return len(self.record_line) + len(self.scene_line)

    @cached_property
    def record(self) -> dict[str, Any]:
        """Refused where it is none of this image."""
        where = self._where("records.jsonl")
        found = _object(self.folder, where, self.record_line)
        if found.get("index") != self.index:
            raise damaged(self.folder, where, f"is not of image {self.index}")
        return found

    @cached_property
    def scene(self) -> Any:
        """As scenes.jsonl has it; None where the image was drawn from none."""
        return _object(self.folder, self._where("scenes.jsonl"), self.scene_line).get("scene")

    def _where(self, name: str) -> str:
        return f"{self.shard.place}/{name}, line {self.index - self.shard.start + 1},"


def stamp_of(path: Path) -> Stamp:
    """OSError where there is no such file."""
    status = path.stat()
    return Stamp(status.st_ino, status.st_mtime_ns, status.st_size)


def damaged(folder: Path, place: str, why: str) -> Refused:
    """What to say of a file of a dataset that cannot be used; names no path of this machine."""
    return Refused(
        409,
        f"dataset `{folder.name}` is damaged: {place} {why}; "
        f"POST /api/v1/datasets/{folder.name}/verify lists what is broken",
    )


def inside(folder: Path, name: str) -> Path:
    """A file of the dataset `folder`, by its name there; Refused where there is none inside."""
    try:
        return store.inside(folder, name)
    except InputError as error:
        raise damaged(folder, f"{name[:80]!a}", "is no file inside of it") from error


def published(folder: Path) -> list[Shard]:
    """Shards that are there, by rising index, finished or not."""
    try:
        with os.scandir(folder / "shards") as entries:
            found = [_shard_called(entry.name) for entry in entries]
    except OSError:
        return []
    return sorted((one for one in found if one is not None), key=lambda shard: shard.start)


def _shard_called(name: str) -> Shard | None:
    start, _, stop = name.partition("-")
    if not (start.isdecimal() and stop.isdecimal()):
        return None
    return Shard(int(start), int(stop))


def rows(folder: Path, shard: Shard, start: int, *, scenes: bool) -> Iterator[Row]:
    """Of the images from `start` on, of a published shard; Refused where it is damaged."""
    records = _lines(folder, shard, "records.jsonl", start)
    drawn = _lines(folder, shard, "scenes.jsonl", start) if scenes else repeat(b"{}")
    for index in range(start, shard.stop):
        yield Row(folder, shard, index, next(records), next(drawn))


def counts(folder: Path, shard: Shard) -> dict[str, Any]:
    """Category -> labelled things in a published shard."""
    where = f"{shard.place}/shard.json"
    found = _object(folder, where, inside(folder, where).read_bytes()).get("categories")
    if not isinstance(found, dict):
        raise damaged(folder, where, "counts no categories")
    return found


def _lines(folder: Path, shard: Shard, name: str, start: int) -> Iterator[bytes]:
    """Lines of a file with one for each image of the shard, from image `start` on."""
    place = f"{shard.place}/{name}"
    path = inside(folder, place)
    begins = _begins(path, stamp_of(path))
    if len(begins) != len(shard) + 1:
        raise damaged(folder, place, f"has not {len(shard)} lines")
    with path.open("rb") as file:
        file.seek(begins[start - shard.start])
        yield from file


@lru_cache(maxsize=64)
def _begins(path: Path, stamp: Stamp) -> "array[int]":
    """Where each line of a file begins, and where the last one ends; the stamp is its own."""
    found = array("q", [0])
    with path.open("rb") as file:
        for line in file:
            found.append(found[-1] + len(line))
            if len(found) > _SHARD_SIZE + 1:
                break
    return found


def _object(folder: Path, where: str, text: bytes) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(folder, where, "is not valid JSON") from error
    if not isinstance(data, dict):
        raise damaged(folder, where, "is no JSON object")
    return data
