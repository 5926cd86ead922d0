"""RELATE against BlockGAN2D and its own ablations (table 1), on balls in a bowl.

Run: python tests/benchmarks/relate_bowls.py OUT [--jobs 2] [--seeds 0 1 2] [--only ARM ...]

All arms of a world share data, seeds, steps and every setting but those that they are named for;
what is measured is the last step's averaged generator, never a better one on the way. A run that
is done lies under OUT and is not made again, one that was cut off goes on. docs/results-relate.md
is written anew from all that are there.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from relate_bowls_measures import floor, measured
from relate_bowls_page import page
from relate_bowls_world import DENSE, LARGE, SPARSE, World, pictures

from datagen.files import write_atomic
from datagen.learning.loop import Tick, train
from datagen.learning.relate.toggling import PAINTED, toggled, visible
from datagen.learning.relate.training import RelateTrainee
from datagen.learning.run import RunFolder
from datagen.models.relate import Generator, draw_latents
from datagen.rng import Stream, rng_for
from datagen.settings.relate import RelateLearning

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results-relate.md"
PICTURE = ROOT / "docs" / "relate_bowls.jpg"
LEARNED = 8000  # pictures
BLOCKGAN = {"interaction": "none", "position": 0.0, "additive": 0.0}


class Arm(NamedTuple):
    world: World
    steps: int
    changes: dict[str, Any]  # of RelateLearning


ARMS = {
    "sparse-relate": Arm(SPARSE, 3000, {}),
    "sparse-no-position": Arm(SPARSE, 3000, {"position": 0.0}),
    "sparse-no-residual": Arm(SPARSE, 3000, {"residual": False}),
    "sparse-blockgan2d": Arm(SPARSE, 3000, BLOCKGAN),
    "dense-relate": Arm(DENSE, 3000, {}),
    "dense-no-position": Arm(DENSE, 3000, {"position": 0.0}),
    "dense-no-additive": Arm(DENSE, 3000, {"additive": 0.0}),
    "dense-no-residual": Arm(DENSE, 3000, {"residual": False}),
    "dense-blockgan2d": Arm(DENSE, 3000, BLOCKGAN),
    "large-relate": Arm(LARGE, 4500, {}),
    "large-blockgan2d": Arm(LARGE, 4500, BLOCKGAN),
}
SHOWN = ("sparse-relate", "dense-relate", "dense-blockgan2d")


# -------------------------------------------------------------------------------------- one run


def run(out: Path, name: str, seed: int) -> None:
    """Trains and measures one arm, in this process, on one thread."""
    torch.set_num_threads(1)
    arm = ARMS[name]
    settings = RelateLearning(steps=arm.steps, **arm.changes)
    folder = out / f"{name}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    trainee = RelateTrainee(pictures(arm.world, out, 1000 + seed, LEARNED).images, settings, seed)
    clock = Clock()
    train(
        RunFolder(folder),
        "relate",
        trainee,
        checkpoint_every=settings.checkpoint_every,
        progress=clock,
    )
    result: dict[str, Any] = {"arm": name, "seed": seed, "world": arm.world.name}
    result |= {"settings": settings.model_dump(), "cost": clock.read(trainee.steps)}
    result["attempts"] = trainee.attempt
    net = trainee.sampler()
    write_atomic(folder / "sample.png", cv2.imencode(".png", sheet(net))[1].tobytes())
    result["read"] = measured(net, settings.objects, arm.world, out)
    write_atomic(folder / "result.json", json.dumps(result, indent=1))


class Clock:
    """What steps cost this process: its own time, for cores may be shared, and the clock's."""

    def __init__(self) -> None:
        self.began: tuple[int, float, float] | None = None
        self.newest = (0, 0.0, 0.0)

    def __call__(self, tick: Tick) -> None:
        self.newest = (tick.step, time.process_time(), time.monotonic())
        if self.began is None:
            self.began = self.newest
        if tick.step % 100 < 2:
            sys.stderr.write(f"{tick.step}/{tick.steps}  {tick.words}\n")

    def read(self, whole: int) -> dict[str, float]:
        """Milliseconds of a step since the first that was told of, minutes of `whole` steps."""
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MB
        if self.began is None or self.newest[0] == self.began[0]:
            return {"memory": memory}
        steps, own, wall = (b - a for a, b in zip(self.began, self.newest, strict=True))
        own, wall = 1000 * own / steps, 1000 * wall / steps
        return {"memory": memory, "own ms": own, "wall ms": wall, "minutes": own * whole / 60_000}


def sheet(net: Generator) -> np.ndarray:
    """Pictures, their backgrounds alone, without the first object, and labels; BGR, twice as large.

    The first samples, not chosen.
    """
    count = 768 // (2 * net.sizes.width)
    latents = draw_latents(net.sizes, rng_for(0, 0, Stream.EVALUATE), count, (2, 2))
    samples = toggled(net, latents)
    colours = np.array([(255, 255, 255), (230, 120, 20), (20, 150, 90)], np.uint8)
    rows = [
        [s.image for s in samples],
        [s.empty for s in samples],
        [s.without[0] for s in samples],
        [colours[visible(s)] for s in samples],
    ]
    whole = np.concatenate([np.concatenate(row, 1) for row in rows])[:, :, ::-1]
    return np.ascontiguousarray(whole.repeat(2, 0).repeat(2, 1))


# ------------------------------------------------------------------------------------- all runs


def main(words: Sequence[str] | None = None) -> None:
    asked = _asked(words)
    out = asked.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if asked.one is not None:
        run(out, asked.one[0], int(asked.one[1]))
        return
    floors(out, asked.only)
    runs = [(arm, seed) for seed in asked.seeds for arm in asked.only]
    todo = [(a, s) for a, s in runs if not (out / f"{a}-{s}" / "result.json").is_file()]
    write(out)
    running: list[subprocess.Popen[bytes]] = []
    failed = False
    while todo or running:
        while todo and len(running) < asked.jobs:
            running.append(_start(out, *todo.pop(0)))
        time.sleep(1)
        for process in [p for p in running if p.poll() is not None]:
            running.remove(process)
            failed |= process.returncode != 0
            write(out)
    sys.stdout.write(PAGE.read_text())
    if failed:
        raise SystemExit("a run failed; its log lies beside it, and the same command goes on")


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=ARMS, default=list(ARMS), metavar="ARM")
    parser.add_argument("--one", nargs=2, metavar=("ARM", "SEED"), help="only this run, no page")
    return parser.parse_args(words)


def _start(out: Path, arm: str, seed: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, out, "--one", arm, seed]
    # Several threads in one process wait for one another on cores that are shared.
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    with (out / f"{arm}-{seed}.log").open("ab") as log:
        return subprocess.Popen([str(word) for word in command], stderr=log, env=alone)


def floors(out: Path, arms: Sequence[str]) -> None:
    """What real pictures of the arms' worlds come to; and the features, before runs share them."""
    torch.set_num_threads(1)
    path = out / "floors.json"
    found = json.loads(path.read_text()) if path.is_file() else {}
    for world in dict.fromkeys(ARMS[arm].world for arm in arms):
        if world.name not in found:
            found[world.name] = floor(world, out)
            write_atomic(path, json.dumps(found, indent=1))


def write(out: Path) -> None:
    """The page, and the picture, from all runs that are done."""
    results = [json.loads(path.read_text()) for path in sorted(out.glob("*-[0-9]*/result.json"))]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}"
    known = json.loads((out / "floors.json").read_text())
    text = page(results, known, list(ARMS), SHOWN, PAINTED, machine)
    write_atomic(PAGE, text)
    sheets = [out / f"{arm}-0" / "sample.png" for arm in SHOWN]
    read = [cv2.imread(str(path)) for path in sheets if path.is_file()]
    rows = [row for row in read if row is not None]
    if rows:
        gap = np.full((8, rows[0].shape[1], 3), 255, np.uint8)
        stacked = np.concatenate([part for row in rows for part in (row, gap)][:-1])
        cv2.imwrite(str(PICTURE), stacked, (cv2.IMWRITE_JPEG_QUALITY, 88))


if __name__ == "__main__":
    main()
