"""The page of `datagen compare`: one HTML file that needs nothing beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from datagen.report import figures
from datagen.report.embedded import Picture, picture
from datagen.report.page import write_page

_DRAWN = 14  # marginals of a section with a figure; the others have a line
_MOST_BARS = 14  # side by side in half a page
SHORT = {  # verdicts in a table
    "within the noise of the target": "within the noise",
    "told apart, yet not above the noise floor": "not above the floor",
    "closer than the prior, but outside the noise": "closer than the prior",
    "outside the noise, and as far as the prior": "as far as the prior",
    "outside the noise": "outside the noise",
}
_GOOD, _BETTER, _FAR = "within", "closer", "outside"  # classes in the style
_SOURCES = {
    "labels": "Things and attributes, by the labels",
    "features": "Column by column, as the features see it",
}
_MEASURES = {"variation": "total variation", "transport": "mean move"}


@dataclass(frozen=True)
class _Row:
    """One reading of one generated set."""

    name: str
    measure: str
    value: float
    low: float
    high: float
    floor: float
    p: float
    verdict: str
    style: str

    @property
    def interval(self) -> str:
        return f"{self.low:.3g} to {self.high:.3g}"


@dataclass(frozen=True)
class _Distance:
    title: str
    figure: Markup
    rows: list[_Row]
    sizes: str


@dataclass(frozen=True)
class _Marginal:
    name: str
    figure: Markup | None
    rows: list[_Row]


@dataclass(frozen=True)
class _Section:
    title: str
    drawn: list[_Marginal]
    others: list[_Marginal]


def write_comparison(folder: Path) -> Path:
    """Write `report.html` into the folder, from `report.json` and the contact sheets there."""
    return write_page(
        folder / "report.json", "comparison.html", "compare", lambda data: _context(folder, data)
    )


def _context(folder: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": str(data["title"]),
        "summary": [(str(one["about"]), str(one["text"])) for one in data["summary"]],
        "facts": dict(data["facts"]),
        "distances": [_distance(one) for one in data["distances"]],
        "sections": _sections(data["marginals"]),
        "pictures": _pictures(folder, data["sheets"]),
        "left_out": _left_out(data),
        "version": str(data["datagen"]),
    }


def _distance(data: Mapping[str, Any]) -> _Distance:
    measured = {
        str(name): figures.Measured(
            one["value"], one["low"], one["high"], (one["floor"]["median"], one["floor"]["high"])
        )
        for name, one in data["readings"].items()
    }
    title = str(data["title"])
    sizes = {tuple(one["rows"]) for one in data["readings"].values()}
    return _Distance(
        title[:1].upper() + title[1:],
        Markup(figures.readings(measured)),
        _rows("", data["readings"]),
        "; ".join(f"{ours} and {theirs} pictures" for ours, theirs in sorted(sizes)),
    )


def _rows(measure: str, readings: Mapping[str, Any]) -> list[_Row]:
    return [
        _Row(
            name=str(name),
            measure=measure,
            value=float(one["value"]),
            low=float(one["low"]),
            high=float(one["high"]),
            floor=float(one["floor"]["high"]),
            p=float(one["p"]),
            verdict=SHORT[str(one["verdict"])],
            style=_style(str(one["verdict"])),
        )
        for name, one in readings.items()
    ]


def _style(verdict: str) -> str:
    if "outside" not in verdict:
        return _GOOD
    return _BETTER if verdict.startswith("closer") else _FAR


def _sections(data: Sequence[Mapping[str, Any]]) -> list[_Section]:
    """Counts first, as the grammar has them; then what differs most."""
    sections: list[_Section] = []
    for source, title in _SOURCES.items():
        mine = [(one, _marginal_rows(one)) for one in data if one["of"] == source]
        mine.sort(key=lambda pair: 0 if pair[0]["unit"] == "things" else -_excess(pair[1]))
        mine.sort(key=lambda pair: pair[0]["unit"] != "things")
        drawn = [_Marginal(str(one["name"]), _figure(one), rows) for one, rows in mine[:_DRAWN]]
        others = [_Marginal(str(one["name"]), None, rows) for one, rows in mine[_DRAWN:]]
        if mine:
            sections.append(_Section(title, drawn, others))
    return sections


def _marginal_rows(data: Mapping[str, Any]) -> list[_Row]:
    rows: list[_Row] = []
    for key, readings in data["readings"].items():
        unit = f", {data['unit']}" if key == "transport" and data["unit"] else ""
        rows += _rows(f"{_MEASURES[key]}{unit}", readings)
    return rows


def _excess(rows: Sequence[_Row]) -> float:
    """How far the first measure of the set that differs most is above its noise floor."""
    first = rows[0].measure
    return max(row.value / max(row.floor, 1e-12) for row in rows if row.measure == first)


def _figure(data: Mapping[str, Any]) -> Markup:
    labels = [str(label) for label in data["labels"]]
    series = {str(name): [float(v) for v in values] for name, values in data["series"].items()}
    for name, values in series.items():
        if len(values) != len(labels):
            raise ValueError(f"{data['name']}: {name} has not one value for each label")
    title = str(data["name"])
    if data["kind"] == "name" or (data["kind"] == "count" and len(labels) <= _MOST_BARS):
        return Markup(figures.histogram(title, labels, series))
    title += f", {data['unit']}" if data["unit"] else ""
    return Markup(figures.profile(title, labels, series))


def _pictures(folder: Path, sheets: Sequence[Mapping[str, Any]]) -> list[Picture]:
    """The target first: it is what the others should look like."""
    ordered = sorted(sheets, key=lambda one: one["title"] != "target")
    return [picture(folder, one) for one in ordered]


def _left_out(data: Mapping[str, Any]) -> list[str]:
    sides = {**data["generated"], "target": data["target"]}
    return [
        f"{len(one['left_out'])} of {name} ({one['left_out'][0][0]}: {one['left_out'][0][1]})"
        for name, one in sides.items()
        if one["left_out"]
    ]
