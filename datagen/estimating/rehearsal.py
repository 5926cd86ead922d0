"""A dry run: a few of a recipe's images, written as `generate` writes them, and what they took."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from datagen.dataset import coco, store
from datagen.dataset.claim import claimed
from datagen.dataset.manifest import finish
from datagen.dataset.store import FolderShelf, Shard
from datagen.dataset.verify import read_recipe
from datagen.decoding import decode
from datagen.errors import DatagenError
from datagen.files import locked
from datagen.frames import Made, MakeFrame, opened
from datagen.interfaces import Component
from datagen.jobs.attempt import raised
from datagen.jobs.executors import Processes
from datagen.jobs.work import Payload, Run
from datagen.recipe import Recipe
from datagen.shards import make_shard
from datagen.storage.address import quoted, unquoted

PREFIX = "datagen-estimate-"  # of the temporary folder
LEAST = 2.0  # seconds of work that are timed: less says little on a machine with other work
_ENOUGH = 25  # times the images asked for, at most, until LEAST is over
_GOLDEN = (5**0.5 - 1) / 2
_FRESH = 60  # seconds in which a new folder may not be locked yet

Index = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Rehearsed:
    """What was measured. Seconds of one process, while `together` were at work."""

    together: int
    start: float  # seconds from asking for a process until it has its first image
    seconds: tuple[float, ...]  # for each image, with its share of publishing the shard
    joining: float  # seconds at the end that do not depend on the number of images
    joining_image: float  # and those for each image
    memory: int  # bytes that a process held at its peak
    size: float  # bytes on the disk for each image, with its labels, which are there twice
    kept: int  # and once for the dataset: recipe, weights


# ------------------------------------------------------------------------------ in a process


class Rehearsal(Component):
    """Images of the dataset begun in the folder `out`, to be written there as `first` and on."""

    out: str
    first: int = Field(ge=0)
    least: int = Field(ge=1)  # images; the others only while there is time
    images: tuple[Index, ...] = Field(min_length=1)


@contextmanager
def rehearsing() -> Iterator[Run]:
    """Makes a first image, which loads and compiles what later ones need, and times the others."""

    def run(payload: Payload, progress: Callable[[int], None]) -> dict[str, Any]:
        job = decode(Rehearsal, payload, "job")
        recipe = read_recipe(unquoted(job.out))
        with opened(recipe) as make_frame:
            make = _Making(recipe, make_frame, unquoted(job.out), job.first)
            make.shard(job.images[:1], progress)
            make.seconds.clear()
            while (done := len(make.seconds)) < len(job.images):
                make.shard(job.images[done : done + max(done, job.least)], progress)
                if sum(make.seconds) >= LEAST:
                    break
        shards = [[shard.start, shard.stop] for shard in make.shards]
        return {"seconds": make.seconds, "shards": shards, "memory": _peak()}

    yield run


class _Making:
    """Shards, one after the other, and the seconds of each image."""

    def __init__(self, recipe: Recipe, make_frame: MakeFrame, out: Path, first: int) -> None:
        self._recipe, self._make_frame, self._out = recipe, make_frame, out
        self._next = first
        self.shards: list[Shard] = []
        self.seconds: list[float] = []  # with its share of publishing the shard

    def shard(self, images: Sequence[int], progress: Callable[[int], None]) -> None:
        """A shard's images are neighbours; these are spread, and only their names are not."""
        shard = Shard(self._next, self._next + len(images))
        ticks, before = [time.monotonic()], len(self.seconds)

        def make(k: int) -> Made:
            return self._make_frame(images[k - shard.start])

        def tick(done: int) -> None:
            ticks.append(time.monotonic())
            progress(before + done)

        make_shard(self._recipe, make, FolderShelf(self._out), shard, 0, tick)
        share = (time.monotonic() - ticks[-1]) / len(images)
        self.seconds += [after - start + share for start, after in pairwise(ticks)]
        self.shards.append(shard)
        self._next = shard.stop


def _peak() -> int:
    """Bytes; getrusage would give those of the process that started this one, where it had more."""
    with open("/proc/self/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["VmHWM"].split()[0]) * 1024


# ---------------------------------------------------------------------------- from the outside


def rehearse(
    recipe: Recipe,
    images: int,
    together: int,
    out: Path | None,
    progress: Callable[[int, int], None],
) -> Rehearsed:
    """`together` processes at once make `images` images each or more, evenly over the dataset.

    They are written beside `out`, on the disk that the dataset is for, or where temporary files
    go, and removed.
    """
    together = min(together, recipe.count)
    chosen = spread(recipe.count, images * together * _ENOUGH)
    with _scratch(out) as folder, claimed(recipe, folder, resume=False) as held:
        payloads = []
        for k in range(together):
            first = k * (len(chosen) + 1)  # room for each, whatever it comes to
            mine = {"least": images, "images": chosen[k::together]}
            payloads.append({"out": quoted(folder), "first": first, **mine})
        reports = _reports(payloads, min(images * together, len(chosen)), progress)
        shards = sorted((Shard(*pair) for r in reports for pair in r["shards"]), key=_start)
        fixed, linear = _joining(held, folder, shards)
        growing, kept = _sizes(folder)
        return Rehearsed(
            together=together,
            start=max(report["start"] for report in reports),
            seconds=tuple(s for report in reports for s in report["seconds"]),
            joining=fixed,
            joining_image=linear,
            memory=max(report["memory"] for report in reports),
            size=growing / sum(map(len, shards)),
            kept=kept,
        )


def _start(shard: Shard) -> int:
    return shard.start


def spread(count: int, most: int) -> list[int]:
    """At most so many of `count` images, each once; wherever it ends, it is even over them."""
    golden = (int(k * _GOLDEN % 1 * count) for k in range(most))
    rest = range(count) if count <= most else ()
    return list(dict.fromkeys((*golden, *rest)))


def _reports(
    payloads: Sequence[Payload], total: int, progress: Callable[[int, int], None]
) -> list[dict[str, Any]]:
    """Results of the processes; "start" is what each needed before it had an image."""
    done: dict[int, int] = {}

    def told(payload: Payload, images: int) -> None:
        done[payload["first"]] = images
        progress(min(sum(done.values()), total), total)

    began, found = time.monotonic(), []
    with (
        Processes(len(payloads), told).open("rehearse") as hands,
        closing(hands.run(payloads)) as reports,
    ):
        for report in reports:
            if "error" in report:
                raise raised(report["error"])
            result = report["result"]
            start = time.monotonic() - began - sum(result["seconds"])
            found.append({**result, "start": start})
    return found


def _joining(held: Recipe, folder: Path, shards: Sequence[Shard]) -> tuple[float, float]:
    """Seconds for the end of a run: once, and for each image.

    Nearly all that grows with the images is the COCO file: it is written once more, alone.
    """
    began = time.monotonic()
    finish(held, folder, shards)
    whole = time.monotonic() - began
    began = time.monotonic()
    aside = folder / "tmp" / "again.json"
    head = coco.Head(held.world().world, (), clips=held.clips is not None)
    coco.write(aside, lambda: store.records(folder, shards), head)
    growing = time.monotonic() - began
    aside.unlink()
    return max(whole - growing, 0.0), growing / sum(map(len, shards))


def _sizes(folder: Path) -> tuple[int, int]:
    """Bytes that grow with the number of images, and bytes that do not.

    Of images whole blocks, of which small files waste much; labels are few files at the end.
    """
    about = {path.relative_to(folder): path.stat() for path in folder.rglob("*") if path.is_file()}
    shards = {path: entry for path, entry in about.items() if path.parts[0] == "shards"}
    images = sum(e.st_blocks * 512 for path, e in shards.items() if path.name[0].isdigit())
    labels = sum(e.st_size for path, e in shards.items() if not path.name[0].isdigit())
    joined = {name: about[Path(name)].st_size for name in ("annotations.json", "scenes.jsonl")}
    manifest = about[Path("manifest.json")].st_size - about[Path("recipe.json")].st_size
    growing = images + labels + sum(joined.values()) + max(manifest, 0)
    kept = sum(e.st_size for path, e in about.items() if path not in shards)
    return growing, kept - sum(joined.values())


# ------------------------------------------------------------------------------- its folder


def disk_of(out: Path) -> Path:
    """The folder nearest to `out` that is there."""
    out = out.resolve()
    return next(path for path in (out, *out.parents) if path.is_dir())


@contextmanager
def _scratch(out: Path | None) -> Iterator[Path]:
    """A folder that goes again; what an earlier run that was killed has left goes with it."""
    place = Path(tempfile.gettempdir()) if out is None else _beside(out)
    _sweep(place)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=place, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _beside(out: Path) -> Path:
    """A folder on the disk of `out`, and not in it where that can be."""
    near = disk_of(out)
    above = near.parent if near == out.resolve() else near
    same = above.stat().st_dev == near.stat().st_dev and os.access(above, os.W_OK)
    return above if same else near


def _sweep(place: Path) -> None:
    for left in place.glob(f"{PREFIX}*"):
        # A folder of somebody else, or of a run that is at work, stays.
        with suppress(OSError, DatagenError):
            about = left.lstat()
            old = time.time() - about.st_mtime > _FRESH
            if old and about.st_uid == os.getuid() and left.is_dir() and not left.is_symlink():
                with locked(left):
                    shutil.rmtree(left)
