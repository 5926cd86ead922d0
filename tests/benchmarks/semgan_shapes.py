"""SemGAN against a GAN of coloured pictures with the same body, on Coloured Shapes of 64 x 64 px.

Run: python tests/benchmarks/semgan_shapes.py OUT [--jobs 2] [--steps 10000]

Each pair of runs shares seed, data, steps and every setting; what is scored is the last step's
averaged generator, never a better one on the way. A run that is done lies under OUT and is not made
again, one that was cut off goes on; docs/results-semgan.md is written anew from all that are there.
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

import cv2
import numpy as np
import torch
from semgan_page import page
from semgan_scores import (
    PALETTE,
    Shapes,
    coloured,
    distances,
    of_maps,
    off_palette,
    shapes,
    snapped,
)

from datagen.files import write_atomic
from datagen.learning.layout.training import LayoutTrainee
from datagen.learning.loop import Tick, train
from datagen.learning.run import RunFolder
from datagen.models.semgan import Palette
from datagen.rng import Stream, rng_for
from datagen.settings.layout import LayoutLearning

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results-semgan.md"
PICTURE = ROOT / "docs" / "semgan_shapes.png"
SEEDS = (0, 1, 2)
ARMS = ("semgan", "gan")
TRAIN = 2916  # maps: one for each place of the square, as in the paper
SCORED = 2048  # maps of a generator, and as many real ones that no network has seen
HELD_OUT, FLOOR = 6000, 7000  # seeds of real maps


# -------------------------------------------------------------------------------------- one run


def run(out: Path, arm: str, seed: int, steps: int) -> None:
    """Trains and scores one arm, in this process, on one thread."""
    torch.set_num_threads(1)
    settings = LayoutLearning(steps=steps)
    folder = out / f"{arm}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    code = None if arm == "semgan" else Palette(PALETTE.tolist())
    trainee = LayoutTrainee(Shapes(shapes(out, 1000 + seed, TRAIN)), settings, seed, code)
    clock = Clock()
    train(
        RunFolder(folder),
        "layout",
        trainee,
        checkpoint_every=settings.checkpoint_every,
        progress=clock,
    )
    cost = clock.read()
    images = drawn(trainee, arm, seed)
    real = shapes(out, HELD_OUT, SCORED)
    maps = images if arm == "semgan" else snapped(images)
    result = {"arm": arm, "seed": seed, "settings": settings.model_dump(), "cost": cost}
    result["maps"] = of_maps(maps, real)
    if arm == "gan":
        result["raw"] = distances(images, coloured(real)) | {"off palette": off_palette(images)}
    write_atomic(folder / "sample.png", cv2.imencode(".png", sheet(images))[1].tobytes())
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

    def read(self) -> dict[str, float]:
        """Milliseconds of a step since the first that was told of; peak memory, MB."""
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if self.began is None or self.newest[0] == self.began[0]:
            return {"memory": memory}
        steps, own, wall = (b - a for a, b in zip(self.began, self.newest, strict=True))
        return {"memory": memory, "own ms": 1000 * own / steps, "wall ms": 1000 * wall / steps}


def drawn(trainee: LayoutTrainee, arm: str, seed: int) -> np.ndarray:
    """`SCORED` class maps uint8 [N, H, W], or of the GAN pictures uint8 [N, H, W, 3]."""
    generator, parts = trainee.sampler(), []
    rng = rng_for(seed, 0, Stream.EVALUATE)
    for _ in range(0, SCORED, 64):
        z = torch.from_numpy(rng.standard_normal((64, generator.latent), "float32"))
        with torch.no_grad():
            output = generator(z)
        if arm == "semgan":
            parts.append(output.argmax(1).to(torch.uint8).numpy())
        else:
            grey = ((output.tanh() + 1) * 127.5).round().to(torch.uint8)
            parts.append(grey.permute(0, 2, 3, 1).numpy())
    return np.concatenate(parts)


def sheet(images: np.ndarray) -> np.ndarray:
    """The first 16 as one row, BGR, twice the size."""
    shown = coloured(images[:16]) if images.ndim == 3 else images[:16]
    row = np.concatenate(list(shown), axis=1)[:, :, ::-1]
    return np.ascontiguousarray(row.repeat(2, 0).repeat(2, 1))


# ------------------------------------------------------------------------------------- all runs


def main(words: Sequence[str] | None = None) -> None:
    asked = _asked(words)
    out = asked.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if asked.one is not None:
        run(out, asked.one[0], int(asked.one[1]), asked.steps)
        return
    floor(out)
    todo = [(a, s) for s in SEEDS for a in ARMS if not (out / f"{a}-{s}/result.json").is_file()]
    running: list[subprocess.Popen[bytes]] = []
    failed = False
    while todo or running:
        while todo and len(running) < asked.jobs:
            running.append(_start(out, *todo.pop(0), asked.steps))
        time.sleep(1)
        for process in [p for p in running if p.poll() is not None]:
            running.remove(process)
            failed |= process.returncode != 0
            write(out)
    write(out)
    sys.stdout.write(PAGE.read_text())
    if failed:
        raise SystemExit("a run failed; its log lies beside it, and the same command goes on")


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--one", nargs=2, metavar=("ARM", "SEED"), help="only this run")
    return parser.parse_args(words)


def _start(out: Path, arm: str, seed: int, steps: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, out, "--steps", steps, "--one", arm, seed]
    # Several threads in one process wait for one another on cores that are shared.
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    with (out / f"{arm}-{seed}.log").open("ab") as log:
        return subprocess.Popen([str(word) for word in command], stderr=log, env=alone)


def floor(out: Path) -> None:
    """What real maps come to against other real ones."""
    path = out / "floor.json"
    if not path.is_file():
        maps, real = shapes(out, FLOOR, SCORED), shapes(out, HELD_OUT, SCORED)
        cv2.imwrite(str(out / "floor.png"), sheet(maps))
        write_atomic(path, json.dumps(of_maps(maps, real), indent=1))


def write(out: Path) -> None:
    """The page, and the picture, from all runs that are done."""
    results = [json.loads(path.read_text()) for path in sorted(out.glob("*-[0-9]/result.json"))]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}"
    write_atomic(PAGE, page(results, json.loads((out / "floor.json").read_text()), machine))
    pictures = [out / "floor.png", *(out / f"{arm}-{SEEDS[0]}" / "sample.png" for arm in ARMS)]
    rows = [row for path in pictures if (row := cv2.imread(str(path))) is not None]
    gap = np.full((6, rows[0].shape[1], 3), 255, np.uint8)
    cv2.imwrite(str(PICTURE), np.concatenate([part for row in rows for part in (row, gap)][:-1]))


if __name__ == "__main__":
    main()
