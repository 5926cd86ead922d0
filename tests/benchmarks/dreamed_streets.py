"""Labelled pictures from noise: what a run of `dreamed_streets` gives, measured and shown.

python tests/benchmarks/dreamed_streets.py RUN TARGET OUT [--count 200]

RUN is what `datagen learn dreamed_streets --target TARGET --out RUN` made. OUT/data is generated
from it and verified. Writes docs/results-dreamed-streets.md and docs/dreamed_streets.jpg.
"""

import argparse
import json
import os
import platform
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from datagen import pipeline, recipe
from datagen.reading.maps import LabelMaps, read_maps
from datagen.rng import Stream, rng_for

ROOT = Path(__file__).parents[2]
PAGE, SHEET = ROOT / "docs/results-dreamed-streets.md", ROOT / "docs/dreamed_streets.jpg"
COLUMNS, ROWS, GAP = 6, 4, 4
LEAST = 0.05  # percent of the pixels: rarer classes are left out of the table

HEAD = """# Dreamed streets

```
datagen learn dreamed_streets --target camvid/train --out run
python tests/benchmarks/dreamed_streets.py run camvid/train OUT
```

SemGAN learned layouts from CamVid's 367 label maps, and conditional IMLE what they look like from
the same maps with their photos; 128 x 96 px, on a CPU, one seed. Nobody drew these pictures or
chose what is in them. CamVid may be used for research only.

![Dreamed streets](dreamed_streets.jpg)

Dreamed pictures, each above its layout; things in colours of their own, the rest by class. The
first that there are, not the best.
"""


def main(words: Sequence[str] | None = None) -> None:
    asked = _asked(words)
    learned = recipe.load(asked.run, [f"count={asked.count}", 'passes=["class", "instance"]'])
    out = asked.out / "data"
    report = pipeline.generate(learned, out, resume=out.exists())
    verdict = pipeline.verify(out, rerender=0.1)
    maps = read_maps(asked.target, learned.world())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    rejected = json.loads((out / "manifest.json").read_text())["rejected_attempts"]
    facts = {
        "images made": f"{report.count:,}",
        "findings of `datagen verify --rerender 0.1`": f"{len(verdict.findings)}",
        "labelled things": f"{report.annotations:,}",
        "attempts that the gate rejected": f"{rejected:,} of {rejected + report.count:,} "
        f"({rejected / (rejected + report.count):.1%})",
        "images a second, one process, everything included": f"{report.images_per_second:.1f}",
        "memory of that process, GB": f"{memory:.2f}",
    }
    PAGE.write_text(_page(facts, _shares(_made(out), maps), learned))
    cv2.imwrite(str(SHEET), _sheet(out), [cv2.IMWRITE_JPEG_QUALITY, 88])
    if verdict.findings:
        sys.exit(3)


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("run", "target", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--count", type=int, default=200)
    return parser.parse_args(words)


def _files(out: Path, ending: str) -> list[Path]:
    return sorted((out / "shards").glob(f"*/*.{ending}"))


def _made(out: Path) -> list[np.ndarray]:
    """Class maps uint8 [H, W]."""
    found = [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in _files(out, "class.png")]
    return [one for one in found if one is not None]


def _shares(made: Sequence[np.ndarray], maps: LabelMaps) -> list[tuple[str, list[float]]]:
    """Class -> % of pixels and of maps that have it: real, dreamed."""
    real = [maps.class_map(k) for k in range(len(maps))]
    rows = []
    for k, name in enumerate(("nothing", *maps.categories, *maps.stuff)):
        cells = [100 * float(np.mean([(one == k).mean() for one in some])) for some in (real, made)]
        cells += [100 * float(np.mean([(one == k).any() for one in some])) for some in (real, made)]
        if max(cells[:2]) >= LEAST:
            rows.append((name, cells))
    return rows


def _page(
    facts: dict[str, str], shares: list[tuple[str, list[float]]], learned: recipe.Recipe
) -> str:
    gate: Any = learned.renderers[-1].options.get("gate")
    lines = [HEAD, "| what | measured |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    lines += [
        "",
        f"The gate: {gate:.0%} of a picture's pixels must show their class to a network that has",
        "only seen photos.",
        "",
        "| class | % of pixels, real | dreamed | % of maps that have it, real | dreamed |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {name} | {' | '.join(f'{c:.1f}' for c in cells)} |" for name, cells in shares),
        "",
        f"Steps of SemGAN: {learned.learn.layout.steps:,} of {learned.learn.layout.batch} maps. "
        f"Machine: {os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}; other work on it was not excluded.",
        "",
    ]
    return "\n".join(lines)


def _sheet(out: Path) -> np.ndarray:
    """BGR: pictures, each above its layout."""
    kinds = (_files(out, "png"), _files(out, "class.png"), _files(out, "instance.png"))
    pictures = [p for p in kinds[0] if p.name.count(".") == 1]
    cells = []
    for k in range(COLUMNS * ROWS):
        image = cv2.imread(str(pictures[k]))
        classes, things = (cv2.imread(str(kind[k]), cv2.IMREAD_UNCHANGED) for kind in kinds[1:])
        assert image is not None and classes is not None and things is not None
        cell = np.vstack([image, _coloured(classes, things)])
        cells.append(np.pad(cell, ((0, GAP), (0, GAP), (0, 0)), constant_values=255))
    rows = [np.hstack(cells[r * COLUMNS : (r + 1) * COLUMNS]) for r in range(ROWS)]
    return np.vstack(rows)


def _coloured(classes: np.ndarray, things: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3]: a colour for each class that is no thing, and bright ones for things."""
    rng = rng_for(5, 0, Stream.EVALUATE)
    dull = rng.integers(40, 130, (256, 3), np.uint8)
    bright = rng.integers(110, 256, (65_536, 3), np.uint8)
    dull[0] = 0
    return np.where((things > 0)[..., None], bright[things], dull[classes])


if __name__ == "__main__":
    main()
