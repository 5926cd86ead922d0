"""SemGAN against a GAN of coloured pictures with the same body, on Coloured Shapes of 64 x 64 px.

Run: python tests/benchmarks/semgan_shapes.py OUT [--jobs 2] [--seeds 0 1 2] [--only ARM ...]

Each pair of runs shares seed, data, steps and every setting; what is scored is the last step's
averaged generator, never a better one on the way. Writes docs/results-semgan.md.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import runs
import torch
from clock import Clock
from pages import Page
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

from datagen.learning.layout.training import LayoutTrainee
from datagen.learning.loop import train
from datagen.learning.run import RunFolder
from datagen.models.semgan import Palette
from datagen.rng import Stream, rng_for
from datagen.settings.layout import LayoutLearning

SETTINGS = LayoutLearning(steps=10_000)
TRAIN = 2916  # maps: one for each place of the square, as in the paper
SCORED = 2048  # maps of a generator, and as many real ones that no network has seen
HELD_OUT, FLOOR = 6000, 7000  # seeds of real maps


def run(out: Path, folder: Path, arm: str, seed: int) -> dict[str, Any]:
    """Trains and scores one arm."""
    code = None if arm == "semgan" else Palette(PALETTE.tolist())
    trainee = LayoutTrainee(Shapes(shapes(out, 1000 + seed, TRAIN)), SETTINGS, seed, code)
    every, clock = SETTINGS.checkpoint_every, Clock(folder / "cost.json")
    train(RunFolder(folder), "layout", trainee, checkpoint_every=every, progress=clock)
    images = drawn(trainee, arm, seed)
    cv2.imwrite(str(folder / "sample.png"), sheet(images))
    real = shapes(out, HELD_OUT, SCORED)
    maps = images if arm == "semgan" else snapped(images)
    found = {"settings": SETTINGS.model_dump(), "cost": clock.read(), "maps": of_maps(maps, real)}
    if arm == "gan":
        found["raw"] = distances(images, coloured(real)) | {"off palette": off_palette(images)}
    return found


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


def share(out: Path) -> None:
    cv2.imwrite(str(out / "real.png"), sheet(shapes(out, FLOOR, 16)))


def real(out: Path) -> Mapping[str, float]:
    """What real maps come to against other real ones."""
    return of_maps(shapes(out, FLOOR, SCORED), shapes(out, HELD_OUT, SCORED))


SEEDS = (0, 1, 2)
PAGE = Page(
    "semgan",
    {"semgan": SEEDS, "gan": SEEDS},
    run,
    page,
    {"semgan_shapes.png": ["real.png", "semgan-0/sample.png", "gan-0/sample.png"]},
    share,
    {"real": real},
)
BENCHMARK = runs.Benchmark(__file__, (), (PAGE,))

if __name__ == "__main__":
    runs.main(BENCHMARK)
