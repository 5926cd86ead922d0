"""Tables 1 and 2 of Meta-Sim2 on a city of our own: what learning is worth to a detector.

Run: python tests/benchmarks/detection_city.py OUT SQUEEZENET

OUT: that of `streets_learning.py OUT SQUEEZENET sim`, whose hidden city, prior and learned
structure are used. For each seed: scenes of the prior, with learned attributes (Meta-Sim), with
learned structure (Meta-Sim2), and with both; as many pictures of each train the same detector from
scratch for as many steps; pictures of the hidden city that nobody learned from tell its AP. What is
there under OUT is not made again; each call writes docs/results-detection-city.md anew from all
that is there, with pictures beside it.
"""

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from streets_learning import SEEDS, apart, cars, distances, once, seconds

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results-detection-city.md"
CANVAS = (480, 144)  # of training and test pictures
TRAIN, TEST = 1000, 400  # pictures
STEPS, BATCH = 500, 8
ROWS = ("prior", "attributes", "structure", "both")
TOLD = {
    "prior": "prior",
    "attributes": "attributes (Meta-Sim)",
    "structure": "structure (Meta-Sim2)",
    "both": "structure and attributes",
}
PRIOR = ("--set", "grammar=street_simple")
# Attributes are moved by what a network for photos sees early: light, and where walls and sky are.
ATTRIBUTES = (
    'learn.attributes.features.use="squeezenet"',
    'learn.attributes.features.options={layer="fire3", grid=4}',
    'learn.attributes.gradient="score"',
    "learn.attributes.steps=80",
    "learn.attributes.batch=32",
    "learn.attributes.leaps=0",
)
# As KITTI does: a van is neither a car nor is it wrong to take it for one.
TRAINING = (
    "train.categories={car=['car'], pedestrian=['pedestrian']}",
    "train.ignored=['van']",
    f"train.steps={STEPS}",
    f"train.batch={BATCH}",
)


def learned(out: Path, weights: Path, row: str, seed: int) -> Sequence[object]:
    """What `datagen generate` and `train` are given for a row: a recipe, or a run of `learn`."""
    if row == "prior":
        return ("street_3d", *PRIOR)
    run = out / f"run-{seed}" if row == "structure" else out / f"{row}-run-{seed}"
    if row != "structure":
        stages = '["attributes"]' if row == "attributes" else '["structure", "attributes"]'
        sets = [
            f"learn.stages={stages}",
            f"learn.seed={seed}",
            # The counting network of the run that learned structure alone: it is the same one.
            f"learn.features.weights={out / f'run-{seed}' / 'features.safetensors'}",
            f"learn.attributes.features.weights={weights}",
            *ATTRIBUTES,
        ]
        words = [word for text in sets for word in ("--set", text)]
        once(run, "learn", "street_3d", "--target", out / "photos", *PRIOR, *words)
    return (run,)


def trained(out: Path, weights: Path, row: str, seed: int) -> Path:
    """The evaluation of a detector that was trained on a row's pictures."""
    name = f"{row}-{seed}"
    pictures, run = out / f"pictures-{name}", out / f"detector-{name}"
    size = ("--set", f"canvas={list(CANVAS)}")
    source = learned(out, weights, row, seed)
    once(pictures, "generate", *source, *size, "--count", TRAIN, "--seed", 1000 + seed,
         "--workers", 2)  # fmt: skip
    sets = [word for text in (*TRAINING, f"train.seed={seed}") for word in ("--set", text)]
    once(run, "train", pictures, *sets)
    evaluation = out / f"evaluation-{name}"
    once(evaluation, "evaluate", run, out / "test")
    return evaluation


def city(out: Path, weights: Path) -> None:
    """All rows of all seeds whose structure has been learned."""
    once(out / "test", "generate", out / "hidden.toml", "--count", TEST, "--seed", 78,
         "--set", f"canvas={list(CANVAS)}", "--workers", 2)  # fmt: skip
    for seed in SEEDS:
        if not (out / f"run-{seed}.seconds").is_file():
            continue
        for row in ROWS:
            trained(out, weights, row, seed)
            compared = out / f"pictures-{row}-{seed}-compared"
            once(compared, "compare", out / f"pictures-{row}-{seed}", out / "test",
                 "--features", "squeezenet", "--weights", weights)  # fmt: skip
            PAGE.write_text(page(out))


# ------------------------------------------------------------------------------------------ page

HEAD = f"""# What learning is worth to a detector

Made by `python tests/benchmarks/detection_city.py OUT SQUEEZENET` after `streets_learning.py OUT
SQUEEZENET sim`, on 2 cores without a GPU.

The experiment of Meta-Sim2's tables 1 and 2 on a city of our own. The target is the hidden city of
[streets learned from pictures](results-street-learning.md): 800 unlabelled pictures to learn from,
and {TEST} others, with labels, to test on. Of each row {TRAIN:,} pictures of {CANVAS[0]} x
{CANVAS[1]} px train the small Mask R-CNN from random weights for {STEPS} steps of {BATCH} pictures.
AP of boxes in per cent; vans are neither right nor wrong, as in KITTI's benchmark; easy, moderate
and hard are KITTI's, for cars at an overlap of 0.5. Cars: Wasserstein-1 distance of labelled cars
an image to the test pictures.
"""


def page(out: Path) -> str:
    found = {
        (row, seed): json.loads((out / f"evaluation-{row}-{seed}" / "report.json").read_text())
        for seed in SEEDS
        for row in ROWS
        if (out / f"evaluation-{row}-{seed}.seconds").is_file()
    }
    return "\n".join([HEAD, *_each(out, found), "", *_spread(found), "", *_pictures(out)])


def _each(out: Path, found: Mapping[tuple[str, int], Mapping[str, Any]]) -> list[str]:
    lines = [
        "| seed | scenes | car AP50 | pedestrian AP50 | car AP | easy | moderate | hard |"
        " cars | Frechet |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    test = cars(out / "test")
    for (row, seed), report in sorted(
        found.items(), key=lambda kv: (kv[0][1], ROWS.index(kv[0][0]))
    ):
        boxes, kitti = report["bbox"]["per_category"], (report.get("kitti") or {}).get("car", {})
        levels = " | ".join(_percent(kitti.get(level)) for level in ("easy", "moderate", "hard"))
        pictures = out / f"pictures-{row}-{seed}"
        compared = out / f"pictures-{row}-{seed}-compared"
        frechet = "-"
        if (compared / "report.json").is_file():
            frechet = f"{distances(compared)['frechet']['generated']:.3g}"
        lines.append(
            f"| {seed} | {TOLD[row]} | {_percent(boxes['car']['AP50'])} | "
            f"{_percent(boxes['pedestrian']['AP50'])} | {_percent(boxes['car']['AP'])} | "
            f"{levels} | {apart(cars(pictures), test):.2f} | {frechet} |"
        )
    return lines


def _spread(found: Mapping[tuple[str, int], Mapping[str, Any]]) -> list[str]:
    lines = [
        "Over the seeds, car AP50 and what it is above the prior's of the same seed:",
        "",
        "| scenes | mean | lowest | highest | above the prior, mean | lowest | highest |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in ROWS:
        values = {s: _car(r) for (name, s), r in found.items() if name == row}
        gains = [v - _car(found["prior", s]) for s, v in values.items() if ("prior", s) in found]
        if gains:
            lines.append(f"| {TOLD[row]} | {_three(list(values.values()))} | {_three(gains)} |")
    return lines


def _car(report: Mapping[str, Any]) -> float:
    return report["bbox"]["per_category"]["car"]["AP50"]


def _three(values: Sequence[float]) -> str:
    three = (statistics.mean(values), min(values), max(values))
    return " | ".join(_percent(value) for value in three)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _pictures(out: Path) -> list[str]:
    """Six training pictures of each row beside the test's, of the first seed there is."""
    seed = next((s for s in SEEDS if (out / f"evaluation-both-{s}.seconds").is_file()), None)
    if seed is None:
        return []
    folders = [*(out / f"pictures-{row}-{seed}" for row in ROWS), out / "test"]
    columns = [
        np.vstack([cv2.imread(str(i)) for i in sorted(f.glob("*/*/*.jpg"))[:6]]) for f in folders
    ]
    small = cv2.resize(np.hstack(columns), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    path = PAGE.with_name("detection_city.jpg")
    cv2.imwrite(str(path), small, [cv2.IMWRITE_JPEG_QUALITY, 85])
    text = f"Prior, attributes, structure, both (seed {seed}), and the hidden city."
    minutes = seconds(out / f"detector-prior-{seed}") / 60
    return [f"![{text}]({path.name})", "", text, "", f"A training took {minutes:.1f} minutes.", ""]


if __name__ == "__main__":
    city(*(Path(word).resolve() for word in sys.argv[1:3]))
