"""The report of a training: one HTML file that needs nothing beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from datagen.report import colour_of, figures
from datagen.report.embedded import picture
from datagen.report.page import write_page

RESULT = "train.json"
_POINTS = 600  # of a curve; more are averaged
_FIRST = ("AP50", "loss")  # curves in this order, then by name
_HIDDEN = ("phase", "iteration", "learning_rate")  # the last is a formula, no finding
_UNITS = {"AP50": "AP50 of boxes, %"}
_PERCENT = ("AP50",)
_MEASURES = ("AP50", "AP")  # columns of the table


@dataclass(frozen=True)
class _Row:
    """How well one category is found: numbers in percent, None where nothing is to be found."""

    name: str
    colour: str
    learned: int  # things in the training pictures
    there: int  # in the validation pictures
    scores: list[float | None]


def write_training(run: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    """Write `report.html` into the run's folder, from its train.json and the readings."""
    return write_page(
        run / RESULT, "training.html", "train", lambda data: _context(run, data, records)
    )


def _context(
    run: Path, data: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        "title": str(data["title"]),
        "facts": _facts(data),
        "remarks": [str(one) for one in data["remarks"]],
        "heads": _heads(data["validation"]),
        "rows": list(_rows(data)),
        "pictures": [picture(run, one) for one in data["sheets"]],
        "curves": list(_curves(records)),
        "settings": sorted(_flat(data["settings"])),
        "version": str(data["datagen"]),
    }


def _facts(data: Mapping[str, Any]) -> dict[str, Any]:
    validation = data["validation"]
    held = None if validation is None else int(validation["pictures"])
    return {
        "AP50 of boxes, %": _percent(data["AP50"]),
        "training pictures": int(data["pictures"]),
        "validation pictures": held,
        "steps": int(data["steps"]),
        "weights kept": str(data["model"]),
        "detector": str(data["detector"]["use"]),
        "learned from": str(data["source"]),
    }


def _kinds(validation: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    """Name of what is scored -> its measures."""
    given = validation or {}
    named = {"boxes": given.get("bbox"), "masks": given.get("segm")}
    return {name: scores for name, scores in named.items() if scores is not None}


def _heads(validation: Mapping[str, Any] | None) -> list[str]:
    return [f"{m}, {kind}" for kind in _kinds(validation) for m in _MEASURES]


def _rows(data: Mapping[str, Any]) -> Iterator[_Row]:
    """All categories together, where they are scored, and then one by one."""
    kinds = _kinds(data["validation"]).values()
    things = data["things"]
    if kinds:
        whole = [_percent(s[m]) for s in kinds for m in _MEASURES]
        learned, there = (sum(things[part].values()) for part in ("training", "validation"))
        yield _Row("all", "", learned, there, whole)
    for number, name in enumerate(data["categories"], 1):
        mine = [_percent(s["per_category"][name][m]) for s in kinds for m in ("AP50", "AP")]
        colour = "#{:02x}{:02x}{:02x}".format(*colour_of(number))
        counts = things["training"][name], things["validation"].get(name, 0)
        yield _Row(name, colour, *counts, mine)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * float(share)


def _curves(records: Sequence[Mapping[str, Any]]) -> Iterator[Markup]:
    keys = {key for record in records for key in record} - set(_HIDDEN)
    rank = {key: number for number, key in enumerate(_FIRST)}
    for key in sorted(keys, key=lambda key: (rank.get(key, len(rank)), key)):
        mine = [record for record in records if key in record]
        if len(mine) < 2:
            continue
        steps = np.array([record["iteration"] for record in mine], float)
        values = np.array([record[key] for record in mine], float)
        values = 100 * values if key in _PERCENT else values
        title = _UNITS.get(key, key.replace("_", " "))
        yield Markup(figures.curve(title, *_thinned(steps, values), None))


def _thinned(steps: np.ndarray, values: np.ndarray) -> tuple[list[float], list[float]]:
    """At most about _POINTS points; each is the mean of its neighbours."""
    size = -(-len(steps) // _POINTS)
    parts = [slice(first, first + size) for first in range(0, len(steps), size)]
    return [float(steps[p].mean()) for p in parts], [float(values[p].mean()) for p in parts]


def _flat(data: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings by their keys in a recipe; an empty section is left out."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    elif data is not None and data != []:
        yield prefix, ", ".join(map(str, data)) if isinstance(data, list) else str(data)
