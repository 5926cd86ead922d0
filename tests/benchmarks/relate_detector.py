"""What RELATE's labels are worth to a detector, beside true ones.

Run: python tests/benchmarks/relate_detector.py OUT BOWLS [--jobs 2] [--seeds 0 1 2]

BOWLS: the OUT of `relate_bowls.py`, whose runs `large-centred` have learned to make pictures; what
is missing of them is made there first. Both arms have as many pictures, the same steps, settings
and seeds; what is measured is the last step's detector. Writes docs/results-relate-detector.md.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import relate_bowls
import runs
from clock import costed
from pages import Page
from relate_bowls_world import LARGE, described
from relate_detector_page import PICTURE, page

from datagen import pipeline, rle
from datagen.dataset.store import read_json
from datagen.detecting.evaluation import Request, evaluate
from datagen.detecting.job import train
from datagen.detecting.lessons import lesson
from datagen.labelled import Box, Detections, Picture, Thing
from datagen.learning.relate.weights import save_relate_model
from datagen.reading import load_image, read
from datagen.recipe import Recipe
from datagen.scoring.given import read_detections

TAUGHT = "large-centred"  # the arm of relate_bowls.py whose models make pictures
TRAIN, TEST = 600, 500  # pictures
DREAMED, HELD_OUT = 2000, 9000  # seeds: of RELATE's pictures for a run's seed 0, of the test
TRAINING = {
    "steps": 300,
    "batch": 8,
    "warmup": 30,
    "holdout": 0.0,  # all pictures are learned from, and the last weights are kept
    "detector.options.side": 96,  # px; a ball is then as large as one of its anchors
}
_MEASURES = ("AP50", "AP75", "AP")
_SHOWN, _SCALE, _SURE = 6, 4, 0.5  # pictures, how many times as large, least score that is drawn
_BOX, _MASK = (80, 200, 80), (60, 220, 250)  # BGR


def dreamed(bowls: Path, folder: Path, seed: int) -> Recipe:
    """What RELATE makes, labelled by toggling; what its gate rejects is made anew."""
    run = bowls / f"{TAUGHT}-{seed}"
    run.mkdir(parents=True, exist_ok=True)
    trainee = relate_bowls.taught(bowls, run, TAUGHT, seed)
    blank = described(LARGE, "relate_bowl", DREAMED + seed, TRAIN)
    weights = folder / "relate.safetensors"
    save_relate_model(weights, trainee, blank.world())
    return blank.with_weights({"relate": weights})


def real(bowls: Path, folder: Path, seed: int) -> Recipe:
    """The first of the pictures that RELATE learned from, with their true labels."""
    return described(LARGE, LARGE.grammar, relate_bowls.FIRST + seed, TRAIN)


ARMS: Mapping[str, Callable[[Path, Path, int], Recipe]] = {"relate": dreamed, "true": real}


def run(out: Path, bowls: Path, folder: Path, arm: str, seed: int) -> dict[str, Any]:
    """Makes an arm's pictures, trains a detector on them, and tries it on real ones."""
    pictures, detector, tried = (folder / name for name in ("pictures", "detector", "evaluation"))
    settings = TRAINING | {"seed": seed}
    sets = [f"train.{key}={value}" for key, value in settings.items()]
    test = read(out / "test")
    cost = {
        "pictures": costed(
            pictures, lambda: pipeline.generate(ARMS[arm](bowls, folder, seed), pictures)
        ),
        "training": costed(detector, lambda: train(lesson(str(pictures), sets), detector)),
        "evaluation": costed(tried, lambda: evaluate(Request(detector, out / "test"), tried)),
    }
    report = read_json(tried / "report.json")
    found = read_detections(tried / "detections.json", test).found
    cv2.imwrite(str(folder / "sample.png"), sheet(test.pictures, [_sure(one) for one in found]))
    return {
        "pictures": {"RELATE": relate_bowls.LEARNED, "detector": TRAIN, "test": TEST},
        "settings": settings,
        "cost": cost,
        "rejected": read_json(pictures / "manifest.json").get("rejected_attempts", 0),
        "boxes": {name: report["bbox"][name] for name in _MEASURES},
        "masks": {name: report["segm"][name] for name in _MEASURES},
    }


# ---------------------------------------------------------------------------------------- picture

Outline = tuple[Box, Mapping[str, Any]]  # a box, and a mask as COCO run lengths


def sheet(pictures: Sequence[Picture], outlines: Sequence[Sequence[Outline]]) -> np.ndarray:
    """The first pictures with boxes and masks, as one row; BGR."""
    shown = zip(pictures[:_SHOWN], outlines[:_SHOWN], strict=True)
    return np.concatenate([_cell(*both) for both in shown], axis=1)


def _cell(picture: Picture, outlines: Sequence[Outline]) -> np.ndarray:
    cell = _larger(load_image(picture)[:, :, ::-1])
    for (x, y, width, height), mask in outlines:
        edges, _ = cv2.findContours(
            _larger(rle.decode([mask])[0].T), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(cell, edges, -1, _MASK)
        left, top, right, bottom = (round(_SCALE * n) for n in (x, y, x + width, y + height))
        cv2.rectangle(cell, (left, top), (right - 1, bottom - 1), _BOX)
    return cell


def _larger(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.repeat(_SCALE, 0).repeat(_SCALE, 1))


def _labelled(things: Sequence[Thing]) -> list[Outline]:
    return [(one.box, one.mask) for one in things if one.mask is not None]


def _sure(found: Detections) -> list[Outline]:
    assert found.masks is not None
    rows = zip(found.boxes.tolist(), found.masks, found.scores, strict=True)
    return [(tuple(box), mask) for box, mask, score in rows if score >= _SURE]


def share(out: Path, bowls: Path) -> None:
    """The real pictures that all detectors are tried on, with true labels."""
    held_out = described(LARGE, LARGE.grammar, HELD_OUT, TEST)
    pipeline.generate(held_out, out / "test", resume=(out / "test").exists())
    pictures = read(out / "test").pictures
    cv2.imwrite(str(out / "real.png"), sheet(pictures, [_labelled(one.things) for one in pictures]))


SEEDS = (0, 1, 2)
PAGE = Page(
    "relate-detector",
    dict.fromkeys(ARMS, SEEDS),
    run,
    page,
    {PICTURE: ["real.png", "relate-0/sample.png", "true-0/sample.png"]},
    share,
)
BENCHMARK = runs.Benchmark(__file__, ("BOWLS",), (PAGE,))

if __name__ == "__main__":
    runs.main(BENCHMARK)
