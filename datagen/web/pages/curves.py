"""Learning curves of a run under way, small; its report has them large at the end."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_READ = 2 << 20  # bytes of the end of metrics.jsonl
_POINTS = 160  # of a curve
_HIDDEN = ("phase", "iteration", "floor")
WIDTH, HEIGHT = 160, 44  # of the drawing, in its own units


@dataclass(frozen=True)
class Curve:
    """What one measure did in the phase that a run is in."""

    name: str
    points: str  # of an SVG polyline
    last: float


@dataclass(frozen=True)
class Phase:
    """The phase that a run is in."""

    name: str
    iteration: int
    curves: list[Curve]


def phase(run: Path) -> Phase | None:
    """From the run's metrics.jsonl; None before its first reading."""
    records = list(_records(run / "metrics.jsonl"))
    if not records:
        return None
    name = str(records[-1]["phase"])
    mine = [record for record in records if record["phase"] == name]
    measures = dict.fromkeys(key for record in mine for key in record if key not in _HIDDEN)
    drawn = [_curve(key, mine) for key in measures]
    return Phase(name, int(records[-1]["iteration"]), [one for one in drawn if one is not None])


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    """Whole lines of its end; those that a crash left broken are left out."""
    try:
        with path.open("rb") as file:
            start = max(0, path.stat().st_size - _READ)
            file.seek(start)
            lines = file.read(_READ).split(b"\n")
    except OSError:
        return
    for line in lines[1:] if start else lines:
        try:
            record = json.loads(line)
            if isinstance(record["phase"], str) and isinstance(record["iteration"], int):
                yield record
        except (ValueError, LookupError, TypeError, RecursionError):
            continue


def _curve(key: str, records: list[Mapping[str, Any]]) -> Curve | None:
    read = [float(record[key]) for record in records if _is_number(record.get(key))]
    if len(read) < 2:
        return None
    every = math.ceil(len(read) / _POINTS)
    values = [read[k] for k in range((len(read) - 1) % every, len(read), every)]
    least, most = min(values), max(values)
    spread = (most - least) or 1.0
    step = WIDTH / max(1, len(values) - 1)
    points = " ".join(
        f"{k * step:.1f},{2 + (HEIGHT - 4) * (most - value) / spread:.1f}"
        for k, value in enumerate(values)
    )
    return Curve(key.replace("_", " "), points, values[-1])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
