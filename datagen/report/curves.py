"""Figures of evaluations: precision over recall, what was taken for what, more pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

# The reports' figures have one style, which is that module's own.
from datagen.report import PALETTE, figures

_MOST_NAMED = 10  # curves with a name of their own
_GROWTH = "#3a8fd0"


def precision_recall(
    curves: Mapping[str, Sequence[float]], recalls: Sequence[float], title: str
) -> str:
    """SVG of the precision at each recall, one line a category."""
    with matplotlib.rc_context(figures.STYLE):
        figure = Figure(figsize=(4.8, 3.4), layout="constrained")
        axes = figure.add_subplot()
        for k, (name, values) in enumerate(curves.items()):
            colour = "#{:02x}{:02x}{:02x}".format(*PALETTE[k % len(PALETTE)])
            label = name[:24] if k < _MOST_NAMED else None
            axes.plot(recalls, values, color=colour, linewidth=1.7, label=label)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("recall", fontsize=9)
        axes.set_ylabel("precision", fontsize=9)
        figures.finish(axes, title)
        if curves:
            figure.legend(loc="outside lower center", ncols=4, fontsize=9)
        return figures.svg(figure)


def confusion(names: Sequence[str], table: np.ndarray) -> str:
    """SVG of counts [K + 1, K + 1]: rows are what is there, columns what it was taken for.

    Shades are shares of the row; the last row and column stand for nothing.
    """
    size = len(names) + 1
    labels = [*(name[:16] for name in names), "nothing"]
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    with matplotlib.rc_context(figures.STYLE):
        inches = max(3.4, 1.5 + 0.46 * size)
        figure = Figure(figsize=(inches + 0.6, inches), layout="constrained")
        axes = figure.add_subplot()
        for row, column in np.ndindex(size, size):
            count = int(table[row, column])
            right = row == column
            axes.fill(
                [column, column + 1, column + 1, column],
                [row, row, row + 1, row + 1],
                color="#17a67a" if right else "#d55e00",
                alpha=float(0.75 * shares[row, column]),
                linewidth=0,
            )
            if count:
                axes.text(column + 0.5, row + 0.5, f"{count:,}", ha="center", va="center")
        axes.set_xticks(np.arange(size) + 0.5, labels, rotation=40, ha="right")
        axes.set_yticks(np.arange(size) + 0.5, labels)
        axes.set_xlim(0, size)
        axes.set_ylim(size, 0)
        axes.set_xlabel("found", fontsize=9)
        axes.set_ylabel("there", fontsize=9)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return figures.svg(figure)


def growth(data: Mapping[str, Any]) -> str:
    """SVG of AP50 in percent against training pictures: evaluations, curve, 95 % interval."""
    with matplotlib.rc_context(figures.STYLE):
        figure = Figure(figsize=(6.4, 3.0), layout="constrained")
        axes = figure.add_subplot()
        band = data.get("band")
        if band is not None:
            x = band["pictures"]
            low, high, middle = ([100 * v for v in band[key]] for key in ("low", "high", "AP50"))
            axes.fill_between(x, low, high, color=_GROWTH, alpha=0.2, linewidth=0, label="95 %")
            axes.plot(x, middle, color=_GROWTH, linewidth=1.8, label="curve")
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
