"""The page of `imle_modes.py`: one table of all arms, and pictures."""

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from imle_modes_arms import ARMS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results-imle-modes.md"
SHEET = ROOT / "docs" / "imle_modes.jpg"
_LAYOUTS, _COLUMNS = 2, 16

HEAD = """# Does conditional IMLE find all ways that a layout can look?

Made by `python tests/benchmarks/imle_modes.py OUT SQUEEZENET --jobs 2`, on CPUs, one thread a run.

Street layouts of 48 px that our own renderer draws in one of four ways: day (.50), dusk (.30),
overcast (.15) and night (.05). 1000 pairs, one picture of each layout, are learned from; what is
measured is drawn on layouts that nobody learned from. All arms have the same body (about 80,000
parameters) and the same number of steps of the same size. CRN's regression gives one picture for a
layout; the diversity loss rewards two noises for two pictures.

Each number is the mean over the seeds, and in brackets the lowest and the highest. **Recall**: how
often 60 codes show a mode at all, in the order day / dusk / overcast / night; a sampler that knows
the law finds night in 95 %. **Share** of pictures in each mode, and in none: a picture shows a mode
where the mean colours of its classes are within .08 of the mode's (a mean over classes; the two
nearest modes are .16 apart). **TV**: total variation to the law, pictures in no mode counted as
wrong. **Near**: mean L1 to the true picture of the nearest of 20 codes, over that of regression.
**Features**: distance of SqueezeNet's maps of that picture to the truth, where two random photos
have 1. **Diversity**: distance of maps between two codes' pictures of one layout, over that of the
true sampler. Everything is drawn with 240 codes, whose own chance moves the share of day by .03
(standard deviation). **Consistency**: share of layouts on which a code shows its most frequent
mode; and of those pictures that show any. **Windows**: correlation of brightness on buildings with
the true windows. Minutes are of one core's time, for learning.

"Grain" is noise of each pixel's own, which is drawn anew at each look and never chosen. The texture
term compares how much pixels and maps vary within small cells. "Bank", which datasets draw from
unless told otherwise, draws from the same network codes that the photos themselves chose after
learning, each photo one among 24: no photo more often than another, whatever learning looked at
more often. (That it would put the law right was a guess before it was measured here.)
"""

_BEFORE = """Before the texture term, deeper maps and longer pretraining were the defaults (three
seeds, mean TV as learned and from the bank): IMLE with m = 48 and no rebalancing .15 and .04, all
looks shown; with the loss mask .36 and .04; with m = 8 and rebalancing .30 and .04, windows .21.
Runs took a third of these minutes, partly because less ran beside them."""


def page(found: Sequence[Mapping[str, Any]], shown: Sequence[str]) -> str:
    """`shown`: what the rows of the picture are, from the top."""
    lines = [
        HEAD,
        "| arm | codes | recall at 60 | share | none | TV | near | features | diversity |"
        " consistency, all / valid | windows | minutes |",
        "| --- " * 12 + "|",
        *_true(found),
    ]
    for arm, (told, _) in ARMS.items():
        runs = [run for run in found if run["arm"] == arm]
        lines += [_row(told, way, runs, found) for way in ("drawn", "bank") if _has(runs, way)]
    seeds = sorted({run["seed"] for run in found})
    lines += [
        "",
        f"Seeds {', '.join(map(str, seeds))}. " + _machine(),
        "",
        "![Two layouts, sixteen codes each](imle_modes.jpg)",
        "",
        f"From the top, two layouts each with sixteen codes: {', '.join(shown)}. All of seed 0, "
        "the first codes there are.",
        "",
    ]
    if missing := [told for arm, (told, _) in ARMS.items() if arm not in {r["arm"] for r in found}]:
        lines += [f"**Not run:** {'; '.join(missing)}.", ""]
    lines += [_BEFORE, ""]
    return "\n".join(lines)


def _has(runs: Sequence[Mapping[str, Any]], way: str) -> bool:
    return any(way in run for run in runs)


def _true(found: Sequence[Mapping[str, Any]]) -> list[str]:
    runs = [run for run in found if "true" in run]
    return [_row("true sampler", "true", runs, found)] if runs else []


def _row(
    told: str, way: str, runs: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]
) -> str:
    regression = _reference(found, "regression", "drawn", "near")
    true = _reference(found, "regression", "true", "diversity")

    def spread(value: Callable[[Mapping[str, Any]], float], digits: int = 2) -> str:
        values = [value(run) for run in runs]
        mean = f"{statistics.mean(values):.{digits}f}"
        if len(values) == 1 or way == "true":
            return mean
        return f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"

    def each(key: str) -> str:
        columns = zip(*(run[way][key] for run in runs), strict=True)
        return " / ".join(f"{statistics.mean(column):.2f}" for column in columns)

    lowest = min(min(run[way]["recall"]) for run in runs)
    cells = [
        told,
        {"drawn": "as learned", "bank": "bank", "true": "-"}[way],
        f"{each('recall')} (lowest {lowest:.2f})",
        each("share"),
        spread(lambda run: run[way]["none"]),
        spread(lambda run: run[way]["tv"]),
        spread(lambda run: run[way]["near"] / regression(run)),
        spread(lambda run: run[way]["near_features"]),
        spread(lambda run: run[way]["diversity"] / true(run)),
        "-"
        if way == "true"
        else f"{spread(lambda run: run[way]['consistency'])} / "
        f"{spread(lambda run: run[way]['consistency_valid'])}",
        spread(lambda run: run[way]["windows"]),
        "-" if way != "drawn" else spread(lambda run: run["seconds"] / 60, 1),
    ]
    return f"| {' | '.join(cells)} |"


def _reference(
    found: Sequence[Mapping[str, Any]], arm: str, way: str, key: str
) -> Callable[[Mapping[str, Any]], float]:
    """A reading of that arm with the same seed; or nan."""
    values = {run["seed"]: run[way][key] for run in found if run["arm"] == arm and way in run}
    return lambda run: values.get(run["seed"], float("nan"))


def _machine() -> str:
    return (
        f"Machine: {os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}; other work on it was not excluded."
    )


def sheet(draw: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """uint8: two layouts, sixteen codes each."""
    rows = [np.hstack(list(draw(k, _COLUMNS))) for k in range(_LAYOUTS)]
    pixels = np.rint(255 * np.vstack(rows)).astype(np.uint8)
    return cv2.copyMakeBorder(pixels, 0, 6, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
