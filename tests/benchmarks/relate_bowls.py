"""RELATE against BlockGAN2D and its own ablations (table 1), on balls in a bowl.

Run: python tests/benchmarks/relate_bowls.py OUT [--jobs 2] [--seeds 0 1 2] [--only ARM ...]

All arms of a world share data, seeds, steps and every setting but those that they are named for;
what is measured is the last step's averaged generator, never a better one on the way. Writes
docs/results-relate.md, and of arms at 64 px docs/results-relate-64.md.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import runs
from clock import Clock
from pages import Page, Text
from relate_bowls_measures import features, floor, measured
from relate_bowls_page import LARGE_PICTURE, LARGE_SHOWN, PICTURE, SHOWN, page, page_of_large
from relate_bowls_world import DENSE, LARGE, SPARSE, World, pictures

from datagen.learning.loop import train
from datagen.learning.relate.toggling import toggled, visible
from datagen.learning.relate.training import RelateTrainee
from datagen.learning.run import RunFolder
from datagen.models.relate import Generator, draw_latents
from datagen.rng import Stream, rng_for
from datagen.settings.relate import RelateLearning

LEARNED = 8000  # pictures
FIRST = 1000  # their seed, of a run's seed 0
BLOCKGAN = {"interaction": "none", "position": 0.0, "additive": 0.0}


class Arm(NamedTuple):
    world: World
    steps: int
    changes: dict[str, Any]  # of RelateLearning


ARMS = {
    "sparse-relate": Arm(SPARSE, 3000, {}),
    "sparse-centred": Arm(SPARSE, 3000, {"centred": 10.0}),
    "sparse-blockgan2d": Arm(SPARSE, 3000, BLOCKGAN),
    "dense-relate": Arm(DENSE, 3000, {}),
    "dense-centred": Arm(DENSE, 3000, {"centred": 10.0}),
    "dense-no-position": Arm(DENSE, 3000, {"position": 0.0}),
    "dense-no-additive": Arm(DENSE, 3000, {"additive": 0.0}),
    "dense-no-residual": Arm(DENSE, 3000, {"residual": False}),
    "dense-blockgan2d": Arm(DENSE, 3000, BLOCKGAN),
    "large-relate": Arm(LARGE, 4500, {}),
    "large-centred": Arm(LARGE, 4500, {"centred": 10.0}),
    "large-window": Arm(LARGE, 4500, {"window": 0.3125}),
    "large-blockgan2d": Arm(LARGE, 4500, BLOCKGAN),
}


def run(out: Path, folder: Path, name: str, seed: int) -> dict[str, Any]:
    """Trains and measures one arm."""
    trainee = taught(out, folder, name, seed)
    net, settings = trainee.sampler(), trainee.settings
    cv2.imwrite(str(folder / "sample.png"), sheet(net))
    return {
        "settings": settings.model_dump(),
        "cost": Clock(folder / "cost.json").read(),
        "attempts": trainee.attempt,
        "read": measured(net, settings.objects, ARMS[name].world, out),
    }


def taught(out: Path, folder: Path, name: str, seed: int) -> RelateTrainee:
    """Trained to its end; a run whose last step lies in `folder` is only read."""
    arm = ARMS[name]
    settings = RelateLearning(steps=arm.steps, **arm.changes)
    trainee = RelateTrainee(pictures(arm.world, out, FIRST + seed, LEARNED).images, settings, seed)
    every, clock = settings.checkpoint_every, Clock(folder / "cost.json")
    train(RunFolder(folder), "relate", trainee, checkpoint_every=every, progress=clock)
    return trainee


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


def share(worlds: Sequence[World], out: Path) -> None:
    for world in worlds:
        features(world, out)


def _page(
    name: str, worlds: Sequence[World], text: Text, picture: str, shown: Sequence[str]
) -> Page:
    return Page(
        name,
        {arm: (0, 1, 2) for arm, of in ARMS.items() if of.world in worlds},
        run,
        text,
        {picture: [f"{arm}-0/sample.png" for arm in shown]},
        partial(share, worlds),
        {f"real-{world.name}": partial(floor, world) for world in worlds},
    )


PAGES = (
    _page("relate", (SPARSE, DENSE), page, PICTURE, SHOWN),
    _page("relate-64", (LARGE,), page_of_large, LARGE_PICTURE, LARGE_SHOWN),
)
BENCHMARK = runs.Benchmark(__file__, (), PAGES)

if __name__ == "__main__":
    runs.main(BENCHMARK)
