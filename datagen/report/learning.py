"""The report of a learning run: one HTML file that needs nothing beside it."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from datagen.errors import InputError
from datagen.report import figures
from datagen.report.embedded import picture
from datagen.report.page import write_page

PHASES = {
    "features": "Features: a network learns to see the world of the prior",
    "pretrain": "Pre-training: the structure model learns the prior",
    "reinforce": "Structure: the model moves towards the target",
    "attributes": "Attributes: a distribution transformer moves them towards the target",
    "layout": "Layouts: a generator learns against a discriminator",
    "gate": "Gate: a network learns to see layouts in photos",
    "appearance": "Appearance: a generator learns what layouts look like",
    "relate": "RELATE: a generator of pictures, object by object, learns against a discriminator",
    "relate_clips": "RELATE of clips: first what is in a frame, then how it moves, against a judge",
    "gnm": "GNM: a model of pictures, object by object, learns to make its target again",
}
_TIMES = ("second", "third", "fourth", "fifth")
# Curves in this order, then by name.
_FIRST = ("discrepancy", "mmd", "distance", "reward", "loss", "entropy")
_WITH_FLOOR = ("discrepancy", "distance")
_OPENING = "A scene grammar, tuned to photos without labels"
_HIDDEN = ("phase", "iteration", "floor")
_BARS = {"prior": "#e69f00", "learned": "#3a8fd0", "floor": "#17a67a"}


@dataclass(frozen=True)
class _Bar:
    name: str
    value: float | None
    percent: float  # of the longest bar of the group
    colour: str


@dataclass(frozen=True)
class _Phase:
    title: str
    curves: list[Markup]


def write_report(run: Path) -> Path:
    """Write `report.html` into the run folder, from `report.json` and `metrics.jsonl` there."""
    if not (run / "report.json").is_file():
        raise InputError(
            f"{run / 'report.json'} is not there; `datagen learn` writes it at its end"
        )
    return write_page(
        run / "report.json", "learning.html", "learn", lambda data: _context(run, data)
    )


def _context(run: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    records, broken = _metrics(run / "metrics.jsonl")
    return {
        "title": str(data.get("title") or "Learning report"),
        "opening": str(data.get("opening") or _OPENING),
        "grammar": str(data.get("grammar") or ""),
        "facts": dict(data.get("facts") or {}),
        "statements": [(str(s["kind"]), str(s["text"])) for s in data.get("statements") or ()],
        "distances": _distances(data.get("distances") or {}),
        "histograms": [_histogram(one) for one in data.get("histograms") or ()],
        "pictures": [picture(run, one) for one in data.get("sheets") or ()],
        "diff": _diff(str(data.get("diff") or "")),
        "phases": _phases(records),
        "broken": broken,
    }


def _metrics(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Records in file order, and the number of lines that a crash left broken.

    After a resume an iteration can stand there twice: the later record counts.
    """
    if not path.is_file():
        return [], 0
    last: dict[tuple[str, float], dict[str, Any]] = {}
    broken = 0
    for line in path.read_bytes().splitlines():
        try:
            record = json.loads(line)
            last[str(record["phase"]), float(record["iteration"])] = record
        except (ValueError, KeyError, TypeError):
            broken += bool(line.strip())
    return list(last.values()), broken


def _phases(records: Sequence[Mapping[str, Any]]) -> list[_Phase]:
    """In the order in which they began; a curve for each number that they report."""
    phases: list[_Phase] = []
    for name in dict.fromkeys(str(record["phase"]) for record in records):
        mine = [record for record in records if str(record["phase"]) == name]
        mine.sort(key=lambda record: float(record["iteration"]))
        phases.append(_Phase(_title(name), list(_curves(mine))))
    return phases


def _title(phase: str) -> str:
    """A stage that comes again is called reinforce-2, reinforce-3, ... in the metrics."""
    name, _, number = phase.rpartition("-")
    if name not in PHASES or not number.isdecimal() or int(number) < 2:
        return PHASES.get(phase, phase)
    k = int(number) - 2
    what, _, does = PHASES[name].partition(":")
    return f"{what}, {_TIMES[k] if k < len(_TIMES) else f'{k + 2}th'} time:{does}"


def _curves(records: Sequence[Mapping[str, Any]]) -> Iterator[Markup]:
    keys = {key for record in records for key, value in record.items() if _is_number(value)}
    rank = {key: number for number, key in enumerate(_FIRST)}
    for key in sorted(keys - set(_HIDDEN), key=lambda key: (rank.get(key, len(rank)), key)):
        mine = [record for record in records if _is_number(record.get(key))]
        if len(mine) < 2:
            continue
        steps = [float(record["iteration"]) for record in mine]
        values = [float(record[key]) for record in mine]
        floors = [float(record["floor"]) for record in records if _is_number(record.get("floor"))]
        floor = floors[-1] if floors and key in _WITH_FLOOR else None
        yield Markup(figures.curve(key.replace("_", " "), steps, values, floor))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _distances(data: Mapping[str, Mapping[str, Any]]) -> dict[str, list[_Bar]]:
    """Measure -> bars from zero, for all that report this measure: prior, learned, floor..."""
    measures = dict.fromkeys(name for group in data.values() for name in group)
    groups: dict[str, list[_Bar]] = {}
    for measure in measures:
        values = [(name, group[measure]) for name, group in data.items() if measure in group]
        numbers = {name: float(v) if _is_number(v) else None for name, v in values}
        longest = max((v for v in numbers.values() if v is not None), default=0.0)
        groups[measure.replace("_", " ")] = [
            _Bar(
                "noise floor" if name == "floor" else name.replace("_", " "),
                value,
                100 * max(0.0, value or 0.0) / longest if longest > 0 else 0.0,
                _BARS.get(name) or figures.colour_of_series(name),
            )
            for name, value in numbers.items()
        ]
    return groups


def _histogram(data: Mapping[str, Any]) -> Markup:
    labels = [str(label) for label in data["labels"]]
    series = {
        str(name): [float(value) if _is_number(value) else 0.0 for value in values]
        for name, values in data["series"].items()
        if values is not None
    }
    for name, values in series.items():
        if len(values) != len(labels):
            raise ValueError(f"histogram {data['name']}: {name} has not one value for each label")
    return Markup(figures.histogram(str(data["name"]), labels, series))


def _diff(text: str) -> list[tuple[str, str]]:
    """(class of the line, line) for each line."""
    kinds = {"+": "more", "-": "less", "@": "place"}
    return [(kinds.get(line.lstrip()[:1], "same"), line) for line in text.splitlines()]
