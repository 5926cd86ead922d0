"""COCO's own evaluator, pycocotools: what every other must agree with."""

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any, cast

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from datagen.scoring.tables import Kind


def arrays(truth: Mapping[str, Any], found: Mapping[str, Any], kind: Kind) -> dict[str, np.ndarray]:
    """ "precision" and "scores" [T, R, K, A, M], "recall" [T, K, A, M]; -1 where nothing counts."""
    with redirect_stdout(io.StringIO()):  # it prints its progress
        evaluator = COCOeval(_indexed(truth), _indexed(found), kind)
        evaluator.evaluate()
        evaluator.accumulate()
    return {name: evaluator.eval[name] for name in ("precision", "scores", "recall")}


def _indexed(table: Mapping[str, Any]) -> COCO:
    coco = COCO()
    coco.dataset = cast(Any, table)
    coco.createIndex()
    return coco
