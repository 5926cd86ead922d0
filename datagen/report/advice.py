"""The page of `datagen advise`: one HTML file that needs nothing beside it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from datagen.report import curves, figures
from datagen.report.embedded import picture
from datagen.report.evaluation import title_of
from datagen.report.page import write_page

_MOST_ROWS = 12  # of one factor's slices; the others are found better
_WORTH = 1.05  # times as many, for a cut by rule to be shown
_CUTS = {"symbol": "symbol", "under": "what is under", "rule": "what a rule makes"}
_MOST_BARS = 24  # symbols in one figure
_SURE = 30  # things; what is measured on fewer is grey


@dataclass(frozen=True)
class _Row:
    """A slice: things in the evaluated pictures, and readings from 0 to 1."""

    label: str
    things: int
    ap50: float | None
    recall: float | None
    after: float | None = None
    difference: str = ""
    style: str = ""  # of the difference

    @property
    def is_few(self) -> bool:
        return self.things < _SURE


def write_advice(folder: Path) -> Path:
    """Write `report.html` into the folder, from `report.json` and the contact sheets there."""
    return write_page(
        folder / "report.json", "advice.html", "advise", lambda data: _context(folder, data)
    )


def _context(folder: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": str(data["title"]),
        "summary": [(str(one["about"]), str(one["text"])) for one in data["summary"]],
        "facts": dict(data["facts"]),
        "rule": str(data["rule"]),
        "wishes": _wishes(data["reached"]),
        "figures": [*_amounts(data)],
        "pictures": [picture(folder, one) for one in data["sheets"]],
        "slices": _slices(data),
        "after": data["after"] is not None,
        "diff": str(data["diff"]),
        "budget": _budget(data["budget"]),
        "evaluations": list(data["evaluations"]),
        "version": str(data["datagen"]),
    }


def _wishes(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """All symbols; of the cuts by rule, which are many, those that ask for more."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in rows:
        cut = str(one["factor"])
        if cut != "symbol" and (one["wished"] or 1.0) <= _WORTH:
            continue
        ratio = one["after"] / one["made"] if one["made"] else None
        groups.setdefault(_CUTS[cut], []).append({**one, "ratio": ratio})
    for title, group in groups.items():
        if title != _CUTS["symbol"]:
            group.sort(key=lambda one: -one["wished"])
            del group[_MOST_ROWS:]
    return groups


def _amounts(data: Mapping[str, Any]) -> Iterable[Markup]:
    """Things a picture before and after: by category, then by symbol where that is another cut."""
    categories = data["categories"]
    yield _bars("Things a picture, by category", [*categories["before"]], categories)
    wished = [one for one in data["reached"] if one["factor"] == "symbol" and one["made"]]
    symbols = [str(one["label"]) for one in wished]
    if set(symbols) - set(categories["before"]):
        yield _bars(
            "By symbol of the city, most missed first", symbols[:_MOST_BARS], data["symbols"]
        )


def _bars(title: str, names: Sequence[str], sides: Mapping[str, Any]) -> Markup:
    series = {side: [float(sides[side][name]) for name in names] for side in ("before", "after")}
    return Markup(figures.histogram(title, names, series))


# ------------------------------------------------------------------------------------------ slices


def _slices(data: Mapping[str, Any]) -> dict[str, list[_Row]]:
    """Title of a factor -> its slices, what is found worst first."""
    if data["after"] is not None:
        rows = [(str(one["factor"]), _compared(one)) for one in data["after"]["slices"]]
    else:
        rows = [(str(one["factor"]), _measured(one)) for one in data["slices"]]
    groups: dict[str, list[_Row]] = {}
    for factor, row in rows:
        groups.setdefault(title_of(factor), []).append(row)
    for group in groups.values():
        group.sort(key=lambda row: 2.0 if row.recall is None else row.recall)
        del group[_MOST_ROWS:]
    return groups


def _measured(one: Mapping[str, Any]) -> _Row:
    return _Row(str(one["label"]), int(one["things"]), _share(one["ap50"]), _share(one["recall"]))


def _compared(one: Mapping[str, Any]) -> _Row:
    old, new = (_share(one["AP50"][side]) for side in ("before", "after"))
    recall = _share(one["recall"]["before"])
    row = _Row(str(one["label"]), int(one["things"]), old, recall, new)
    if old is None or new is None:
        return row
    points = round(100 * (new - old), 1)
    style = "soft" if row.is_few or not points else "better" if points > 0 else "worse"
    return replace(row, difference=f"{points + 0.0:+.1f}", style=style)


def _share(value: float | None) -> float | None:
    return None if value is None else float(value)


# ------------------------------------------------------------------------------------------ budget


def _budget(data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The figure of the curve, or why there is none."""
    if data is None:
        return None
    curve = data.get("curve")
    equation = "" if curve is None else _equation(curve)
    figure = Markup(curves.growth(data)) if data["points"] else None
    return {"why": data.get("why"), "figure": figure, "equation": equation}


def _equation(curve: Mapping[str, Any]) -> str:
    a, b, c = (float(curve[key]) for key in "abc")
    return (
        f"With n training pictures AP50 is {100 * a:.1f} - {100 * b:.3g} n^-{c:.2f} percent, with "
        f"a noise of {100 * curve['noise']:.1f} points."
    )
