"""faster-coco-eval: the same numbers as pycocotools, sooner. An extra that need not be there.

The two differ in one value alone. pycocotools divides by the number of detections plus 2.2e-16,
which a double feels only where this number is 1: a surest detection that is right has the precision
0.9999999999999998 there and 1 here. Where it stands for itself in the curve, since the second
surest is wrong, its value is put back to the reference's.
"""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from datagen.errors import MissingError
from datagen.scoring.tables import Kind

_ALONE = 1 / (1 + np.spacing(1))  # pycocotools' precision of one right detection


def arrays(truth: Mapping[str, Any], found: Mapping[str, Any], kind: Kind) -> dict[str, np.ndarray]:
    """As `reference.arrays`, bit for bit."""
    library = _library()
    evaluator = library.COCOeval_faster(
        library.COCO(dict(truth)),
        library.COCO(dict(found)),
        kind,
        print_function=_silent,
        rle_iou_max_workers=1,  # threads would compete with the workers that detect
    )
    asked = evaluator.params.recThrs
    seconds = _seconds(truth, evaluator.params.areaRng)  # [K, A]
    evaluator.params.recThrs = np.union1d(asked, seconds)
    evaluator.evaluate()
    evaluator.accumulate()
    made = {name: np.asarray(evaluator.eval[name]) for name in ("precision", "scores", "recall")}
    shown = np.searchsorted(evaluator.params.recThrs, asked)
    precision = made["precision"][:, shown]
    for (k, a), recall in np.ndenumerate(seconds):
        second = made["precision"][:, np.searchsorted(evaluator.params.recThrs, recall), k, a]
        alone = (precision[:, :, k, a] == 1) & (second != 1)[:, None]
        precision[:, :, k, a][alone] = _ALONE
    return made | {"precision": precision, "scores": made["scores"][:, shown]}


def _seconds(truth: Mapping[str, Any], areas: list[list[float]]) -> np.ndarray:
    """[K, A] recalls that two right detections reach and one does not; beyond 1 of one thing."""
    counts = np.zeros((len(truth["categories"]), len(areas)))
    for one in truth["annotations"]:
        if not one["iscrowd"]:
            inside = [low <= one["area"] <= high for low, high in areas]
            counts[one["category_id"] - 1] += inside
    return 1.5 / np.maximum(counts, 1)


def _library() -> ModuleType:
    try:
        return import_module("faster_coco_eval")
    except ImportError as error:
        raise MissingError(
            f"faster-coco-eval cannot be used here ({error}); install it with `pip install "
            "'datagen[fast-eval]'`, or evaluate with --backend pycocotools"
        ) from error


def _silent(*_: object) -> None:
    pass
