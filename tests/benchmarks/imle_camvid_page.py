"""The page of `imle_camvid.py`, and its pictures."""

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datagen.rng import Stream, rng_for

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results-imle-camvid.md"
SHEETS = {
    "layouts": ROOT / "docs" / "imle_camvid.jpg",
    "streets": ROOT / "docs" / "imle_camvid_streets.jpg",
}
CODES = 9
_GAP = 3  # px between pictures

HEAD = """# Streets that look like CamVid

Made by `python tests/benchmarks/imle_camvid.py OUT CAMVID SQUEEZENET --jobs 2`, on CPUs, one
thread a run. Research data: CamVid may not be used commercially.

Conditional IMLE learns from CamVid's 367 training pairs of label map and photo at 128 x 96 px.
**Drawn** are 400 scenes of the grammar `street_2d`, as `raster` draws them; **translated** are
the same scenes with the learned pixels and the same labels, each in a style of its own. Of what
CamVid shows nothing is drawn like something else (van and bus like cars, traffic lights like signs,
the skyline like trees, terrain like a sidewalk). Scenes are of the grammar's prior, which nobody
fitted to CamVid: where things stand remains a gap that pixels cannot close. **Validation layouts**
are CamVid's own 101, which nobody learned from, with learned pixels.

![Eight layouts, nine codes](imle_camvid.jpg)

Validation layouts and nine codes, the same in every row: the first nine of the bank. The photos
themselves may not be shown here; OUT/seed-N-photos.png has them beside the same pictures.

![Sixteen scenes, before and after](imle_camvid_streets.jpg)

Scenes of `street_2d`: as drawn, and below it translated.
"""


def page(found: Sequence[Mapping[str, Any]], names: tuple[str, ...]) -> str:
    seeds = ", ".join(str(run["seed"]) for run in found)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return "\n".join(
        [
            HEAD,
            *_gaps(found),
            *_patches(found),
            *_overlaps(found, names),
            *_gate(found),
            *_minutes(found),
            f"Seeds {seeds}. Numbers in brackets are the lowest and the highest. Machine: "
            f"{machine}; other work on it was not excluded.",
            "",
        ]
    )


def _gaps(found: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "## The gap",
        "",
        "Distances of SqueezeNet's pooled features (512 columns, in common units) between the "
        "pictures and real photos, over the noise floor: the median (for Frechet), or the 95 % "
        "quantile (for the unbiased ones), of the same distance between random halves of the "
        "photos. 1 is as near as photos are to each other. CamVid's frames come from four drives, "
        "so neighbours are near copies, and the floor is lower than that of independent photos. "
        "The pictures were learned by maps of the same network, its last one included, so this is "
        "no independent witness; patches and the segmenter below are.",
        "",
        "| photos | pictures | Frechet | kernel | MMD | energy |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    told = {"all": "all 468 (367 were learned from)", "val": "101 of validation"}
    for target, where in told.items():
        for name in ("drawn", "translated", "val layouts"):
            cells = [
                _spread([_over_floor(run["gaps"][target][name][d], d) for run in found], 1)
                for d in ("frechet", "kernel", "mmd", "energy")
            ]
            lines.append(f"| {where} | {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def _patches(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Texture as no network sees it."""
    levels = len(found[0]["swd"]["drawn"])
    sides = [f"{96 // 2**k} rows" for k in range(levels)]
    lines = [
        "## Patches",
        "",
        "Sliced Wasserstein distances of patches of 7 x 7 px to those of the 101 validation "
        "photos, x 1000, at each level of a Laplacian pyramid, patches normalised over the whole "
        "set. Photos of training are there for comparison.",
        "",
        f"| pictures | {' | '.join(sides)} |",
        "| --- " * (1 + levels) + "|",
    ]
    for name in found[0]["swd"]:
        columns = zip(*(run["swd"][name] for run in found), strict=True)
        lines.append(f"| {name} | {' | '.join(_spread(list(c), 0) for c in columns)} |")
    return [*lines, ""]


def _over_floor(reading: Mapping[str, Any], name: str) -> float:
    return reading["value"] / reading["floor"]["median" if name == "frechet" else "high"]


def _overlaps(found: Sequence[Mapping[str, Any]], names: tuple[str, ...]) -> list[str]:
    """Does a segmenter learn more from translated pictures than from drawn ones?"""
    wins = sum(run["iou"]["translated"]["mean"] > run["iou"]["drawn"]["mean"] for run in found)
    shown: list[str] = [names[k - 1] for k in found[0]["classes"]]
    lines = [
        "## What a segmenter learns from them",
        "",
        "A small U-Net of 500 steps of 8 pictures, on the 400 drawn or translated scenes with "
        "equal labels, or on the 367 real pairs; intersection over union on CamVid's 101 "
        f"validation frames, in per cent. Translated is above drawn in {wins} of {len(found)} "
        "seeds.",
        "",
        f"| learned from | mean IoU | pixels right | {' | '.join(shown)} |",
        "| --- " * (3 + len(shown)) + "|",
    ]
    for name in ("drawn", "translated", "real"):
        runs = [run["iou"][name] for run in found]
        each = [
            f"{100 * statistics.mean(column):.0f}"
            for column in zip(*(run["each"] for run in runs), strict=True)
        ]
        mean = _spread([100 * run["mean"] for run in runs], 1)
        right = _spread([100 * run["accuracy"] for run in runs], 1)
        lines.append(f"| {name} | {mean} | {right} | {' | '.join(each)} |")
    return [*lines, ""]


def _gate(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which agreement tells a picture's own layout from another's?"""
    lines = [
        "## The gate",
        "",
        "The segmenter that learned on photos looks at a picture again. Agreement with the layout "
        "as a share of pixels, and as mean IoU over the layout's classes: 5 % quantile, median and "
        "95 % quantile.",
        "",
        "| pictures | share of pixels | mean IoU |",
        "| --- | --- | --- |",
    ]
    for name in found[0]["gate"]:
        cells = []
        for kind in ("accuracy", "iou"):
            values = np.concatenate([run["gate"][name][kind] for run in found])
            cells.append(" ".join(f"{q:.2f}" for q in np.quantile(values, [0.05, 0.5, 0.95])))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def _minutes(found: Sequence[Mapping[str, Any]]) -> list[str]:
    each = _spread([run["minutes"].get("imle", float("nan")) for run in found], 1)
    return [f"Learning the appearance took {each} minutes of one core.", ""]


def _spread(values: Sequence[float], digits: int) -> str:
    mean = f"{statistics.mean(values):.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def sheet(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """uint8: rows of pictures; a class map is shown in colours of its own."""
    colours = rng_for(0, 0, Stream.PICTURES).integers(40, 230, (256, 3)).astype(np.uint8)
    colours[0] = 0
    return np.vstack(
        [np.hstack([_framed(p if p.ndim == 3 else colours[p]) for p in row]) for row in rows]
    )


def streets_sheet(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """uint8: eight scenes a row, what is translated below what is drawn."""
    rows = []
    for start in range(0, len(pairs), 8):
        some = pairs[start : start + 8]
        rows += [[before for before, _ in some], [after for _, after in some]]
    return sheet(rows)


def _framed(picture: np.ndarray) -> np.ndarray:
    return np.pad(picture, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
