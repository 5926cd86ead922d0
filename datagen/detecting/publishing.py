"""What a training leaves behind beside its weights: numbers, pictures, the report."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datagen import __version__
from datagen.detecting.material import Material, count_things
from datagen.detecting.snapshot import MODEL
from datagen.detecting.spec import Spec
from datagen.detecting.teaching import looked_at
from datagen.files import write_atomic
from datagen.labelled import Detections, Labelled
from datagen.learning.run import RunFolder
from datagen.progress import Advance
from datagen.reading import load_image
from datagen.report.predictions import predictions_sheet
from datagen.report.sheet import save_jpeg
from datagen.report.training import RESULT, write_training
from datagen.scoring.coco import score

SHEET = "predictions.jpg"
_SHOWN = 8  # pictures on the sheet


def publish(
    run: RunFolder, spec: Spec, both: Material, report: Mapping[str, Any], progress: Advance
) -> None:
    """Look at the validation pictures with the weights that are kept, and write down the rest."""
    judged = both.validation or both.training.part(_evenly(len(both.training.pictures)))
    progress(0, 1, "validating what is kept")
    with spec.settings.described(run.path / MODEL).open() as detect:
        found = list(looked_at(detect, judged.pictures))
    save_jpeg(run.path / SHEET, _sheet(judged, found))
    result = _result(run.path, spec, both, found, report)
    write_atomic(run.path / RESULT, json.dumps(result, indent=1, allow_nan=False))
    write_training(run.path, run.records())


def _evenly(count: int) -> list[int]:
    shown = min(count, _SHOWN)
    return [k * count // shown for k in range(shown)]


def _sheet(judged: Labelled, found: list[Detections]) -> Any:
    shown = _evenly(len(judged.pictures))
    pictures = [judged.pictures[k] for k in shown]
    return predictions_sheet(
        [load_image(one) for one in pictures],
        [one.things for one in pictures],
        [found[k] for k in shown],
        judged.categories,
        [Path(one.name).name for one in pictures],
    )


def _result(
    run: Path, spec: Spec, both: Material, found: list[Detections], report: Mapping[str, Any]
) -> dict[str, Any]:
    training, validation = both.training, both.validation
    best = report["best_step"]
    of = "training" if validation is None else "validation"
    things = {"training": count_things(training)}
    things["validation"] = {} if validation is None else count_things(validation)
    return {
        "format": "datagen-training-1",
        "title": f"{run.resolve().name}: trained on {len(training.pictures)} pictures",
        **report,
        "run": ".",
        "model": "the last" if best is None else f"the best, of step {best}",
        "categories": list(training.categories),
        "things": things,
        "validation": None if validation is None else _validation(validation, found),
        "detector": spec.settings.detector.model_dump(mode="json"),
        "source": str(training.folder.resolve()),
        "data": spec.data,
        "settings": spec.settings.model_dump(mode="json"),
        "sheets": [{"title": f"{of.capitalize()} pictures", "file": SHEET}],
        "datagen": __version__,
    }


def _validation(validation: Labelled, found: list[Detections]) -> dict[str, Any]:
    masks = validation.masks and all(one.masks is not None for one in found)
    return {
        "pictures": len(validation.pictures),
        "folder": str(validation.folder),
        "bbox": score(validation, found, "bbox").to_json(),
        "segm": score(validation, found, "segm").to_json() if masks else None,
    }
