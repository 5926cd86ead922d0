"""What the small Mask R-CNN costs, and how well it finds things after a minute of training.

Run: python -m pytest -q -s tests/benchmarks/bench_detector.py
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from coloured_pictures import labelled, picture, rectangle

from datagen import pipeline, recipe
from datagen.reading import load_image, read
from datagen.rng import Stream, rng_for
from datagen.scoring.coco import score
from datagen.settings.train import Train
from datagen.threads import one_thread
from detectors.mask_rcnn import Detector

STEPS = 240  # of eight pictures
HELD_OUT = 100
LEAST_AP50 = 0.85  # 0.95 was measured
SIZES = ((128, 128), (640, 192))
TIMED = 8  # steps


def test_print_what_a_training_on_aerial_comes_to(tmp_path: Path) -> None:
    made = recipe.load("aerial", [f"count={500 + HELD_OUT}", "seed=5"])
    pipeline.generate(made, tmp_path / "aerial", workers=2)
    settings = Train(steps=STEPS, warmup=30, learning_rate=2e-3)
    whole = read(tmp_path / "aerial").ignoring(settings.min_visible_fraction, settings.min_pixels)
    lesson, test = whole.part(range(500)), whole.part(range(500, 500 + HELD_OUT))
    images = [load_image(one) for one in test.pictures]
    with one_thread():
        pupil = Detector().pupil(lesson, settings, None)
        training = seconds(lambda: [pupil.step(k) for k in range(STEPS)])
        finding = seconds(lambda: pupil.detect(images))
        found = pupil.detect(images)
    boxes, masks = (score(test, found, kind).AP50 for kind in ("bbox", "segm"))
    assert boxes is not None and masks is not None
    say(f"aerial, {STEPS} steps of {settings.batch} pictures of 128 x 128, one thread")
    say(f"  training   {STEPS * settings.batch / training:6.1f} images/s ({training:.0f} s)")
    say(f"  detecting  {HELD_OUT / finding:6.1f} images/s")
    say(f"  AP50 on {HELD_OUT} other images: boxes {boxes:.3f}, masks {masks:.3f}")
    assert boxes > LEAST_AP50


@pytest.mark.parametrize("size", SIZES)
def test_print_the_cost_of_untrained_weights(size: tuple[int, int], tmp_path: Path) -> None:
    """Comparable with RECIPES.md: every proposal survives, so this is the dearest detecting."""
    pictures = []
    for k in range(8):
        draw = rng_for(k, 0, Stream.EVALUATE)
        corners = draw.integers(0, (size[0] - 30, size[1] - 30), (12, 2)).tolist()
        things = [rectangle(0, (x, y, 24, 16), size) for x, y in corners]
        pictures.append(picture(tmp_path, f"{k}.png", things, size, k))
    images = [load_image(one) for one in pictures]
    with one_thread():
        pupil = Detector().pupil(labelled(tmp_path, pictures), Train(), None)
        pupil.step(0)  # decodes
        steps = [seconds(lambda k=k: pupil.step(k)) for k in range(1, 1 + TIMED)]
        pupil = Detector().pupil(labelled(tmp_path, pictures), Train(), None)
        finds = [seconds(lambda: pupil.detect(images)) for _ in range(3)]
    training, finding = (1000 * float(np.median(times)) / 8 for times in (steps, finds))
    say(f"{size[0]} x {size[1]}, random weights: {training:.0f} ms train, {finding:.0f} ms detect")


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201
