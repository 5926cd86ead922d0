"""Does conditional IMLE find all ways that a layout can look? Writes docs/results-imle-modes.md.

Run: python tests/benchmarks/imle_modes.py OUT SQUEEZENET [--jobs 2] [--seeds 0,1,2] [--arms ...]

A renderer of our own draws street layouts of 48 px in one of four ways (day .5, dusk .3, overcast
.15, night .05); 1000 pairs, one picture each, are learned from. Every run is a process with one
thread, kept in OUT and not made again; one that was killed goes on from its last checkpoint.
"""

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from imle_modes_arms import ARMS, Sampler, trainee
from imle_modes_measures import TEST, measured, true_sampler
from imle_modes_page import PAGE, SHEET, page, sheet

from datagen.learning.loop import train
from datagen.learning.run import RunFolder
from datagen.rng import Stream, rng_for

_CHECKPOINT = 400  # steps
_SHOWN = {
    "true.png": "the true sampler",
    "regression-0-drawn.png": "regression",
    "diverse-0-drawn.png": "the diversity loss",
    "full-0-drawn.png": "IMLE with rebalancing drawn as in learning",
    "full-0-bank.png": "the same from the bank",
    "plain-48-0-drawn.png": "IMLE with 48 candidates without rebalancing",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("squeezenet", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--only", help="ARM-SEED: this run alone, in this process")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.only:
        arm, _, seed = given.only.rpartition("-")
        one(given.out, str(given.squeezenet.resolve()), arm, int(seed))
        return
    asked = [f"{arm}-{seed}" for seed in given.seeds.split(",") for arm in given.arms.split(",")]
    command = [sys.executable, __file__, str(given.out), str(given.squeezenet), "--only"]
    with ThreadPoolExecutor(given.jobs) as pool:
        runs = [pool.submit(subprocess.run, [*command, name], check=True) for name in asked]
        for run in runs:
            run.result()
    write(given.out)


def one(out: Path, squeezenet: str, arm: str, seed: int) -> None:
    """Train and measure one arm, unless that is done."""
    result, folder = out / f"{arm}-{seed}.json", out / f"{arm}-{seed}"
    if result.is_file():
        return
    torch.set_num_threads(1)
    learned = trainee(arm, squeezenet, seed)
    folder.mkdir(exist_ok=True)
    spent = folder / "seconds"  # of processes before this one
    before = float(spent.read_text()) if spent.is_file() else 0.0
    start = time.process_time()

    def note(_: object) -> None:
        spent.write_text(str(before + time.process_time() - start))

    train(RunFolder(folder), "imle", learned, checkpoint_every=_CHECKPOINT, progress=note)
    note(None)
    found = {"arm": arm, "seed": seed, "seconds": float(spent.read_text())}
    ways = {"drawn": False, "bank": True} if len(learned.bank) else {"drawn": False}
    for name, bank in ways.items():
        sampler = Sampler(learned, bank=bank)

        def draw(k: int, count: int, sampler: Sampler = sampler) -> np.ndarray:
            codes = sampler.codes(count, rng_for(seed, count, Stream.EVALUATE))
            return sampler.pictures(TEST.place(k).layout, codes, k)

        found[name] = measured(draw, learned.distance)
        cv2.imwrite(str(out / f"{arm}-{seed}-{name}.png"), sheet(draw)[..., ::-1])
    if arm == "regression":
        found["true"] = measured(true_sampler, learned.distance)
        cv2.imwrite(str(out / "true.png"), sheet(true_sampler)[..., ::-1])
    result.write_text(json.dumps(found))


def write(out: Path) -> None:
    """The page, of all runs that are there."""
    found = [json.loads(path.read_text()) for path in sorted(out.glob("*-?.json"))]
    rows = {told: out / name for name, told in _SHOWN.items() if (out / name).is_file()}
    PAGE.write_text(page(found, list(rows)))
    pictures = [np.asarray(cv2.imread(str(path))) for path in rows.values()]
    cv2.imwrite(str(SHEET), np.vstack(pictures), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
