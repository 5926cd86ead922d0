"""What is in a whole set of pictures, by one process or several; who works changes no byte."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen import __version__
from datagen.dataset import store
from datagen.dataset.store import Shard, read_json
from datagen.detecting.snapshot import Snapshot, snapshot
from datagen.detecting.work import PICTURES, list_pictures, payloads, shard_file
from datagen.errors import InputError
from datagen.files import atomic_file
from datagen.jobs.attempt import raised
from datagen.jobs.executors import Workers, hired
from datagen.labelled import Labelled
from datagen.progress import Advance
from datagen.reading import digest

FOUND = "detections.json"
_SHARD = 32  # pictures that are looked at as one piece of work


def detect(
    run: Path,
    labelled: Labelled,
    out: Path,
    workers: Workers = 1,
    progress: Advance = lambda done, total, words: None,
) -> Path:
    """Write OUT/detections.json: what the detector of `run` finds in the pictures.

    `run` is a run of `train`, or a file of weights. What is in `out` of the same is not made again.
    """
    asked = snapshot(run)
    _settle(asked, labelled, out)
    shards = store.shards_of(len(labelled.pictures), _SHARD)
    missing = [shard for shard in shards if not shard_file(out, shard).is_file()]
    meter = _Meter(len(labelled.pictures), sum(map(len, shards)) - sum(map(len, missing)), progress)
    asked_for = payloads(run, out, missing)
    with (
        hired(workers, meter).open("detect") as hands,
        closing(hands.run(asked_for)) as reports,
    ):
        for report in reports:
            if "error" in report:
                raise raised(report["error"])
            meter(report["payload"], report["payload"]["stop"] - report["payload"]["start"])
    return _joined(asked, out, shards)


@dataclass
class _Meter:
    """How many pictures are done, from what each shard says."""

    total: int
    before: int
    tell: Advance

    def __post_init__(self) -> None:
        self.done: dict[int, int] = {}  # shard's first picture -> pictures done

    def __call__(self, payload: dict[str, Any], done: int) -> None:
        self.done[payload["start"]] = done
        self.tell(self.before + sum(self.done.values()), self.total, "looking")


def _settle(asked: Snapshot, labelled: Labelled, out: Path) -> None:
    """The list of pictures that `out` holds is for the same detector and pictures, or is new."""
    facts = {"weights": asked.digest, "dataset": digest(labelled), "datagen": __version__}
    facts["detector"] = asked.described.model_dump(mode="json", exclude={"weights", "pretrained"})
    out.mkdir(parents=True, exist_ok=True)
    if (out / PICTURES).is_file():
        before = read_json(out / PICTURES)
        other = [key for key, value in facts.items() if before.get(key) != value]
        if other:
            raise InputError(
                f"{out}: holds what was found with another {' and another '.join(other)}; "
                "name a new folder"
            )
    list_pictures(out, labelled.pictures, facts)


def _joined(asked: Snapshot, out: Path, shards: Sequence[Shard]) -> Path:
    """One file of all shards, one picture a line."""
    path = out / FOUND
    with atomic_file(path) as file:
        head = json.dumps(list(asked.categories))
        file.write(f'{{"categories": {head},\n"pictures": ['.encode())
        for k, row in enumerate(_rows(out, shards)):
            file.write((",\n" if k else "\n").encode() + row)
        file.write(b"\n]}\n")
    return path


def _rows(out: Path, shards: Sequence[Shard]) -> Iterator[bytes]:
    for shard in shards:
        for row in json.loads(shard_file(out, shard).read_bytes()):
            yield json.dumps(row, separators=(",", ":")).encode()
