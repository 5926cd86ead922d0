"""How far the figures of `datagen estimate` are from what `datagen generate` then takes.

Run: python -m pytest -q -s tests/benchmarks/bench_estimate.py
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datagen import recipe
from datagen.dataset.claim import claimed
from datagen.estimating import rehearsal
from datagen.estimating.forecast import mean_of
from datagen.storage.address import quoted

WORLDS = {"aerial": 2000, "street_3d": 200}  # images
PAIRS = 2  # an estimate and the run that it is about, in turn: the machine's speed drifts


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("world", WORLDS)
def test_print_estimates_beside_what_was_taken(world: str, workers: int, tmp_path: Path) -> None:
    count = WORLDS[world]
    ratios: list[float] = []
    sizes: list[float] = []
    for pair in range(PAIRS):
        out = tmp_path / str(pair)
        words = [world, "--count", count, "--workers", workers, "--out", out, "--json"]
        began = time.perf_counter()
        estimate = json.loads(datagen("estimate", *words))
        asked = time.perf_counter() - began
        load = os.getloadavg()[0]
        began = time.perf_counter()
        datagen("generate", *words)
        took = time.perf_counter() - began
        told = estimate["seconds"]
        ratios.append(told["mean"] / took)
        sizes.append(estimate["disk"] / size_of(out))
        say(
            f"{world}, {count} images, {workers} at work: told {told['mean']:.1f} s "
            f"({told['low']:.1f} to {told['high']:.1f}) after {asked:.1f} s, took {took:.1f} s, "
            f"load {load:.1f}; {estimate['memory'] / 1e6:.0f} MB a worker told"
        )
    say(f"  told / taken: time {spread(ratios)}, disk {spread(sizes)}")


@pytest.mark.parametrize("world", WORLDS)
def test_print_the_images_tried_beside_all_of_them_in_cpu_time(
    world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without what other programs take: whether a few images stand for all."""
    count, ratios = WORLDS[world], []
    for seed in range(PAIRS):
        made = recipe.load(world, [f"count={count}", f"seed={seed}"])
        folder = tmp_path / f"tried{seed}"
        with claimed(made, folder, resume=False), monkeypatch.context() as patch:
            patch.setattr(time, "monotonic", time.process_time)
            chosen = rehearsal.spread(count, 500)
            payload = {"out": quoted(folder), "first": 0, "least": 20, "images": chosen}
            with rehearsal.rehearsing() as run:
                seconds = run(payload, lambda done: None)["seconds"]
        told, out = mean_of(tuple(seconds)).map(lambda s: s * count), tmp_path / str(seed)
        before = cpu_of_children()
        datagen("generate", world, "--count", count, "--set", f"seed={seed}", "--out", out)
        took = cpu_of_children() - before
        ratios.append(told.mean / took)
        say(
            f"{world}, {count} images, {len(seconds)} tried: told {told.mean:.1f} s "
            f"({told.low:.1f} to {told.high:.1f}) for the images, took {took:.1f} s in all, CPU"
        )
    say(f"  told / taken: CPU time {spread(ratios)}")


def cpu_of_children() -> float:
    """Seconds of processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def datagen(*words: object) -> str:
    """What a command prints, in a process of its own as people run it."""
    command = [sys.executable, "-m", "datagen", "--quiet", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def size_of(out: Path) -> int:
    """Bytes that a folder takes on its disk."""
    return sum(path.stat().st_blocks * 512 for path in out.rglob("*"))


def spread(readings: list[float]) -> str:
    """Median, and the lowest and highest reading."""
    return f"{statistics.median(readings):.2f} ({min(readings):.2f} to {max(readings):.2f})"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
