"""`datagen compare`: generated pictures beside a target, as a page and as numbers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen.comparing.extractors import Choice, Extractor, chosen
from datagen.comparing.findings import TARGET, Found
from datagen.comparing.sides import Side, load_side, picture_size
from datagen.errors import InputError
from datagen.files import make_folder, refuse_filled, write_atomic
from datagen.learning.gap import Gap, Scale, common_scale, gap
from datagen.learning.gap.measure import ROWS
from datagen.progress import Advance
from datagen.report.comparison import write_comparison
from datagen.report.sheet import contact_sheet, save_png
from datagen.rng import Stream, rng_for
from datagen.threads import one_thread

_SHOWN = 24  # pictures on a contact sheet


@dataclass(frozen=True)
class Request:
    """What to compare. `generated`: name -> folder; "prior" is what the others are judged by."""

    generated: Mapping[str, Path]
    target: Path
    features: str | None = None
    weights: Path | None = None
    truth: Path | None = None  # COCO labels of the target
    images: int = ROWS  # of each side, at most
    seed: int = 0


def compare(
    request: Request, out: Path, progress: Advance = lambda done, total, what: None
) -> dict[str, Any]:
    """Write report.html, report.json and the contact sheets into `out`; gives the report.

    InputError for what cannot be read, and for an `out` that is not empty.
    """
    folders = {**request.generated, TARGET: request.target}
    for name, folder in folders.items():
        if not folder.is_dir():
            raise InputError(f"{name}: {folder} is no folder; give one that holds pictures")
    refuse_filled(out, [*folders.values()])
    choice = chosen(request.features, request.weights)
    steps = _Steps(3 * len(request.generated) + 2, progress)
    with one_thread():
        sides = _sides(request, choice, steps)
        with choice.open() as extractor:
            rows = {name: _rows(extractor, side, steps) for name, side in sides.items()}
            scale = common_scale(*rows.values()) if extractor.own_scale else None
            gaps = {
                name: _gap(request, extractor, rows[name], rows[TARGET], scale, steps, name)
                for name in request.generated
            }
            found = Found(extractor, sides, rows, gaps)
        report = found.report(request.seed)
    _publish(out, sides, report)
    return report


class _Steps:
    """Counts stages for the progress bar."""

    def __init__(self, total: int, progress: Advance) -> None:
        self.total, self.progress, self.done = total, progress, -1

    def begin(self, what: str) -> None:
        self.done += 1
        self.say(what)

    def say(self, what: str) -> None:
        self.progress(self.done, self.total, what)


def _sides(request: Request, choice: Choice, steps: _Steps) -> dict[str, Side]:
    size = choice.canvas or picture_size([*request.generated.values()])
    sides: dict[str, Side] = {}
    for name, folder in [*request.generated.items(), (TARGET, request.target)]:
        steps.begin(f"reading {name}")
        truth = request.truth if name == TARGET else None
        sides[name] = load_side(name, folder, size, request.images, truth)
    return sides


def _rows(extractor: Extractor, side: Side, steps: _Steps) -> np.ndarray:
    steps.begin(f"features of {side.name}")
    count = len(side.images)
    return extractor.rows(
        side.images, lambda done: steps.say(f"features of {side.name}, {done} of {count}")
    )


def _gap(
    request: Request,
    extractor: Extractor,
    ours: np.ndarray,
    theirs: np.ndarray,
    scale: Scale | None,
    steps: _Steps,
    name: str,
) -> Gap:
    steps.begin(f"{name} against the target")
    return gap(
        ours,
        theirs,
        rng_for(request.seed, 0, Stream.BOOTSTRAP),  # the same: floors can be compared
        features=extractor.name,
        columns=extractor.columns,
        scale=scale,
        progress=lambda what: steps.say(f"{name} against the target: {what}"),
    )


def _publish(out: Path, sides: Mapping[str, Side], report: Mapping[str, Any]) -> None:
    make_folder(out)
    for name, side in sides.items():
        count = len(side.images)
        shown = [side.images[k * count // _SHOWN] for k in range(min(_SHOWN, count))]
        save_png(out / f"{name}.png", contact_sheet(shown, columns=6))
    write_atomic(out / "report.json", json.dumps(report, indent=1, allow_nan=False))
    write_comparison(out)
