"""The page of `imle_modes.py`: one table of all arms, and pictures."""

import statistics
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from imle_modes_arms import ARMS
from measured import Result
from tables import spread, table

SHOWN = {  # sample -> what it is told as
    "regression-0/true.png": "the true sampler",
    "regression-0/drawn.png": "regression",
    "diverse-0/drawn.png": "the diversity loss",
    "full-0/drawn.png": "IMLE with rebalancing drawn as in learning",
    "full-0/bank.png": "the same from the bank",
}
_LAYOUTS, _CODES = 2, 16

HEAD = """# Does conditional IMLE find all ways that a layout can look?

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
Runs took a third of these minutes, partly because less ran beside them.
"""


_COLUMNS = (
    "arm", "codes", "recall at 60", "share", "none", "TV", "near", "features", "diversity",
    "consistency, all / valid", "windows", "minutes",
)  # fmt: skip


def page(found: Sequence[Result], others: Mapping[str, Result]) -> str:
    rows = _true(found)
    for arm, (told, _) in ARMS.items():
        runs = [run for run in found if run["arm"] == arm]
        rows += [_row(told, way, runs, found) for way in ("drawn", "bank") if _has(runs, way)]
    shown = f"""![Two layouts, sixteen codes each](imle_modes.jpg)

From the top, two layouts each with sixteen codes: {", ".join(SHOWN.values())}. All of seed 0, the
first codes there are.
"""
    return "\n".join([HEAD, table(_COLUMNS, rows), shown, _BEFORE])


def _has(runs: Sequence[Result], way: str) -> bool:
    return any(way in run for run in runs)


def _true(found: Sequence[Result]) -> list[list[str]]:
    runs = [run for run in found if "true" in run]
    return [_row("true sampler", "true", runs, found)] if runs else []


def _row(told: str, way: str, runs: Sequence[Result], found: Sequence[Result]) -> list[str]:
    regression = _reference(found, "regression", "drawn", "near")
    true = _reference(found, "regression", "true", "diversity")

    def cell(value: Callable[[Result], float]) -> str:
        values = [value(run) for run in runs]
        if way == "true":  # the same sampler in all runs
            values = [statistics.mean(values)]
        return spread(values, ".2f", statistics.mean)

    def each(key: str) -> str:
        columns = zip(*(run[way][key] for run in runs), strict=True)
        return " / ".join(f"{statistics.mean(column):.2f}" for column in columns)

    lowest = min(min(run[way]["recall"]) for run in runs)
    kinds = ("consistency", "consistency_valid")
    minutes = [run["cost"]["minutes"] for run in runs if way == "drawn" and run["cost"]]
    return [
        told,
        {"drawn": "as learned", "bank": "bank", "true": "-"}[way],
        f"{each('recall')} (lowest {lowest:.2f})",
        each("share"),
        cell(lambda run: run[way]["none"]),
        cell(lambda run: run[way]["tv"]),
        cell(lambda run: run[way]["near"] / regression(run)),
        cell(lambda run: run[way]["near_features"]),
        cell(lambda run: run[way]["diversity"] / true(run)),
        "-" if way == "true" else " / ".join(cell(lambda run, k=k: run[way][k]) for k in kinds),
        cell(lambda run: run[way]["windows"]),
        spread(minutes, ".1f", statistics.mean),
    ]


def _reference(found: Sequence[Result], arm: str, way: str, key: str) -> Callable[[Result], float]:
    """A reading of that arm with the same seed; or nan."""
    values = {run["seed"]: run[way][key] for run in found if run["arm"] == arm and way in run}
    return lambda run: values.get(run["seed"], float("nan"))


def sheet(draw: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """uint8: two layouts, sixteen codes each."""
    rows = [np.hstack(list(draw(k, _CODES))) for k in range(_LAYOUTS)]
    return np.rint(255 * np.vstack(rows)).astype(np.uint8)
