"""The work `detect`: what a detector finds in a range of pictures, as a file published at once."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from datagen.dataset.store import Shard, read_json
from datagen.decoding import decode
from datagen.detecting.snapshot import Snapshot, snapshot
from datagen.detecting.teaching import looked_at
from datagen.digest import canonical
from datagen.errors import InputError
from datagen.files import write_atomic
from datagen.interfaces import Component, Find
from datagen.jobs.work import Payload, Run
from datagen.labelled import Detections, Picture
from datagen.storage.address import quoted, unquoted
from datagen.threads import one_thread

PICTURES = "pictures.json"  # in the folder of an evaluation: which to look at
SHARDS = "shards"


class DetectJob(Component):
    """Pictures `start` to `stop` - 1 of those that `out` lists. Paths are percent-encoded."""

    run: str  # a run of `train`, or a file of weights
    out: str
    start: int = Field(ge=0)
    stop: int = Field(ge=1)


def payloads(run: Path, out: Path, shards: Sequence[Shard]) -> list[Payload]:
    """A DetectJob for each shard, as plain data."""
    places = {"run": quoted(run.resolve()), "out": quoted(out.resolve())}
    return [{**places, "start": shard.start, "stop": shard.stop} for shard in shards]


def shard_file(out: Path, shard: Shard) -> Path:
    return out / SHARDS / f"{shard.name}.json"


@contextmanager
def detecting() -> Iterator[Run]:
    """Looks at pictures; the detector stays open while the jobs are of one."""
    with one_thread(), ExitStack() as stack:
        at_hand: dict[tuple[str, str], tuple[Find, list[Picture]]] = {}

        def run(payload: Payload, progress: Callable[[int], None]) -> dict[str, Any]:
            job = decode(DetectJob, payload, "job")
            out, shard = unquoted(job.out), Shard(job.start, job.stop)
            if shard_file(out, shard).is_file():
                return {"start": job.start, "stop": job.stop}
            key = job.run, job.out
            if key not in at_hand:
                stack.close()
                at_hand.clear()
                asked = snapshot(unquoted(job.run))
                pictures = listed(out, asked)
                at_hand[key] = stack.enter_context(asked.described.open()), pictures
            find, pictures = at_hand[key]
            if not job.start < job.stop <= len(pictures):
                raise InputError(f"job: {out} lists no pictures {job.start} to {job.stop - 1}")
            _publish(out, shard, find, pictures[job.start : job.stop], progress)
            return {"start": job.start, "stop": job.stop}

        yield run


def _publish(
    out: Path,
    shard: Shard,
    find: Find,
    pictures: Sequence[Picture],
    progress: Callable[[int], None],
) -> None:
    rows = []
    for picture, found in zip(pictures, looked_at(find, pictures), strict=True):
        rows.append(as_json(picture.name, found))
        progress(len(rows))
    file = shard_file(out, shard)
    file.parent.mkdir(exist_ok=True)
    write_atomic(file, canonical(rows) + b"\n")


def as_json(name: str, found: Detections) -> dict[str, Any]:
    """What is found in one picture, as detections.json holds it; no bit of a number is lost."""
    return {
        "name": name,
        "boxes": exact(found.boxes),
        "scores": exact(found.scores),
        "categories": found.categories.tolist(),
        "masks": None if found.masks is None else [dict(mask) for mask in found.masks],
    }


def exact(values: np.ndarray) -> list[Any]:
    """float32 of any shape, as the shortest decimals that are the same float32."""
    if values.ndim > 1:
        return [exact(row) for row in values]
    return [float(str(value)) for value in values.astype(np.float32)]


def list_pictures(out: Path, pictures: Sequence[Picture], facts: dict[str, Any]) -> None:
    """Write down what is to be looked at, with `facts` of what decides what is found."""
    rows = [[one.name, quoted(one.file.resolve()), one.width, one.height] for one in pictures]
    write_atomic(out / PICTURES, json.dumps({**facts, "pictures": rows}))


def listed(out: Path, asked: Snapshot) -> list[Picture]:
    """The pictures of `list_pictures`, without what is known of them, for the same weights."""
    data = read_json(out / PICTURES)
    if data.get("weights") != asked.digest:
        raise InputError(f"{asked.file}: has changed meanwhile; evaluate it when its training ends")
    rows = data.get("pictures")
    try:
        return [Picture(str(n), unquoted(f), int(w), int(h), ()) for n, f, w, h in rows or ()]
    except (TypeError, ValueError) as error:
        raise InputError(f"{out / PICTURES}: is no list of pictures; name a new folder") from error
