"""Figures as SVG text in a page: they take the page's text colour, in light and in dark."""

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Mid tones of Okabe and Ito's colours: they stand out on white and on near black.
COLOURS = {
    "prior": "#e69f00",
    "learned": "#3a8fd0",
    "generated": "#8f7ae5",
    "target": "#17a67a",
    "target (classified)": "#17a67a",
}
OTHERS = ("#cc79a7", "#8f7ae5", "#a3a52c", "#d55e00")
INK = "#010203"  # stands for the page's text colour until the figure is SVG text
_GRID = "#808488"
_FLOOR = "#17a67a"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "datagen",
    "text.parse_math": False,
    "font.size": 9.5,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def histogram(
    title: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    top: float | None = None,
) -> str:
    """SVG of bars side by side: one group a label, one bar a series (shares or counts).

    `top`: where the axis ends; None: a little above the highest bar.
    """
    with matplotlib.rc_context(STYLE):
        inches = max(4.6, min(9.5, 1.6 + 0.42 * len(labels)))
        figure = Figure(figsize=(inches, 2.7), layout="constrained")
        axes = figure.add_subplot()
        width = 0.84 / max(1, len(series))
        for k, (name, values) in enumerate(series.items()):
            known = name == "target (known)"
            axes.bar(
                np.arange(len(values)) + (k - (len(series) - 1) / 2) * width,
                [value if math.isfinite(value) else 0.0 for value in values],
                width * 0.9,
                label=name,
                color="none" if known else colour_of_series(name),
                edgecolor=INK if known else "none",
                linewidth=0.9 if known else 0,
            )
        every = math.ceil(len(labels) / 32)
        shown = [str(label)[:18] for label in labels[::every]]
        axes.set_xticks(range(0, len(labels), every), shown)
        if len("".join(shown)) > 10 * inches:  # they would run into each other
            axes.set_xticks(range(0, len(labels), every), shown, rotation=35, ha="right")
        axes.tick_params(axis="x", length=0)
        axes.set_ylim(0, top)
        finish(axes, title)
        figure.legend(loc="outside lower center", ncols=4, fontsize=9)
        return svg(figure)


def curve(title: str, steps: Sequence[float], values: Sequence[float], floor: float | None) -> str:
    """SVG of one quantity over the iterations, with the noise floor as a dashed line if given."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 2.4), layout="constrained")
        axes = figure.add_subplot()
        x, y = np.asarray(steps, float), np.asarray(values, float)
        noisy = len(y) > 24
        mean = _smoothed(y) if noisy else y
        axes.plot(x, y, color="#3a8fd0", linewidth=0.8 if noisy else 1.8, alpha=0.4 if noisy else 1)
        if noisy:
            axes.plot(x, mean, color="#3a8fd0", linewidth=1.9)
        axes.plot(x[-1:], mean[-1:], "o", color="#3a8fd0", markersize=4)
        if floor is not None:
            axes.axhline(floor, color="#17a67a", linewidth=1.3, linestyle=(0, (5, 3)))
            axes.annotate(
                "noise floor", (0, floor), xycoords=("axes fraction", "data"), ha="left",
                va="bottom", xytext=(2, 2), textcoords="offset points", color="#17a67a", fontsize=9,
            )  # fmt: skip
        if min(y) > 0 and max(y) > 300 * min(y):
            axes.set_yscale("log")
        if not y.any():
            axes.set_ylim(0, 1)  # else negative numbers would stand there
        axes.set_xlabel("iteration", fontsize=9)
        axes.margins(x=0.02)
        finish(axes, title)
        return svg(figure)


@dataclass(frozen=True)
class Measured:
    """A statistic with its interval, and the median and 95 % quantile of its noise floor."""

    value: float
    low: float
    high: float
    floor: tuple[float, float]


def readings(measured: Mapping[str, Measured]) -> str:
    """SVG of a row for each set: a bar, its interval, and the noise floor as a band behind it."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 0.62 + 0.36 * len(measured)), layout="constrained")
        axes = figure.add_subplot()
        for row, (name, one) in enumerate(measured.items()):
            median, high = one.floor
            axes.barh(row, high, 0.86, color=_FLOOR, alpha=0.22, linewidth=0)
            axes.plot([median, median], [row - 0.43, row + 0.43], color=_FLOOR, linewidth=1)
            axes.barh(row, max(one.value, 0.0), 0.4, color=colour_of_series(name), linewidth=0)
            ends = [max(one.low, 0.0), max(one.high, 0.0)]
            axes.plot(ends, [row, row], color=INK, linewidth=1.1, marker="|", markersize=6)
        axes.set_yticks(range(len(measured)), [name[:24] for name in measured])
        axes.set_ylim(len(measured) - 0.45, -0.55)
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=5)
        axes.grid(axis="x", color=_GRID, alpha=0.28, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="both", length=0)
        return svg(figure)


def profile(title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """SVG of histograms over each other, for numbers: the target as an area, others as lines."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 2.5), layout="constrained")
        axes = figure.add_subplot()
        edges = np.arange(len(labels) + 1)
        for name, values in series.items():
            colour = colour_of_series(name)
            if name == "target":
                axes.stairs(values, edges, fill=True, color=colour, alpha=0.35, label=name)
            else:
                axes.stairs(values, edges, color=colour, linewidth=1.7, label=name)
        every = max(1, math.ceil(len(labels) / 6))
        axes.set_xticks(edges[:-1][::every] + 0.5, [str(one) for one in labels[::every]])
        axes.tick_params(axis="x", length=2.5)
        finish(axes, title)
        figure.legend(loc="outside lower center", ncols=4, fontsize=9)
        return svg(figure)


def colour_of_series(name: str) -> str:
    """The same name has the same colour in all figures of a report."""
    return COLOURS.get(name) or OTHERS[sum(name.encode()) % len(OTHERS)]


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Mean over a centred window of a fifteenth of the curve, shorter at the ends."""
    half = max(1, len(values) // 30)
    total = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    first, last = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    return (total[last] - total[first]) / (last - first)


def finish(axes: Axes, title: str) -> None:
    axes.set_title(title)
    axes.grid(axis="y", color=_GRID, alpha=0.28, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def svg(figure: Figure) -> str:
    """The figure as an <svg> element without style attributes, which a strict policy refuses."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sstyle="([^"]*)"', _as_attributes, text)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    text = re.sub(r'\sid="([^"]*)"', lambda m: m[0] if m[1] in used else "", text)
    text = re.sub(r'(<svg[^>]*?)\swidth="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?)\sheight="[^"]*"', r"\1", text, count=1)
    return text.replace(INK, "currentColor").replace("<svg", '<svg class="figure" role="img"', 1)


def _as_attributes(style: re.Match[str]) -> str:
    """`style="fill: none; stroke-width: 2"` as attributes that mean the same in SVG."""
    attributes: list[str] = []
    for declaration in style[1].split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip(), value.strip()
        if name == "font":  # "9.5px 'DejaVu Sans', ...": only the size matters here
            size = re.search(r"([\d.]+)px", value)
            name, value = "font-size", size[1] if size else "9.5"
        if value and name != "font-family":
            attributes.append(f' {name}="{value}"')
    return "".join(attributes)
