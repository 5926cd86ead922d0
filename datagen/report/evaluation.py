"""The page of `datagen evaluate`: one HTML file that needs nothing beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from datagen.report import curves, figures
from datagen.report.embedded import picture
from datagen.report.page import shown_percent, write_page
from datagen.scoring.coco import RECALLS

FORMAT = "datagen-evaluation-1"  # of report.json
_MEASURES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100")
_FACTORS = {
    "visible_fraction": "By the share that is visible",
    "occluded": "By occlusion, KITTI's 0 to 3",
    "truncation": "By the share outside the picture",
    "distance": "By distance, metres",
    "height": "By height of the box, px",
    "crowding": "By how many other boxes overlap it",
    "things": "By things in the picture",
    "symbol": "By the grammar's symbol",
    "under": "By a symbol above it in the scene",
    "rule": "By a rule that led to it",
}
_DRAWN = 12  # slices of a factor in its figure; all are in the table
_FEWEST = 30  # things of a slice that is named in the summary; of fewer it is grey
_SEEN = {"learned from": "learned from", "validated on": "was chosen by"}
_NEARLY_ALL = 0.7  # of all things: such a slice tells no more than the whole


@dataclass(frozen=True)
class _Factor:
    title: str
    figure: Markup | None  # of two slices or more
    rows: list[Mapping[str, Any]]


def write_evaluation(folder: Path) -> Path:
    """Write `report.html` into the folder, from `report.json` and the sheets there."""
    return write_page(
        folder / "report.json", "evaluation.html", "evaluate", lambda data: _context(folder, data)
    )


def summary(data: Mapping[str, Any]) -> list[str]:
    """A few sentences: how good, at what score, and where it is worst."""
    texts = [f"{_of_kind(data['bbox'], 'boxes')} {_of_kind(data['segm'], 'masks')}".strip()]
    if data["f1"] > 0:
        texts.append(
            f"Precision and recall balance best at the score {data['threshold']:.2f} (F1 "
            f"{data['f1']:.2f}); what is called found or missed below is so at this score."
        )
    elif data["things"]:
        texts.append("Nothing right was found.")
    worst = worst_slices(data["slices"], data["things"])
    if worst and data["f1"] > 0:
        named = "; ".join(
            f"{title_of(one['factor']).replace('By', 'by', 1)}, {one['label']} "
            f"({100 * one['recall']:.0f} % of {one['things']:,})"
            for one in worst
        )
        texts.append(f"Found worst: {named}.")
    if data.get("seen"):
        texts.append(
            f"The detector {_SEEN[data['seen']]} these very pictures: others are found less well."
        )
    texts += _one_sided(data)
    return texts


def worst_slices(
    parts: Sequence[Mapping[str, Any]], things: int, most: int = 3
) -> list[Mapping[str, Any]]:
    """The slice of lowest recall of each factor, the worst factors first.

    One of hardly any of the `things` is left out, and one of nearly all.
    """
    worst: dict[str, Mapping[str, Any]] = {}
    for one in parts:
        if _FEWEST <= one["things"] <= _NEARLY_ALL * things and one["recall"] is not None:
            other = worst.get(one["factor"])
            if other is None or one["recall"] < other["recall"]:
                worst[one["factor"]] = one
    return sorted(worst.values(), key=lambda one: one["recall"])[:most]


def _of_kind(measures: Mapping[str, Any] | None, what: str) -> str:
    if measures is None:
        return ""
    if measures["AP50"] is None:
        return f"No thing counts, so {what} cannot be scored."
    return (
        f"AP50 of {what} {shown_percent(measures['AP50'])} %, AP {shown_percent(measures['AP'])} %."
    )


def _one_sided(data: Mapping[str, Any]) -> list[str]:
    texts = []
    if data["only_labelled"]:
        texts.append(
            f"Labelled, but unknown to the detector, and so background: "
            f"{', '.join(data['only_labelled'])}."
        )
    if data["only_found"]:
        texts.append(
            f"Found, but not among the labels, and left out: {', '.join(data['only_found'])}."
        )
    missing = [n for n, one in data["bbox"]["per_category"].items() if one["AP50"] is None]
    if missing:
        texts.append(f"No thing of these categories counts here: {', '.join(missing)}.")
    return texts


def _context(folder: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    names = [str(name) for name in data["categories"]]
    table = np.array(data["confusion"], np.int64).reshape(len(names) + 1, len(names) + 1)
    lines = {str(k): [float(v) for v in values] for k, values in data["curves"].items()}
    return {
        "title": f"{Path(data['run']).name} on {Path(data['dataset']).name}",
        "summary": summary(data),
        "facts": _facts(data),
        "measures": [(name, *_both(data, name)) for name in _MEASURES],
        "has_masks": data["segm"] is not None,
        "categories": _categories(data, names),
        "kitti": data["kitti"],
        "kitti_r11": data["kitti_r11"],
        "kitti_ious": data["kitti_ious"],
        "curve": Markup(curves.precision_recall(lines, RECALLS.tolist(), "Boxes at IoU 0.5")),
        "confusion": Markup(curves.confusion(names, table)),
        "threshold": float(data["threshold"]),
        "factors": _factors(data["slices"]),
        "pictures": [picture(folder, one) for one in data["sheets"]],
        "left_out": [(str(name), str(why)) for name, why in data["left_out"]],
        "dashed": any(data["bbox"][name] is None for name in _MEASURES),
        "fewest": _FEWEST,
        "version": str(data["datagen"]),
    }


def _facts(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "detector": data["run"],
        "dataset": data["dataset"],
        "pictures": data["pictures"],
        "things that count": data["things"],
        "ignored": data["ignored"],
        "detections": data["detections"],
        "training pictures": data["trained_on"],
        "scored by": data["backend"],
    }


def _both(data: Mapping[str, Any], name: str) -> tuple[float | None, float | None]:
    return data["bbox"][name], data["segm"][name] if data["segm"] else None


def _categories(data: Mapping[str, Any], names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Name, AP and AP50 of boxes, then of masks."""
    rows = []
    for name in names:
        sides = [
            data[kind]["per_category"][name] if data[kind] else {} for kind in ("bbox", "segm")
        ]
        rows.append((name, *(side.get(key) for side in sides for key in ("AP", "AP50"))))
    return rows


def _factors(parts: Sequence[Mapping[str, Any]]) -> list[_Factor]:
    """In the order of the report; of many slices those of lowest recall are drawn."""
    found = []
    for factor in dict.fromkeys(str(one["factor"]) for one in parts):
        mine = [one for one in parts if one["factor"] == factor]
        drawn = mine
        if len(mine) > _DRAWN:
            drawn = sorted(mine, key=lambda one: one["recall"] or 0.0)[:_DRAWN]
        series = {
            name: [100 * (one[key] or 0.0) for one in drawn]
            for name, key in (("recall", "recall"), ("AP50, normalised", "normalised"))
        }
        labels = [str(one["label"]) for one in drawn]
        figure = (
            Markup(figures.histogram("percent", labels, series, 100.0)) if len(mine) > 1 else None
        )
        found.append(_Factor(title_of(factor), figure, mine))
    return found


def title_of(factor: str) -> str:
    """What the slices of a factor are by, with its unit."""
    return _FACTORS.get(factor, factor)
