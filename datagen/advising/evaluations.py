"""What `datagen evaluate` left behind: AP50 and recall, whole and in slices."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from datagen.dataset.store import read_json
from datagen.errors import InputError
from datagen.report.evaluation import FORMAT

_NESTED = ("under", "rule")  # factors in which a thing may lie in several slices


@dataclass(frozen=True)
class Slice:
    """The things of the evaluated city for which one factor is the same."""

    factor: str
    label: str
    things: int
    ap50: float | None  # 0 to 1; None: nothing to measure
    recall: float | None


@dataclass(frozen=True)
class Evaluation:
    """One detector on one dataset."""

    folder: Path
    run: str
    dataset: str
    pictures: int
    trained_on: int | None  # pictures
    categories: tuple[str, ...]
    ap50: float | None  # of boxes, 0 to 1
    slices: tuple[Slice, ...]

    @property
    def things(self) -> int:
        """Things in the evaluated pictures, as the factor that covers most of them has it."""
        totals: dict[str, int] = {}
        for one in (s for s in self.slices if s.factor not in _NESTED):
            totals[one.factor] = totals.get(one.factor, 0) + one.things
        return max(totals.values(), default=0)


def load(folder: Path) -> Evaluation:
    """The evaluation in a folder; InputError where there is none, or none that can be read."""
    path = folder / "report.json"
    if not path.is_file():
        raise InputError(
            f"{folder}: holds no report.json; give a folder that `datagen evaluate` wrote"
        )
    data = read_json(path)
    if data.get("format") != FORMAT:
        raise InputError(
            f"{path}: is no report of an evaluation (its format is {data.get('format')!r}, not "
            f"{FORMAT!r}); give a folder that `datagen evaluate` of this version wrote"
        )
    try:
        return _evaluation(folder, data)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: cannot be understood ({type(error).__name__} {error}); evaluate again"
        ) from error


def _evaluation(folder: Path, data: Mapping[str, Any]) -> Evaluation:
    trained_on = data["trained_on"]
    return Evaluation(
        folder=folder,
        run=str(data["run"]),
        dataset=str(data["dataset"]),
        pictures=_count(data["pictures"]),
        trained_on=None if trained_on is None else _count(trained_on),
        categories=tuple(map(str, data["categories"])),
        ap50=_share(data["bbox"]["AP50"]),
        slices=tuple(_slice(one) for one in data["slices"]),
    )


def _slice(data: Mapping[str, Any]) -> Slice:
    return Slice(
        factor=str(data["factor"]),
        label=str(data["label"]),
        things=_count(data["things"]),
        ap50=_share(data["AP50"]),
        recall=_share(data["recall"]),
    )


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no number of things or pictures")
    return value


def _share(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not math.isfinite(value) or not 0 <= value <= 1:
        raise ValueError(f"{value!r} is not from 0 to 1")
    return float(value)


def check_same_target(evaluations: Sequence[Evaluation]) -> None:
    """Numbers measured on different things cannot be set beside each other."""
    first = evaluations[0]
    for other in evaluations[1:]:
        for what, ours, theirs in (
            ("the dataset", _place(first.dataset), _place(other.dataset)),
            ("pictures", first.pictures, other.pictures),
            ("categories", first.categories, other.categories),
            ("things that count", first.things, other.things),
        ):
            if ours != theirs:
                raise InputError(
                    f"{other.folder} and {first.folder} are of different targets ({what}: "
                    f"{_shown(theirs)}, {_shown(ours)}); give evaluations on one and the same "
                    "dataset"
                )


def _place(dataset: str) -> str:
    """The same folder may have been named in several ways."""
    return os.path.realpath(dataset) if "\0" not in dataset else dataset


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def best_trained(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Those of the most training pictures: what they still miss is worth the most to know."""
    most = max(one.trained_on or 0 for one in evaluations)
    return [one for one in evaluations if (one.trained_on or 0) == most]


def pooled(evaluations: Sequence[Evaluation]) -> list[Slice]:
    """The slices of several detectors on the same things, their readings averaged."""
    groups: dict[tuple[str, str], list[Slice]] = {}
    for one in (s for evaluation in evaluations for s in evaluation.slices):
        groups.setdefault((one.factor, one.label), []).append(one)
    return [
        Slice(
            factor,
            label,
            max(one.things for one in group),
            mean_of([one.ap50 for one in group]),
            mean_of([one.recall for one in group]),
        )
        for (factor, label), group in groups.items()
    ]


def mean_of(values: Sequence[float | None]) -> float | None:
    """Mean of what was measured; None where nothing was."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
