"""How fast datasets are written, by one worker and by two, and whether image 20,000 costs more.

Run: python -m pytest -q -s tests/benchmarks/bench_dataset.py
"""

import os
import statistics
import sys
import time
from pathlib import Path

import pytest

from datagen import pipeline, recipe
from datagen.dataset.store import FolderShelf, Shard
from datagen.frames import opened
from datagen.shards import make_shard

WORLDS = ("multi_mnist", "aerial", "colored_shapes")
PAIRS = 3  # runs with one worker and with two, in turn: the machine's speed drifts
IMAGES = 3000
LONG = 20_000  # images of the run that looks for growth
WINDOW = 1000  # images that a cost is averaged over


@pytest.mark.parametrize("world", WORLDS)
def test_print_images_written_by_one_worker_and_by_two(world: str, tmp_path: Path) -> None:
    rates: dict[int, list[float]] = {1: [], 2: []}
    for pair in range(PAIRS):
        for workers in rates:
            made = recipe.load(world, [f"count={IMAGES}"])
            start = time.perf_counter()
            pipeline.generate(made, tmp_path / f"{pair}-{workers}", workers=workers)
            rates[workers].append(IMAGES / (time.perf_counter() - start))
    ratios = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    say(f"{world}: {IMAGES} images, PNG and COCO, fsync and merge included; {PAIRS} pairs")
    for workers, readings in rates.items():
        say(f"  {workers} worker{'s' * (workers > 1)}   {spread(readings)} images/s")
    say(f"  ratio      {spread(ratios, '.2f')}")


def test_print_growth_over_a_long_run(tmp_path: Path) -> None:
    made = recipe.load("aerial", [f"count={LONG}"])
    costs: list[float] = []  # CPU seconds an image
    memory: list[int] = []  # bytes
    with opened(made) as make_frame:
        for start in range(0, LONG, WINDOW):
            begun = time.process_time()
            for first in range(start, start + WINDOW, 50):
                shard = Shard(first, first + 50)
                make_shard(
                    made,
                    make_frame,
                    FolderShelf(tmp_path),
                    shard,
                    LONG - shard.stop,
                    lambda done: None,
                )
            costs.append((time.process_time() - begun) / WINDOW)
            memory.append(resident())
    say(f"aerial, {LONG} images in one process, CPU ms an image by thousands:")
    say("  " + " ".join(f"{1e3 * cost:.2f}" for cost in costs))
    say(f"  last thousand / first thousand  {costs[-1] / costs[0]:.3f}")
    grown = (memory[-1] - memory[1]) / (LONG - 2 * WINDOW)
    say(f"  memory from image {2 * WINDOW} on      {grown / 1024:+.3f} kB an image")


def resident() -> int:
    """Bytes of memory that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def spread(readings: list[float], form: str = ".0f") -> str:
    """Median, and the lowest and highest reading."""
    low, high = format(min(readings), form), format(max(readings), form)
    return f"{statistics.median(readings):{form}} ({low} to {high})"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
