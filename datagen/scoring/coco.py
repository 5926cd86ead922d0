"""COCO's average precision and recall of boxes or masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from datagen.labelled import Detections, Labelled
from datagen.scoring import fast, reference
from datagen.scoring.tables import Kind, found_table, truth_table

Backend = Literal["pycocotools", "faster-coco-eval"]
BACKENDS = {"pycocotools": reference.arrays, "faster-coco-eval": fast.arrays}
RECALLS = np.linspace(0.0, 1.0, 101)  # R
MOST = (1, 10, 100)  # M: the surest detections of a category in a picture


@dataclass(frozen=True, eq=False)
class Score:
    """COCO's measures, 0 to 1; None where there is nothing to measure.

    T counts IoUs from 0.50 to 0.95 by 0.05; R RECALLS; K categories; A all things, then small,
    medium and large ones (px of the mask, or box; borders 32^2 and 96^2); M the numbers of MOST.
    The arrays hold -1 where no thing counts.
    """

    kind: Kind
    categories: tuple[str, ...]
    precision: np.ndarray  # float64 [T, R, K, A, M], at each recall of RECALLS
    scores: np.ndarray  # float64 [T, R, K, A, M], the detection's where this recall is reached
    recall: np.ndarray  # float64 [T, K, A, M], the highest that is reached

    @property
    def AP(self) -> float | None:
        """Mean precision over IoUs from 0.5 to 0.95, recalls and categories."""
        return _mean(self.precision[..., 0, -1])

    @property
    def AP50(self) -> float | None:
        return _mean(self.precision[0, ..., 0, -1])

    @property
    def AP75(self) -> float | None:
        return _mean(self.precision[5, ..., 0, -1])

    @property
    def APs(self) -> float | None:
        return _mean(self.precision[..., 1, -1])

    @property
    def APm(self) -> float | None:
        return _mean(self.precision[..., 2, -1])

    @property
    def APl(self) -> float | None:
        return _mean(self.precision[..., 3, -1])

    @property
    def AR1(self) -> float | None:
        """Mean of the highest recalls with one detection of a category in a picture."""
        return _mean(self.recall[..., 0, 0])

    @property
    def AR10(self) -> float | None:
        return _mean(self.recall[..., 0, 1])

    @property
    def AR100(self) -> float | None:
        return _mean(self.recall[..., 0, 2])

    @property
    def per_category(self) -> dict[str, dict[str, float | None]]:
        """Name -> its AP and AP50."""
        return {
            name: {
                "AP": _mean(self.precision[:, :, k, 0, -1]),
                "AP50": _mean(self.precision[0, :, k, 0, -1]),
            }
            for k, name in enumerate(self.categories)
        }

    def to_json(self) -> dict[str, Any]:
        """All measures by their names, and "per_category"."""
        names = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100")
        measures = {name: getattr(self, name) for name in names}
        return {**measures, "per_category": self.per_category}


def score(
    truth: Labelled,
    found: Sequence[Detections],
    kind: Kind = "bbox",
    backend: Backend = "pycocotools",
) -> Score:
    """COCO's measures of `found`, detections of each of the truth's pictures in their order.

    Categories are numbers of the truth's. What is ignored in the truth is COCO's crowd:
    detections that lie in it by their IoU's share are neither right nor wrong.
    """
    tables = truth_table(truth, kind), found_table(truth, found, kind)
    return Score(kind, truth.categories, **BACKENDS[backend](*tables, kind))


def _mean(values: np.ndarray) -> float | None:
    """Over what can be measured."""
    measured = values[values > -1]
    return float(np.mean(measured)) if measured.size else None
