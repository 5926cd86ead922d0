"""`datagen evaluate`: how good a detector is on labelled pictures, as numbers and as a page."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datagen import __version__
from datagen.dataset import coco
from datagen.dataset.folders import is_dataset
from datagen.dataset.store import LOCK, is_complete, read_json
from datagen.dataset.targets import display_name
from datagen.decoding import decode
from datagen.detecting.finding import detect
from datagen.detecting.lessons import DATASET
from datagen.detecting.misses import Failures, failures
from datagen.detecting.origins import origins_of
from datagen.detecting.sides import Sides, aligned
from datagen.detecting.snapshot import header_of, weights_of
from datagen.detecting.spec import read_spec
from datagen.detecting.work import PICTURES
from datagen.errors import InputError
from datagen.files import locked, make_folder, write_atomic
from datagen.interfaces import Component
from datagen.jobs.conducted import Conducted, Order
from datagen.jobs.executors import Workers
from datagen.labelled import Kind, Labelled
from datagen.progress import Advance
from datagen.reading import read
from datagen.reading.coco import file_of
from datagen.report.evaluation import FORMAT, write_evaluation
from datagen.report.sheet import save_png
from datagen.report.training import RESULT
from datagen.scoring.coco import Backend, Score, score
from datagen.scoring.confusion import best_threshold, confusion
from datagen.scoring.given import Given, Numbered, read_detections
from datagen.scoring.kitti import is_judged, kitti
from datagen.scoring.matching import Matches, match
from datagen.scoring.slices import slices
from datagen.settings.train import Train
from datagen.storage.address import quoted, unquoted


@dataclass(frozen=True)
class Request:
    """What to evaluate. `source`: a run of `train`, its weights, or a file of detections."""

    source: Path
    dataset: Path
    kind: Kind | None = None
    workers: Workers = 1
    backend: Backend = "pycocotools"
    official: bool = False  # KITTI's own IoUs instead of 0.5
    merge: Mapping[str, str] = field(default_factory=dict)  # old category name -> new one


@dataclass(frozen=True)
class Evaluated:
    """The measures behind a report."""

    sides: Sides
    boxes: Score
    masks: Score | None
    matches: Matches
    threshold: float
    f1: float


def evaluate(
    request: Request,
    out: Path,
    *,
    resume: bool = False,
    progress: Advance = lambda done, total, words: None,
) -> dict[str, Any]:
    """Write report.html, report.json and pictures of failures into `out`; gives the report.

    InputError for what cannot be read, and for an `out` that is not empty without `resume`.
    """
    labelled, settings, given = _looked_at(request)
    with _opened(request, labelled, out, resume):
        if settings is not None:
            file = detect(request.source, labelled, out, request.workers, progress)
            given = read_detections(file, labelled)
        sides = aligned(labelled, given, settings, request.merge)
        count = len(labelled.pictures)
        progress(count, count, "scoring")
        evaluated = _evaluated(sides, request.backend)
        failed = failures(sides, evaluated.matches, evaluated.threshold)
        report = _report(request, labelled, evaluated, failed)
        report["seen"] = _seen(request.source, labelled, out)
        for name, sheet in failed.sheets.items():
            save_png(out / f"{name}.png", sheet)
        write_atomic(out / "report.json", json.dumps(report, indent=1, allow_nan=False))
        write_evaluation(out)
    return report


def _looked_at(request: Request) -> tuple[Labelled, Train | None, Given]:
    """What is there to evaluate; refused before anything is written, or hours of detection."""
    if not _are_detections(request.source):
        header_of(weights_of(request.source))
    labelled = read(request.dataset, request.kind)
    settings, given = _known(request, labelled)
    aligned(labelled, given, settings, request.merge)
    return labelled, settings, given


@contextmanager
def _opened(request: Request, labelled: Labelled, out: Path, resume: bool) -> Iterator[None]:
    """`out`, made where it is not there, and held against other runs."""
    for folder in (request.source, labelled.folder):
        if folder.is_dir() and out.resolve() == folder.resolve():
            raise InputError(f"{out}: is what is to be evaluated; name a new folder with --out")
    if out.resolve().is_relative_to(labelled.folder.resolve()):
        raise InputError(f"{out}: lies inside {labelled.folder}; name a folder outside it")
    if out.is_file():
        raise InputError(f"{out}: is a file; give a new folder with --out")
    if out.is_dir() and any(one.name != LOCK for one in out.iterdir()) and not resume:
        raise InputError(f"{out}: is not empty; name a new folder, or go on with --resume")
    make_folder(out)
    with locked(out):
        yield


def _known(request: Request, labelled: Labelled) -> tuple[Train | None, Given]:
    """Settings of the training and the detector's categories; None and what is in the file."""
    source = request.source
    if _are_detections(source):
        return None, read_detections(source, labelled, _numbered(request.dataset, labelled))
    settings = read_spec(source).settings if source.is_dir() else Train()
    return settings, Given(tuple(map(str, header_of(weights_of(source))["categories"])), ())


def _seen(source: Path, labelled: Labelled, out: Path) -> str | None:
    """What the training did with these very pictures; None: nothing that is known."""
    if not source.is_dir():
        return None
    spec, looked_at = read_spec(source), read_json(out / PICTURES)["dataset"]
    made = (source / DATASET).resolve() == labelled.folder.resolve()
    if made or spec.data == looked_at:
        return "learned from"
    return "validated on" if spec.validation == looked_at else None


def _are_detections(source: Path) -> bool:
    return source.suffix == ".json" and not source.is_dir()


def _numbered(dataset: Path, labelled: Labelled) -> Numbered | None:
    """The ids of a COCO file; None for other kinds."""
    if labelled.kind != "coco":
        return None
    data = coco.read(file_of(dataset))
    return Numbered(
        {one["id"]: str(one["file_name"]) for one in data["images"]},
        {one["id"]: str(one["name"]) for one in data["categories"]},
    )


def _evaluated(sides: Sides, backend: Backend) -> Evaluated:
    masks = sides.truth.masks and all(one.masks is not None for one in sides.found)
    matches = match(sides.truth, sides.found)
    threshold, f1 = best_threshold(matches)
    return Evaluated(
        sides=sides,
        boxes=score(sides.truth, sides.found, "bbox", backend),
        masks=score(sides.truth, sides.found, "segm", backend) if masks else None,
        matches=matches,
        threshold=threshold,
        f1=f1,
    )


def _report(
    request: Request, labelled: Labelled, one: Evaluated, failed: Failures
) -> dict[str, Any]:
    truth = one.sides.truth
    origins, rules = None, None
    if is_dataset(labelled.folder) and is_complete(labelled.folder):
        origins, rules = origins_of(labelled)
    made = slices(one.matches, truth, one.threshold, origins, rules)
    return {
        "format": FORMAT,
        "datagen": __version__,
        "run": display_name(str(request.source.resolve())),
        "dataset": display_name(str(request.dataset.resolve())),
        "kind": labelled.kind,
        "backend": request.backend,
        "pictures": len(truth.pictures),
        "things": len(one.matches.targets),
        "ignored": sum(len(p.things) for p in truth.pictures) - len(one.matches.targets),
        "detections": len(one.matches.score),
        "trained_on": _trained_on(request.source),
        "categories": list(truth.categories),
        "only_labelled": list(one.sides.only_labelled),
        "only_found": list(one.sides.only_found),
        "left_out": [list(map(display_name, pair)) for pair in labelled.rejected],
        "bbox": one.boxes.to_json(),
        "segm": one.masks.to_json() if one.masks else None,
        **_kitti(one.sides, request.official),
        "threshold": one.threshold,
        "f1": one.f1,
        "confusion": confusion(one.matches, one.threshold).tolist(),
        "curves": _curves(one.boxes),
        "slices": [part.to_json() for part in made],
        "sheets": [{"file": f"{n}.png", "title": t} for n, t in failed.titles.items()],
    }


def _kitti(sides: Sides, official: bool) -> dict[str, Any]:
    """KITTI's measure where it is known how much of each thing is hidden."""
    keys = ("kitti", "kitti_r11", "kitti_ious")
    if not is_judged(sides.kitti):
        return dict.fromkeys(keys)
    tables = kitti(sides.kitti, sides.found, official=official)
    names = sides.truth.categories
    r40, r11 = ({name: tables[key][name] for name in names} for key in ("R40", "R11"))
    if all(value is None for row in r40.values() for value in row.values()):
        return dict.fromkeys(keys)
    return dict(zip(keys, (r40, r11, "official" if official else "0.5"), strict=True))


def _curves(boxes: Score) -> dict[str, list[float]]:
    """Category -> precision at COCO's 101 recalls at an IoU of 0.5, where there are things."""
    values = boxes.precision[0, :, :, 0, -1]
    return {
        name: values[:, k].tolist()
        for k, name in enumerate(boxes.categories)
        if (values[:, k] >= 0).all()
    }


def _trained_on(source: Path) -> int | None:
    """Pictures that the run learned from, where it says so."""
    file = source / RESULT
    pictures = read_json(file).get("pictures") if file.is_file() else None
    return pictures if isinstance(pictures, int) else None


# ------------------------------------------------------------------------------------------- jobs


class _Ordered(Component):
    """The arguments of a job: a Request and where its report goes. Paths are percent-encoded."""

    source: str
    dataset: str
    kind: Kind | None
    backend: Backend
    official: bool
    merge: dict[str, str]
    out: str


def order(request: Request, out: Path, *, resume: bool = False) -> Order:
    """The job of an evaluation; its `workers` are those that attend the queue."""

    def claim() -> None:
        labelled, _, _ = _looked_at(request)
        with _opened(request, labelled, out, resume):
            pass

    places = {"source": request.source, "dataset": request.dataset, "out": out}
    arguments: dict[str, Any] = {name: quoted(path.resolve()) for name, path in places.items()}
    for name in ("kind", "backend", "official"):
        arguments[name] = getattr(request, name)
    return Order("evaluate", arguments | {"merge": dict(request.merge)}, claim)


def conduct(arguments: dict[str, Any], means: Conducted) -> dict[str, Any]:
    """Carry out a job of `order`; gives the report."""
    asked = decode(_Ordered, arguments, "job")
    request = Request(
        unquoted(asked.source),
        unquoted(asked.dataset),
        asked.kind,
        means.executor,
        asked.backend,
        asked.official,
        asked.merge,
    )
    return evaluate(request, unquoted(asked.out), resume=True, progress=means.progress)
