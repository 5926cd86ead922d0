"""The page of `imle_camvid.py`, and its pictures."""

import statistics
from collections.abc import Mapping, Sequence

import numpy as np
from measured import Result
from tables import spread, table

from datagen.rng import Stream, rng_for

CODES = 9
_GAP = 3  # px between pictures

HEAD = """# Streets that look like CamVid

Research data: CamVid may not be used commercially. Values are means of the seeds, in brackets the
lowest and the highest.

Conditional IMLE learns from CamVid's 367 training pairs of label map and photo at 128 x 96 px.
**Drawn** are 400 scenes of the grammar `street_2d`, as `raster` draws them; **translated** are
the same scenes with the learned pixels and the same labels, each in a style of its own. Of what
CamVid shows nothing is drawn like something else (van and bus like cars, traffic lights like signs,
the skyline like trees, terrain like a sidewalk). Scenes are of the grammar's prior, which nobody
fitted to CamVid: where things stand remains a gap that pixels cannot close. **Validation layouts**
are CamVid's own 101, which nobody learned from, with learned pixels.

![Eight layouts, nine codes](imle_camvid.jpg)

Validation layouts and nine codes, the same in every row: the first nine of the bank. The photos
themselves may not be shown here; OUT/imle-0/photos.png has them beside the same pictures.

![Sixteen scenes, before and after](imle_camvid_streets.jpg)

Scenes of `street_2d`: as drawn, and below it translated.
"""


_GAPS = """## The gap

Distances of SqueezeNet's pooled features (512 columns, in common units) between the pictures and
real photos, over the noise floor: the median (for Frechet), or the 95 % quantile (for the unbiased
ones), of the same distance between random halves of the photos. 1 is as near as photos are to each
other. CamVid's frames come from four drives, so neighbours are near copies, and the floor is lower
than that of independent photos. The pictures were learned by maps of the same network, its last one
included, so this is no independent witness; patches and the segmenter below are.
"""
_PATCHES = """## Patches

Sliced Wasserstein distances of patches of 7 x 7 px to those of the 101 validation photos, x 1000,
at each level of a Laplacian pyramid, patches normalised over the whole set. Photos of training are
there for comparison.
"""
_OVERLAPS = """## What a segmenter learns from them

A small U-Net of 500 steps of 8 pictures, on the 400 drawn or translated scenes with equal labels,
or on the 367 real pairs; intersection over union on CamVid's 101 validation frames, in per cent.
Translated is above drawn in {wins} of {seeds} seeds.
"""
_GATE = """## The gate

The segmenter that learned on photos looks at a picture again. Agreement with the layout as a share
of pixels, and as mean IoU over the layout's classes: 5 % quantile, median and 95 % quantile of the
pictures.
"""


def page(found: Sequence[Result], others: Mapping[str, Result]) -> str:
    minutes = _spread([run["cost"]["minutes"] for run in found if run["cost"]], 1)
    cost = f"Learning the appearance took {minutes} minutes of one core.\n"
    wins = sum(run["iou"]["translated"]["mean"] > run["iou"]["drawn"]["mean"] for run in found)
    overlaps = _OVERLAPS.format(wins=wins, seeds=len(found))
    parts = (_GAPS, _gaps(found), _PATCHES, _patches(found), overlaps, _overlaps(found))
    return "\n".join([HEAD, *parts, _GATE, _gate(found), cost])


def _gaps(found: Sequence[Result]) -> str:
    told = {"all": "all 468 (367 were learned from)", "val": "101 of validation"}
    names = ("frechet", "kernel", "mmd", "energy")
    rows = []
    for target, where in told.items():
        for kind in ("drawn", "translated", "val layouts"):
            readings = [run["gaps"][target][kind] for run in found]
            cells = (_spread([_over_floor(one[n], n) for one in readings], 1) for n in names)
            rows.append([where, kind, *cells])
    return table(["photos", "pictures", "Frechet", "kernel", "MMD", "energy"], rows)


def _over_floor(reading: Result, name: str) -> float:
    return reading["value"] / reading["floor"]["median" if name == "frechet" else "high"]


def _patches(found: Sequence[Result]) -> str:
    """Texture as no network sees it."""
    sides = [f"{96 // 2**k} rows" for k in range(len(found[0]["swd"]["drawn"]))]
    rows = []
    for name in found[0]["swd"]:
        columns = zip(*(run["swd"][name] for run in found), strict=True)
        rows.append([name, *(_spread(column, 0) for column in columns)])
    return table(["pictures", *sides], rows)


def _overlaps(found: Sequence[Result]) -> str:
    """Does a segmenter learn more from translated pictures than from drawn ones?"""
    rows = []
    for name in ("drawn", "translated", "real"):
        runs = [run["iou"][name] for run in found]
        columns = zip(*(run["each"] for run in runs), strict=True)
        each = [f"{100 * statistics.mean(column):.0f}" for column in columns]
        whole = (_spread([100 * run[n] for run in runs], 1) for n in ("mean", "accuracy"))
        rows.append([name, *whole, *each])
    return table(["learned from", "mean IoU", "pixels right", *found[0]["classes"]], rows)


def _gate(found: Sequence[Result]) -> str:
    """Which agreement tells a picture's own layout from another's?"""
    rows = []
    for name in found[0]["gate"]:
        cells = []
        for kind in ("accuracy", "iou"):
            quantiles = zip(*(run["gate"][name][kind] for run in found), strict=True)
            cells.append(" ".join(f"{statistics.mean(q):.2f}" for q in quantiles))
        rows.append([name, *cells])
    return table(["pictures", "share of pixels", "mean IoU"], rows)


def _spread(values: Sequence[float], digits: int) -> str:
    return spread(values, f".{digits}f", statistics.mean)


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
