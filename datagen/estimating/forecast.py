"""From a dry run to what the whole dataset will take, with what was measured and what assumed."""

import math
import os
import shutil
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.dataset import store
from datagen.errors import InputError
from datagen.estimating.rehearsal import Rehearsed, disk_of, rehearse
from datagen.recipe import Recipe
from datagen.shards import SPACE_MARGIN

TOGETHER = 4  # processes that are tried at once, at most: each needs memory of its own
SHARD_SECONDS = 45.0  # of work in one shard: little is lost with a worker, and little waits for one
LARGEST_SHARD = 10_000  # images, as Recipe allows
ROUNDS = 4  # shards for each worker at least, so that all end at about the same time
_OWN_FILES = 3  # of a shard, beside its images


@dataclass(frozen=True)
class Range:
    """A mean, and the 95 % interval for it that the spread of the images tried gives."""

    mean: float
    low: float
    high: float

    def map(self, line: Callable[[float], float]) -> "Range":
        """The range of what `line`, which only rises or only falls, makes of it."""
        return Range(line(self.mean), *sorted((line(self.low), line(self.high))))

    def to_json(self) -> dict[str, float]:
        return {name: _plain(value) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Estimate:
    """What `count` images will take with so many workers; seconds, bytes."""

    count: int
    workers: int
    cores: int  # of this machine
    together: int  # processes that were tried at once
    tried: int  # images
    start: float
    images_per_second: Range  # of one worker, with the others at work
    joining: float
    seconds: Range  # from the command to the end
    memory: int  # of each worker
    bytes_per_image: float
    disk: float  # of the whole dataset
    files: int
    shard_size: int
    shard_seconds: float
    better_shard_size: int
    cost: Range | None
    assumed: str  # "" where all was measured
    warnings: tuple[str, ...]

    @property
    def disk_wanted(self) -> float:
        """Bytes that must be free, or `generate` stops early."""
        return self.disk * SPACE_MARGIN

    def to_json(self) -> dict[str, Any]:
        sizes = {"disk": round(self.disk), "disk_wanted": round(self.disk_wanted)}
        return {name: _plain(value) for name, value in vars(self).items()} | sizes


def estimate(
    recipe: Recipe,
    *,
    workers: int = 1,
    images: int = 20,
    price: float | None = None,
    out: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Estimate:
    """Try `images` images in each of a few processes, and count up.

    `price` is that of one worker for an hour; `out` says on which disk the dataset will lie.
    """
    if workers < 1 or images < 1:
        raise InputError(f"workers and images must be at least 1, got {workers} and {images}")
    if price is not None and not (math.isfinite(price) and price >= 0):
        raise InputError(f"the price of a worker's hour must be a number from 0, got {price}")
    cores = len(os.sched_getaffinity(0))
    found = rehearse(recipe, images, min(workers, cores, TOGETHER), out, progress)
    return _counted_up(recipe, workers, cores, found, price, out)


def _counted_up(
    recipe: Recipe,
    workers: int,
    cores: int,
    found: Rehearsed,
    price: float | None,
    out: Path | None,
) -> Estimate:
    each = mean_of(found.seconds)
    shards = len(store.shards_of(recipe.count, recipe.shard_size))
    # The worker with most to do; whole shards, of which each has as many as any other or one more.
    longest = min(recipe.count, math.ceil(shards / workers) * recipe.shard_size)
    joining = found.joining + found.joining_image * recipe.count
    seconds = each.map(lambda s: found.start + s * longest + joining)
    disk = found.kept + found.size * recipe.count
    files = (1 + len(recipe.passes)) * recipe.count + _OWN_FILES * shards
    short = [] if out is None else _too_small(out, disk * SPACE_MARGIN, files)
    if shards < workers:
        short.append(f"{shards} shards are work for {shards} of {workers} workers")
    return Estimate(
        count=recipe.count,
        workers=workers,
        cores=cores,
        together=found.together,
        tried=len(found.seconds),
        start=found.start,
        images_per_second=each.map(lambda s: 1 / s),
        joining=joining,
        seconds=seconds,
        memory=found.memory,
        bytes_per_image=found.size,
        disk=disk,
        files=files,
        shard_size=recipe.shard_size,
        shard_seconds=each.mean * min(recipe.shard_size, recipe.count),
        better_shard_size=shard_size(each.mean, recipe.count, workers),
        cost=None if price is None else seconds.map(lambda s: s / 3600 * workers * price),
        assumed=_assumed(workers, cores, found.together),
        warnings=tuple(short),
    )


def mean_of(values: tuple[float, ...]) -> Range:
    """The mean with Student's interval; without one where there is a single value."""
    mean, freedom = statistics.fmean(values), len(values) - 1
    if not freedom:
        return Range(mean, mean, mean)
    half = _student(freedom) * statistics.stdev(values) / math.sqrt(len(values))
    return Range(mean, max(mean - half, min(values)), mean + half)


def _student(freedom: int) -> float:
    """The 97.5 % point of Student's t, by the first terms of its series in 1 / freedom."""
    z = statistics.NormalDist().inv_cdf(0.975)
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2


def shard_size(seconds_per_image: float, count: int, workers: int) -> int:
    """Images of a shard that is neither lost dearly nor waited for; two digits, rounded down."""
    wanted = min(SHARD_SECONDS / seconds_per_image, count / (workers * ROUNDS), LARGEST_SHARD)
    step = 10 ** max(int(math.log10(max(wanted, 1))) - 1, 0)
    return max(int(wanted // step * step), 1)


def _assumed(workers: int, cores: int, together: int) -> str:
    if workers > cores:
        return f"{workers} workers have a core each like those here, of which there are {cores}"
    if workers > together:
        return f"{workers} workers are as fast one by one as {together}"
    return ""


def _too_small(out: Path, wanted: float, files: int) -> list[str]:
    near = disk_of(out)
    free, nodes = shutil.disk_usage(near).free, os.statvfs(near)
    short = []
    if wanted > free:
        short.append(f"{near} has {free / 1e9:.2f} GB free, and {wanted / 1e9:.2f} GB are needed")
    if nodes.f_files and files > nodes.f_favail:
        short.append(f"{near} has room for {nodes.f_favail:,} files, and {files:,} are needed")
    return short


def _plain(value: Any) -> Any:
    """For JSON; more than four digits would be a pretence."""
    if isinstance(value, Range):
        return value.to_json()
    return float(f"{value:.4g}") if isinstance(value, float) else value
