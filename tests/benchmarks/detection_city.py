"""Tables 1 and 2 of Meta-Sim2 on a city of our own: what learning is worth to a detector.

Run: python tests/benchmarks/detection_city.py OUT LEARNED SQUEEZENET [SEED...]

LEARNED: the OUT of `streets_learning.py OUT SQUEEZENET sim`, whose first counting network is used
for all seeds: it knows the prior alone. For each seed: scenes of the prior, with learned laws of
attributes (whole laws, by simulated moments), with learned structure (Meta-Sim2), and with both; as
many pictures of each train the same detector from scratch for as many steps; pictures of the hidden
city that nobody learned from tell its AP. One more detector is trained on labelled pictures of the
city itself: the ceiling. What is there under OUT is not made again; each call writes
docs/results-detection-city.md anew from all that is there, with pictures beside it.
"""

import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from streets_learning import (
    HIDDEN,
    SEEDS,
    apart,
    cars,
    hidden,
    once,
    unlabelled,
)

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results-detection-city.md"
CANVAS = (480, 144)  # of training and test pictures
TRAIN, TEST = 1000, 400  # pictures
STEPS, BATCH = 400, 8
ROWS = ("prior", "structure", "both", "attributes")
CEILING = "city"
TOLD = {
    "prior": "prior",
    "attributes": "attributes (whole laws)",
    "structure": "structure (Meta-Sim2)",
    "both": "structure and attributes",
    CEILING: "the city itself",
}
PRIOR = ("--set", "grammar=street_simple")
# The hidden city of `streets_learning`, busier, and with people nearer.
BUSY = HIDDEN | {
    "LeftLane  -> Parked * uniform_int(0, 3)": "LeftLane -> Parked * choice(4 0.3, 6 0.4, 8 0.3)",
    "RightLane -> Parked * uniform_int(0, 3)": "RightLane -> Parked * choice(2 0.4, 4 0.6)",
    "Ahead * uniform_int(0, 2)": "Ahead * choice(1 0.3, 2 0.4, 3 0.3)",
    "Oncoming * uniform_int(0, 2)": "Oncoming * choice(2 0.3, 3 0.4, 4 0.3)",
    "LeftSide  -> left_house * uniform_int(0, 4) max 12 tree * uniform_int(0, 4) max 12 "
    "person * uniform_int(0, 2)": "LeftSide -> left_house * choice(4 0.5, 6 0.5) max 12 "
    "tree * uniform_int(0, 4) max 12 person * choice(2 0.3, 4 0.4, 6 0.3)",
    "RightSide -> right_house * uniform_int(0, 4) max 12 tree * uniform_int(0, 4) max 12 "
    "person * uniform_int(0, 2)": "RightSide -> right_house * choice(0 0.5, 2 0.5) max 12 "
    "tree * uniform_int(0, 4) max 12 person * choice(1 0.4, 3 0.6)",
    "y: uniform(4, 50) m mutable": "y: uniform(4, 30) m mutable",
}
for old in ("left_house * uniform_int(0, 4)", "right_house * uniform_int(0, 4)"):
    del BUSY[old]  # they stand in the longer ones
# Structure by how many things there are, in the picture and in each quarter of its width; laws of
# attributes by where the same network sees things: paints and light do not matter to it.
STRUCTURE = (
    "learn.features.options={regions=[4, 1]}",
    "learn.reinforcement.iterations=100",
)
ATTRIBUTES = (
    'learn.attributes.method="moments"',
    'learn.attributes.features.use="counts"',
    "learn.attributes.features.options={grid=[16, 6]}",
)
# As KITTI does: a van is neither a car nor is it wrong to take it for one.
TRAINING = (
    "train.categories={car=['car'], pedestrian=['pedestrian']}",
    "train.ignored=['van']",
    f"train.steps={STEPS}",
    f"train.batch={BATCH}",
)


STAGES = {
    "attributes": '["attributes"]',
    "structure": '["structure"]',
    # People who are learned to be nearer are fewer, and laws show best where counts are right.
    "both": '["structure", "attributes", "structure", "attributes"]',
}


@dataclass(frozen=True)
class Places:
    """Where things lie."""

    out: Path
    learned: Path  # the OUT of streets_learning.py
    squeezenet: Path

    def city(self) -> Path:
        """The recipe of the hidden city."""
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "busy.scene").write_text(hidden(BUSY))
        recipe = (ROOT / "configs" / "street_3d.toml").read_text()
        recipe = recipe.replace('grammar = "street_urban"', 'grammar = "busy.scene"')
        (self.out / "busy.toml").write_text(recipe.replace("noise = 2.0", "noise = 3.0"))
        return self.out / "busy.toml"


def learned(at: Places, row: str, seed: int) -> Sequence[object]:
    """What `datagen generate` is given for a row: a recipe, or a run of `learn`."""
    if row == CEILING:
        return (at.city(),)
    if row == "prior":
        return ("street_3d", *PRIOR)
    run = at.out / f"{row}-run-{seed}"
    network = at.learned / "run-0" / "features.safetensors"
    sets = [
        f"learn.stages={STAGES[row]}",
        f"learn.seed={seed}",
        f"learn.features.weights={network}",
        f"learn.attributes.features.weights={network}",
        *STRUCTURE,
        *ATTRIBUTES,
    ]
    words = [word for text in sets for word in ("--set", text)]
    once(run, "learn", "street_3d", "--target", at.out / "photos", *PRIOR, *words)
    return (run,)


def trained(at: Places, row: str, seed: int) -> None:
    """A detector that was trained on a row's pictures, evaluated on the city's."""
    name, size = f"{row}-{seed}", ("--set", f"canvas={list(CANVAS)}")
    pictures, run = at.out / f"pictures-{name}", at.out / f"detector-{name}"
    once(pictures, "generate", *learned(at, row, seed), *size, "--count", TRAIN,
         "--seed", 1000 + seed, "--workers", 2)  # fmt: skip
    sets = [word for text in (*TRAINING, f"train.seed={seed}") for word in ("--set", text)]
    once(run, "train", pictures, *sets)
    once(at.out / f"evaluation-{name}", "evaluate", run, at.out / "test")
    once(at.out / f"pictures-{name}-compared", "compare", pictures, at.out / "test",
         "--features", "squeezenet", "--weights", at.squeezenet)  # fmt: skip


def city(at: Places, seeds: Sequence[int]) -> None:
    recipe = at.city()
    once(at.out / "target", "generate", recipe, "--count", 800, "--seed", 77, "--workers", 2)
    unlabelled(at.out / "target", at.out / "photos")
    once(at.out / "test", "generate", recipe, "--count", TEST, "--seed", 78,
         "--set", f"canvas={list(CANVAS)}", "--workers", 2)  # fmt: skip
    for seed in seeds:
        for row in (*ROWS, *([CEILING] if seed == SEEDS[0] else [])):
            trained(at, row, seed)
            PAGE.write_text(page(at.out))


# ------------------------------------------------------------------------------------------ page

HEAD = f"""# What learning is worth to a detector

Made by `python tests/benchmarks/detection_city.py OUT LEARNED SQUEEZENET` after
`streets_learning.py LEARNED SQUEEZENET sim`, on 2 cores without a GPU.

The experiment of Meta-Sim2's tables 1 and 2 on a city of our own: `street_simple` with other laws
for how many of everything there are (`BUSY` in the script), people nearer, another camera place,
other paints, houses, weather and light, and a noisier sensor. 800 unlabelled pictures of it are
learned from; {TEST} others, with labels, are the test. Of each row {TRAIN:,} pictures of
{CANVAS[0]} x {CANVAS[1]} px train the small Mask R-CNN from random weights for {STEPS} steps of
{BATCH} pictures. AP of boxes in per cent, AP50 also as mean of both categories; vans are neither
right nor wrong, as in KITTI's benchmark; easy, moderate and hard are KITTI's, for cars at an
overlap of 0.5. Cars: Wasserstein-1 distance of labelled cars an image to the test pictures.
Frechet: of SqueezeNet's pooled features. One counting network, which learned from pictures of the
prior alone, serves all seeds; scenes, learning and detectors have seeds of their own. Structure
(Meta-Sim2) is learned from its counts in the whole picture and in each quarter of its width
(`counts` with `regions = [4, 1]`); of attributes whole laws are, by the method of simulated
moments, from where the same network sees things (`grid = [16, 6]`). In `structure and attributes`
both take turns, twice each. A row that is not there was not run.
"""


def page(out: Path) -> str:
    found = {
        (row, seed): json.loads((out / f"evaluation-{row}-{seed}" / "report.json").read_text())
        for seed in SEEDS
        for row in TOLD
        if (out / f"evaluation-{row}-{seed}.seconds").is_file()
    }
    return "\n".join(
        [HEAD, *_each(out, found), "", *_spread(found), *_laws(out, found), *_pictures(out)]
    )


def _each(out: Path, found: Mapping[tuple[str, int], Mapping[str, Any]]) -> list[str]:
    lines = [
        "| seed | scenes | AP50 | car AP50 | pedestrian AP50 | car AP | easy | moderate | hard |"
        " cars | Frechet |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    test = cars(out / "test")
    for (row, seed), report in sorted(
        found.items(), key=lambda kv: (kv[0][1], list(TOLD).index(kv[0][0]))
    ):
        boxes, kitti = report["bbox"]["per_category"], (report.get("kitti") or {}).get("car", {})
        levels = " | ".join(_percent(kitti.get(level)) for level in ("easy", "moderate", "hard"))
        pictures = out / f"pictures-{row}-{seed}"
        compared = out / f"pictures-{row}-{seed}-compared"
        frechet = "-"
        if (compared / "report.json").is_file():
            frechet = f"{_frechet(compared):.3g}"
        lines.append(
            f"| {seed} | {TOLD[row]} | {_percent(report['bbox']['AP50'])} | "
            f"{_percent(boxes['car']['AP50'])} | "
            f"{_percent(boxes['pedestrian']['AP50'])} | {_percent(boxes['car']['AP'])} | "
            f"{levels} | {apart(cars(pictures), test):.2f} | {frechet} |"
        )
    return lines


def _spread(found: Mapping[tuple[str, int], Mapping[str, Any]]) -> list[str]:
    """Cars are what the paper's tables are about."""
    lines = []
    for told, value in (("car AP50", _car), ("AP50, mean of both categories", _mean)):
        lines += [
            f"Over the seeds, {told}, and what it is above the prior's of the same seed:",
            "",
            "| scenes | seeds | mean | lowest | highest | above the prior | lowest | highest |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        for row, name in TOLD.items():
            values = {s: value(r) for (r_, s), r in found.items() if r_ == row}
            gains = [
                v - value(found["prior", s]) for s, v in values.items() if ("prior", s) in found
            ]
            if gains:
                lines.append(
                    f"| {name} | {len(gains)} | {_three([*values.values()])} | {_three(gains)} |"
                )
        lines.append("")
    return lines


# What stands otherwise in the hidden city, and what does not; all of them may be learned.
LAWS = (
    ("Scene", "x", "camera beside the middle, m"),
    ("Scene", "yaw", "camera turned, degrees"),
    ("person", "y", "people ahead of the start, m"),
    ("Ahead", "gap", "room to cars ahead, m"),
    ("Oncoming", "gap", "room to oncoming cars, m"),
    ("Parked", "gap", "room between parked cars, m"),
)


def _laws(out: Path, found: Mapping[tuple[str, int], Mapping[str, Any]]) -> list[str]:
    """Means of attributes in the scenes of each row, beside the city's own."""
    lines = [
        "Mean of attributes in the training scenes; the first, third and fourth are otherwise in",
        "the hidden city, and learning was told none of them:",
        "",
        "| seed | scenes | " + " | ".join(told for *_, told in LAWS) + " |",
        "| --- | --- |" + " --- |" * len(LAWS),
    ]
    rows = [(seed, row) for row, seed in found if row not in ("structure", CEILING)]
    for seed, row in sorted(rows, key=lambda one: (one[0], list(TOLD).index(one[1]))):
        lines.append(f"| {seed} | {TOLD[row]} | {_means(out / f'pictures-{row}-{seed}')} |")
    return [*lines, f"| | the hidden city | {_means(out / 'test')} |", ""]


def _means(dataset: Path) -> str:
    seen: dict[tuple[str, str], list[float]] = {(symbol, name): [] for symbol, name, _ in LAWS}
    for line in (dataset / "scenes.jsonl").read_text().splitlines():
        stack = [json.loads(line)["scene"]["root"]]
        while stack:
            node = stack.pop()
            stack += node.get("children", ())
            for symbol, name in seen:
                if node["symbol"] == symbol:
                    seen[symbol, name].append(float(node["attributes"][name]))
    seen["Scene", "yaw"] = [math.degrees(turn) for turn in seen["Scene", "yaw"]]
    return " | ".join(f"{statistics.mean(values):.2f}" for values in seen.values())


def _car(report: Mapping[str, Any]) -> float:
    return report["bbox"]["per_category"]["car"]["AP50"]


def _mean(report: Mapping[str, Any]) -> float:
    return report["bbox"]["AP50"]


def _frechet(compared: Path) -> float:
    """Of a row's pictures to the test's, as `datagen compare` gives it."""
    told = json.loads((compared / "report.json").read_text())["distances"]
    (one,) = (d for d in told if d["key"] == "frechet")
    return one["readings"]["generated"]["whole"]


def _three(values: Sequence[float]) -> str:
    three = (statistics.mean(values), min(values), max(values))
    return " | ".join(_percent(value) for value in three)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _pictures(out: Path) -> list[str]:
    """Six training pictures of each row beside the test's, of the seed that has most rows."""
    there = {s: [r for r in ROWS if (out / f"evaluation-{r}-{s}.seconds").is_file()] for s in SEEDS}
    seed = max(SEEDS, key=lambda s: len(there[s]))
    folders = [*(out / f"pictures-{row}-{seed}" for row in there[seed]), out / "test"]
    columns = [
        np.vstack([cv2.imread(str(i)) for i in sorted(f.glob("*/*/*.jpg"))[:6]]) for f in folders
    ]
    small = cv2.resize(np.hstack(columns), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    path = PAGE.with_name("detection_city.jpg")
    cv2.imwrite(str(path), small, [cv2.IMWRITE_JPEG_QUALITY, 85])
    names = ", ".join(TOLD[row] for row in there[seed])
    text = f"Seed {seed}: {names}; last, the hidden city."
    return [f"![{text}]({path.name})", "", text, ""]


if __name__ == "__main__":
    places = Places(*(Path(word).resolve() for word in sys.argv[1:4]))
    city(places, [int(word) for word in sys.argv[4:]] or SEEDS)
