"""Does conditional IMLE find all ways that a layout can look?

Run: python tests/benchmarks/imle_modes.py OUT SQUEEZENET [--jobs 2] [--seeds 0 1] [--only ARM ...]

A renderer of our own draws street layouts of 48 px in one of four ways (day .5, dusk .3, overcast
.15, night .05); 1000 pairs, one picture each, are learned from. Writes docs/results-imle-modes.md.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import runs
from clock import Clock
from imle_modes_arms import ARMS, Sampler, trainee
from imle_modes_measures import TEST, measured, true_sampler
from imle_modes_page import SHOWN, page, sheet
from pages import Page

from datagen.learning.loop import train
from datagen.learning.run import RunFolder
from datagen.rng import Stream, rng_for

_CHECKPOINT = 400  # steps


def run(out: Path, squeezenet: Path, folder: Path, arm: str, seed: int) -> dict[str, Any]:
    """Trains and measures one arm; regression's run measures the true sampler as well."""
    learned, clock = trainee(arm, str(squeezenet), seed), Clock(folder / "cost.json")
    train(RunFolder(folder), "imle", learned, checkpoint_every=_CHECKPOINT, progress=clock)
    found: dict[str, Any] = {"cost": clock.read()}
    ways = {"drawn": False, "bank": True} if len(learned.bank) else {"drawn": False}
    for name, bank in ways.items():
        sampler = Sampler(learned, bank=bank)

        def draw(k: int, count: int, sampler: Sampler = sampler) -> np.ndarray:
            codes = sampler.codes(count, rng_for(seed, count, Stream.EVALUATE))
            return sampler.pictures(TEST.place(k).layout, codes, k)

        found[name] = measured(draw, learned.distance)
        cv2.imwrite(str(folder / f"{name}.png"), sheet(draw)[..., ::-1])
    if arm == "regression":
        found["true"] = measured(true_sampler, learned.distance)
        cv2.imwrite(str(folder / "true.png"), sheet(true_sampler)[..., ::-1])
    return found


PAGE = Page(
    "imle-modes",
    dict.fromkeys(ARMS, (0, 1, 2)),
    run,
    page,
    {"imle_modes.jpg": list(SHOWN)},
)
BENCHMARK = runs.Benchmark(__file__, ("SQUEEZENET",), (PAGE,))

if __name__ == "__main__":
    runs.main(BENCHMARK)
