"""GNM on MNIST-4 of 64 x 64 px, beside a VAE and ConvDRAW that know no objects.

Run: python tests/benchmarks/gnm_mnist4.py MNIST OUT [--jobs 2] [--steps 15000]

MNIST: a folder with train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz. A run that is done
lies under OUT and is not made again, one that was cut off goes on; docs/results-gnm.md is written
anew from all that are there.
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
import gnm_mnist4_scores as scores
import numpy as np
import torch
from gnm_mnist4_arms import baseline_samples, trainee_of
from gnm_mnist4_data import Digits, Scenes, digits, scenes
from gnm_mnist4_page import page

from datagen.files import write_atomic
from datagen.learning.gnm.training import GnmTrainee
from datagen.learning.loop import Tick, train
from datagen.learning.run import RunFolder

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results-gnm.md"
PICTURE = ROOT / "docs" / "gnm_mnist4.png"
RUNS = [
    *(("gnm", seed) for seed in (0, 1, 2)),
    ("hasty", 0),
    ("unwatched", 0),
    *((f"vae-{beta}", 0) for beta in (1, 2, 5, 10)),
    *((f"convdraw-{beta}", 0) for beta in (1, 10)),
]
LEARNED = 60_000  # pictures, as many as the paper has
# Seeds of pictures: to learn from (and the run's), to test on, of the probe, and real ones again.
TAUGHT, TEST, PROBE, REAL = 1000, 2000, 3000, 4000


# -------------------------------------------------------------------------------------- one run


def run(mnist: Path, out: Path, arm: str, seed: int, steps: int) -> None:
    """Trains and scores one arm, in this process, on one thread."""
    torch.set_num_threads(1)
    known, unknown = digits(mnist).split()
    folder = out / f"{arm}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    trainee = trainee_of(arm, scenes(known, TAUGHT + seed, LEARNED).pictures, steps, seed)
    every, clock, records = trainee.settings.checkpoint_every, Clock(), RunFolder(folder)
    train(records, "gnm", trainee, checkpoint_every=every, progress=clock)
    result = {"arm": arm, "seed": seed, "settings": trainee.settings.model_dump()}
    result["cost"] = clock.read(folder)
    test, read = scenes(unknown, TEST, scores.SCORED), scores.reader(out, known)
    if isinstance(trainee, GnmTrainee):
        result |= _of_gnm(trainee, records, test, known, read)
        images = scores.samples(trainee.sampler(), 64, 0.0)
    else:
        images = baseline_samples(trainee, scores.SCORED)
        result["pictures"] = scores.of_pictures(images, test.pictures, read)
    write_atomic(folder / "sample.png", cv2.imencode(".png", sheet(images))[1].tobytes())
    write_atomic(folder / "result.json", json.dumps(result, indent=1))


def _of_gnm(
    trainee: GnmTrainee,
    records: RunFolder,
    test: Scenes,
    known: Digits,
    read: scores.DigitReader,
) -> dict[str, object]:
    model = trainee.sampler()
    styles = scores.styles(model, test.pictures, read)
    return {
        "pictures": styles["0"],
        "styles": styles,
        "model": scores.of_model(model, test, scenes(known, PROBE, scores.SCORED), read),
        "parameters": sum(p.numel() for p in model.parameters()),
        "ramps": _ramps(records),
        "speed": scores.speed(model),
    }


def _ramps(records: RunFolder) -> list[int]:
    """Steps at which the ramp of beta_g began, the first apart."""
    told = [(line["iteration"], line["ramps"]) for line in records.records()]
    return [step for (step, now), (_, old) in zip(told[1:], told, strict=False) if now > old]


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

    def read(self, folder: Path) -> dict[str, float]:
        """Milliseconds of a step since the first that was told of; peak memory, MB.

        Kept in `folder`: scoring that was cut off finds no step to measure again.
        """
        path = folder / "cost.json"
        if self.began is not None and self.newest[0] > self.began[0]:
            steps, own, wall = (b - a for a, b in zip(self.began, self.newest, strict=True))
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            cost = {"memory": memory, "own ms": 1000 * own / steps, "wall ms": 1000 * wall / steps}
            write_atomic(path, json.dumps(cost))
        return json.loads(path.read_text()) if path.is_file() else {}


def sheet(images: np.ndarray) -> np.ndarray:
    """The first 12 as one row, BGR."""
    row = np.concatenate(list(images[:12]), axis=1)[:, :, ::-1]
    return np.ascontiguousarray(row)


# ------------------------------------------------------------------------------------- all runs


def main(words: Sequence[str] | None = None) -> None:
    asked = _asked(words)
    mnist, out = asked.mnist.resolve(), asked.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if asked.one is not None:
        run(mnist, out, asked.one[0], int(asked.one[1]), asked.steps)
        return
    floor(mnist, out)
    todo = [(a, s) for a, s in RUNS if not (out / f"{a}-{s}/result.json").is_file()]
    running: list[subprocess.Popen[bytes]] = []
    failed = False
    while todo or running:
        while todo and len(running) < asked.jobs:
            running.append(_start(mnist, out, *todo.pop(0), asked.steps))
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
    parser.add_argument("mnist", type=Path, metavar="MNIST")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--steps", type=int, default=15_000)
    parser.add_argument("--one", nargs=2, metavar=("ARM", "SEED"), help="only this run")
    return parser.parse_args(words)


def _start(mnist: Path, out: Path, arm: str, seed: int, steps: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, mnist, out, "--steps", steps, "--one", arm, seed]
    # Several threads in one process wait for one another on cores that are shared.
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    with (out / f"{arm}-{seed}.log").open("ab") as log:
        return subprocess.Popen([str(word) for word in command], stderr=log, env=alone)


def floor(mnist: Path, out: Path) -> None:
    """What real pictures come to, and the judge, which all runs share."""
    torch.set_num_threads(1)
    path = out / "floor.json"
    if path.is_file():
        return
    known, unknown = digits(mnist).split()
    read = scores.reader(out, known)
    test = scenes(unknown, TEST, scores.SCORED)
    again = scenes(unknown, REAL, scores.SCORED)
    found = scores.of_pictures(again.pictures, test.pictures, read)
    cv2.imwrite(str(out / "floor.png"), sheet(test.pictures))
    write_atomic(path, json.dumps(found | {"judge": scores.right_share(read, unknown)}, indent=1))


def write(out: Path) -> None:
    """The page, and the picture, from all runs that are done."""
    found = [json.loads(path.read_text()) for path in sorted(out.glob("*/result.json"))]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}"
    missing = [f"{arm} {seed}" for arm, seed in RUNS if not _is_there(found, arm, seed)]
    floor_of = json.loads((out / "floor.json").read_text())
    write_atomic(PAGE, page(found, floor_of, missing, machine))
    arms = ("gnm", "vae-1", "convdraw-10")
    pictures = [out / "floor.png", *(out / f"{arm}-0" / "sample.png" for arm in arms)]
    rows = [np.asarray(cv2.imread(str(path))) for path in pictures if path.is_file()]
    gap = np.full((6, rows[0].shape[1], 3), 255, np.uint8)
    cv2.imwrite(str(PICTURE), np.concatenate([part for row in rows for part in (row, gap)][:-1]))


def _is_there(found: Sequence[dict[str, object]], arm: str, seed: int) -> bool:
    return any(one["arm"] == arm and one["seed"] == seed for one in found)


if __name__ == "__main__":
    main()
