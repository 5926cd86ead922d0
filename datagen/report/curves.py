"""Figures of an evaluation: precision over recall, and what was taken for what."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

# The reports' figures have one style, which is that module's own.
from datagen.report import PALETTE, figures

_MOST_NAMED = 10  # curves with a name of their own


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
