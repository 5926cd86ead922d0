"""GNM before a background: balls in a bowl, found in pictures and made anew.

Run: python tests/benchmarks/gnm_bowls.py OUT [--jobs 2] [--seeds 0 1 2] [--only ARM ...]

The worlds of relate_bowls.py, whose measures of pictures these are. What is measured is the last
step's model, never a better one on the way. Writes docs/results-gnm-bowls.md.
"""

import time
from collections.abc import Sequence
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import runs
import torch
from clock import Clock
from gnm_bowls_page import PICTURES, page
from pages import Page
from relate_bowls_measures import agreeing, features, floor, frechet, valid
from relate_bowls_world import DENSE, SPARSE, World, described, pictures

from datagen import pipeline, rle
from datagen.frame import Frame
from datagen.learning.gnm.finding import found_in
from datagen.learning.gnm.objects import frame_of
from datagen.learning.gnm.training import GnmTrainee
from datagen.learning.loop import train
from datagen.learning.run import RunFolder
from datagen.metrics.balls import find_balls
from datagen.models.gnm import Gnm, Noise
from datagen.reading import load_image, read
from datagen.rng import Stream, rng_for
from datagen.scoring.coco import score
from datagen.settings.gnm import GnmLearning

LEARNED, FIRST = 8000, 1000  # pictures, and the seed of a run's seed 0; as RELATE has them
TEST, HELD_OUT = 500, 9000  # pictures in which balls are looked for, and their seed
MADE = 2000
_SHOWN, _SCALE = 12, 2
_BOX = (80, 200, 80)  # BGR


class Arm(NamedTuple):
    world: World
    size: float  # of a ball, as a share of the picture


ARMS = {"sparse": Arm(SPARSE, 0.16), "dense": Arm(DENSE, 0.24)}
SHARED = {
    "steps": 5000, "lessons": 0.25, "ramp": 0.25, "again": 0.25, "last": 0.25, "beta": 1.0,
    "sharp": 1.0, "alpha": True, "background": 8, "cell": 8, "glimpse": 8,
}  # fmt: skip


def run(out: Path, folder: Path, name: str, seed: int) -> dict[str, Any]:
    """Trains and measures one arm."""
    arm = ARMS[name]
    settings = GnmLearning.model_validate({**SHARED, "size": arm.size})
    trainee = GnmTrainee(pictures(arm.world, out, FIRST + seed, LEARNED).images, settings, seed)
    clock = Clock(folder / "cost.json")
    every = settings.checkpoint_every
    train(RunFolder(folder), "gnm", trainee, checkpoint_every=every, progress=clock)
    model = trainee.sampler()
    began = time.process_time()
    frames = made(model, MADE)
    seconds = time.process_time() - began
    cv2.imwrite(str(folder / "sample.png"), sheet(model, frames, out / f"test-{arm.world.name}"))
    return {
        "settings": settings.model_dump(),
        "cost": clock.read() | {"frames/s": MADE / seconds},
        "found": looked_for(model, out / f"test-{arm.world.name}"),
        "made": _of_frames(frames, arm.world, out),
    }


def looked_for(model: Gnm, folder: Path) -> dict[str, float | None]:
    """What it finds in pictures that it has not seen, against true labels."""
    truth = read(folder)
    found = [found_in(model, load_image(picture)) for picture in truth.pictures]
    boxes, masks = (score(truth, found, kind) for kind in ("bbox", "segm"))
    right = [len(f.scores) == len(p.things) for f, p in zip(found, truth.pictures, strict=True)]
    return {
        "boxes AP50": boxes.AP50,
        "boxes AP": boxes.AP,
        "masks AP50": masks.AP50,
        "masks AP": masks.AP,
        "right number": float(np.mean(right)),
    }


def made(model: Gnm, count: int) -> list[Frame]:
    """As `datagen generate` makes them."""
    frames = []
    with torch.inference_mode():
        for k in range(count):
            noise = Noise.of(model.sizes, rng_for(1, k, Stream.EVALUATE), 1)
            frames.append(frame_of(model, model.generate(noise), 1, ("ball",)))
    return frames


def _of_frames(frames: Sequence[Frame], world: World, out: Path) -> dict[str, float]:
    """Pictures by their colours, and labels against colours where both balls are seen."""
    images = np.stack([frame.image for frame in frames])
    balls = find_balls(images, world.radius)
    both = np.flatnonzero(balls.seen.all(1))
    theirs = balls.masks[both]
    ours = [_matched(frames[k], masks) for k, masks in zip(both.tolist(), theirs, strict=True)]
    masks, boxes = agreeing(ours, theirs)
    two = [len(frame.instances) == 2 for frame in frames]
    return valid(images, world) | {
        "frechet": frechet(images, world, out),
        "two": float(np.mean(two)),
        "mask IoU": masks,
        "box IoU": boxes,
    }


def _matched(frame: Frame, balls: np.ndarray) -> np.ndarray:
    """Of a frame's things those that agree best with balls [2, H, W], in their order."""
    things = [frame.instance_map == one.id for one in frame.instances]
    things += [np.zeros_like(balls[0])] * max(0, len(balls) - len(things))
    shares = [[(a & b).sum() / max(1, (a | b).sum()) for a in things] for b in balls]
    chosen = max(
        permutations(range(len(things)), len(balls)),
        key=lambda order: sum(row[k] for row, k in zip(shares, order, strict=True)),
    )
    return np.stack([things[k] for k in chosen])


# ---------------------------------------------------------------------------------------- picture


def sheet(model: Gnm, frames: Sequence[Frame], test: Path) -> np.ndarray:
    """The first test pictures and what is found; the first made ones and their labels; BGR."""
    photos = [load_image(picture) for picture in read(test).pictures[:_SHOWN]]
    found = [found_in(model, photo).boxes for photo in photos]
    images = [frame.image for frame in frames[:_SHOWN]]
    labels = [_boxes(frame) for frame in frames[:_SHOWN]]
    rows = [_row(photos, found), _row(images, [()] * _SHOWN), _row(images, labels)]
    return np.concatenate(rows)


def _boxes(frame: Frame) -> np.ndarray:
    return rle.boxes([rle.encode(frame.instance_map == one.id) for one in frame.instances])


def _row(images: Sequence[np.ndarray], boxes: Sequence[Sequence[Any] | np.ndarray]) -> np.ndarray:
    return np.concatenate([_cell(*both) for both in zip(images, boxes, strict=True)], 1)


def _cell(image: np.ndarray, boxes: Sequence[Any] | np.ndarray) -> np.ndarray:
    cell = np.ascontiguousarray(image[:, :, ::-1].repeat(_SCALE, 0).repeat(_SCALE, 1))
    for box in boxes:
        x, y, width, height = (round(_SCALE * float(n)) for n in box)
        cv2.rectangle(cell, (x - 1, y - 1), (x + width, y + height), _BOX)
    return cell


def share(out: Path) -> None:
    """True labels to test on, and the features of the Frechet distance."""
    for world in (SPARSE, DENSE):
        features(world, out)
        folder = out / f"test-{world.name}"
        held_out = described(world, world.grammar, HELD_OUT, TEST)
        pipeline.generate(held_out, folder, resume=folder.exists())


PAGE = Page(
    "gnm-bowls",
    dict.fromkeys(ARMS, (0, 1, 2)),
    run,
    page,
    PICTURES,
    share,
    {f"real-{world.name}": partial(floor, world) for world in (SPARSE, DENSE)},
)
BENCHMARK = runs.Benchmark(__file__, (), (PAGE,))

if __name__ == "__main__":
    runs.main(BENCHMARK)
