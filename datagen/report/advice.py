"""The page of `datagen advise`: one HTML file that needs nothing beside it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from datagen.dataset.store import read_json
from datagen.errors import InputError
from datagen.files import write_atomic
from datagen.report import figures
from datagen.report.embedded import picture
from datagen.report.evaluation import title_of
from datagen.report.page import render

_MOST_ROWS = 12  # of one factor's slices; the others are found better
_WORTH = 1.05  # times as many, for a cut by rule to be shown
_CUTS = {"symbol": "symbol", "under": "what is under", "rule": "what a rule makes"}
_MOST_BARS = 24  # symbols in one figure
_CURVE = "#3a8fd0"
_SURE = 30  # things; what is measured on fewer is grey


@dataclass(frozen=True)
class _Row:
    """A slice: things in the evaluated pictures, and readings in percent."""

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
    path = folder / "report.json"
    data = read_json(path)
    try:
        context = {
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
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} has another form than this page needs: {type(error).__name__} {error}; "
            "advise again, or use the version that wrote it"
        ) from error
    page = folder / "report.html"
    write_atomic(page, render("advice.html", context))
    return page


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
        group.sort(key=lambda row: 101.0 if row.recall is None else row.recall)
        del group[_MOST_ROWS:]
    return groups


def _measured(one: Mapping[str, Any]) -> _Row:
    return _Row(
        str(one["label"]), int(one["things"]), _percent(one["ap50"]), _percent(one["recall"])
    )


def _compared(one: Mapping[str, Any]) -> _Row:
    old, new = (_percent(one["AP50"][side]) for side in ("before", "after"))
    recall = _percent(one["recall"]["before"])
    row = _Row(str(one["label"]), int(one["things"]), old, recall, new)
    if old is None or new is None:
        return row
    style = "soft" if row.is_few or new == old else "better" if new > old else "worse"
    return _Row(row.label, row.things, old, recall, new, f"{new - old:+.1f}", style)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * float(share), 1)


# ------------------------------------------------------------------------------------------ budget


def _budget(data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The figure of the curve, or why there is none."""
    if data is None:
        return None
    curve = data.get("curve")
    equation = "" if curve is None else _equation(curve)
    figure = Markup(budget_figure(data)) if data["points"] else None
    return {"why": data.get("why"), "figure": figure, "equation": equation}


def _equation(curve: Mapping[str, Any]) -> str:
    a, b, c = (float(curve[key]) for key in "abc")
    return f"AP50(n) = {100 * a:.1f} - {100 * b:.3g} n^-{c:.2f}, noise {100 * curve['noise']:.1f}"


def budget_figure(data: Mapping[str, Any]) -> str:
    """SVG of AP50 in percent against training pictures: evaluations, curve, 95 % interval."""
    with matplotlib.rc_context(figures.STYLE):
        figure = Figure(figsize=(6.4, 3.0), layout="constrained")
        axes = figure.add_subplot()
        band = data.get("band")
        if band is not None:
            x = band["pictures"]
            low, high, middle = ([100 * v for v in band[key]] for key in ("low", "high", "AP50"))
            axes.fill_between(x, low, high, color=_CURVE, alpha=0.2, linewidth=0, label="95 %")
            axes.plot(x, middle, color=_CURVE, linewidth=1.8, label="curve")
        numbers = [one["pictures"] for one in data["points"]]
        values = [100 * one["AP50"] for one in data["points"]]
        axes.plot(numbers, values, "o", color=figures.INK, markersize=4.5, label="evaluations")
        _number_axis(axes, [*numbers, *([band["pictures"][-1]] if band else [])])
        axes.set_xlabel("training pictures", fontsize=9)
        figures.finish(axes, "AP50, percent")
        figure.legend(loc="outside lower center", ncols=3, fontsize=9)
        return figures.svg(figure)


def _number_axis(axes: Any, numbers: Sequence[float]) -> None:
    """Logarithmic where there is something to see; a tick at 1, 2, 5, 10, ... only."""
    if max(numbers) > 2 * min(numbers):
        axes.set_xscale("log")
        ticks = [m * 10**k for k in range(9) for m in (1, 2, 5)]
        shown = [one for one in ticks if min(numbers) * 0.8 <= one <= max(numbers) * 1.2]
        axes.set_xticks(shown, [f"{one:,}" for one in shown])
        axes.minorticks_off()
    else:
        shown = sorted(set(numbers))
        axes.set_xticks(shown, [f"{one:,.0f}" for one in shown])
