"""GNM on MNIST-4 of 64 x 64 px, beside the paper's baselines: a VAE, ConvDRAW and GENESIS.

Run: python tests/benchmarks/gnm_mnist4.py OUT MNIST [--jobs 2] [--seeds 0] [--only ARM ...]

MNIST: a folder with train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz. Without --seeds, GNM
has three and every other arm one. Writes docs/results-gnm.md.
"""

from pathlib import Path
from typing import Any

import cv2
import gnm_mnist4_scores as scores
import numpy as np
import runs
from clock import Clock
from gnm_mnist4_arms import baseline_samples, components, trainee_of
from gnm_mnist4_data import Digits, Scenes, digits, scenes
from gnm_mnist4_page import page
from pages import Page

from datagen.learning.gnm.training import GnmTrainee
from datagen.learning.loop import train
from datagen.learning.run import RunFolder
from datagen.models.genesis import Genesis

ARMS = {
    "gnm": (0, 1, 2),
    "hasty": (0,),
    "unwatched": (0,),
    **{f"vae-{beta}": (0,) for beta in (1, 2, 5, 10)},
    **{f"convdraw-{beta}": (0,) for beta in (1, 10)},
    "genesis-10": (0,),
}
STEPS = 15_000
LEARNED = 60_000  # pictures, as many as the paper has
# Seeds of pictures: to learn from (and the run's), to test on, of the probe, and real ones again.
TAUGHT, TEST, PROBE, REAL = 1000, 2000, 3000, 4000


def run(out: Path, mnist: Path, folder: Path, arm: str, seed: int) -> dict[str, Any]:
    """Trains and scores one arm."""
    known, unknown = digits(mnist).split()
    trainee = trainee_of(arm, scenes(known, TAUGHT + seed, LEARNED).pictures, STEPS, seed)
    every, clock = trainee.settings.checkpoint_every, Clock(folder / "cost.json")
    records = RunFolder(folder)
    train(records, "gnm", trainee, checkpoint_every=every, progress=clock)
    found = {"settings": trainee.settings.model_dump(), "cost": clock.read()}
    test, read = scenes(unknown, TEST, scores.SCORED), scores.reader(out, known)
    if isinstance(trainee, GnmTrainee):
        found |= _of_gnm(trainee, records, test, known, read)
        images = scores.samples(trainee.sampler(), 64, 0.0)
    else:
        images = baseline_samples(trainee, scores.SCORED)
        found["pictures"] = scores.of_pictures(images, test.pictures, read)
        found["parameters"] = sum(p.numel() for p in trainee.model.parameters())
        if isinstance(trainee.model, Genesis):
            found["parts"] = scores.of_parts(trainee.model, test)
            cv2.imwrite(str(folder / "parts.png"), sheet(*components(trainee.model, test.pictures)))
    cv2.imwrite(str(folder / "sample.png"), sheet(images))
    return found


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


def sheet(*rows: np.ndarray) -> np.ndarray:
    """The first 12 of each row, BGR."""
    whole = np.concatenate([np.concatenate(list(row[:12]), axis=1) for row in rows])
    return np.ascontiguousarray(whole[:, :, ::-1])


def share(out: Path, mnist: Path) -> None:
    """The judge, and real pictures."""
    known, unknown = digits(mnist).split()
    scores.reader(out, known)
    cv2.imwrite(str(out / "real.png"), sheet(scenes(unknown, TEST, scores.SCORED).pictures))


def real(out: Path, mnist: Path) -> dict[str, float]:
    """What real pictures come to."""
    known, unknown = digits(mnist).split()
    read = scores.reader(out, known)
    test, again = (scenes(unknown, seed, scores.SCORED).pictures for seed in (TEST, REAL))
    return scores.of_pictures(again, test, read) | {"judge": scores.right_share(read, unknown)}


PAGE = Page(
    "gnm",
    ARMS,
    run,
    page,
    {
        "gnm_mnist4.png": ["real.png", "gnm-0/sample.png"],
        "gnm_mnist4_genesis.png": ["genesis-10-0/parts.png", "genesis-10-0/sample.png"],
    },
    share,
    {"real": real},
)
BENCHMARK = runs.Benchmark(__file__, ("MNIST",), (PAGE,))

if __name__ == "__main__":
    runs.main(BENCHMARK)
