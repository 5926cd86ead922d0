"""torchvision's two judges, taught that in an ignored region nothing is right or wrong.

A target may have "ignored": float32 [M, 4], boxes as x0, y0, x1, y1. What lies in one of them by
half or more, and matches no thing, is no example of background.
"""

from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import box_iou

Targets = list[dict[str, Tensor]]
_SHARE = 0.5


class Proposals(RegionProposalNetwork):
    """Finds where things may be."""

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: Targets
    ) -> tuple[list[Tensor], list[Tensor]]:
        labels, boxes = super().assign_targets_to_anchors(anchors, targets)
        for label, anchor, target in zip(labels, anchors, targets, strict=True):
            label[(label == 0) & _lies_in(anchor, target["ignored"])] = -1  # is not sampled
        return labels, boxes

    def compute_loss(
        self,
        objectness: Tensor,
        pred_bbox_deltas: Tensor,
        labels: list[Tensor],
        regression_targets: list[Tensor],
    ) -> tuple[Tensor, Tensor]:
        if all(bool((label < 0).all()) for label in labels):  # else a mean of nothing: NaN
            return objectness.sum() * 0, pred_bbox_deltas.sum() * 0
        return super().compute_loss(objectness, pred_bbox_deltas, labels, regression_targets)


class Judges(RoIHeads):
    """Say what a proposal shows, its box and its mask."""

    boxes_only = False  # no masks are found; they are learned all the same

    def has_mask(self) -> bool:
        return super().has_mask() and (self.training or not self.boxes_only)

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: Targets | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        if self.training and targets is not None:
            proposals = [_judged(p, t) for p, t in zip(proposals, targets, strict=True)]
            if not any(map(len, proposals)) and not any(len(t["boxes"]) for t in targets):
                return [], {}
        return super().forward(features, proposals, image_shapes, targets)


def _judged(proposals: Tensor, target: dict[str, Any]) -> Tensor:
    """The proposals that are right or wrong."""
    free = ~_lies_in(proposals, target["ignored"])
    if len(target["boxes"]):
        free |= box_iou(proposals, target["boxes"]).amax(1) >= 0.5
    return proposals[free]


def _lies_in(boxes: Tensor, regions: Tensor) -> Tensor:
    """bool [N]: does each box lie in one region by half or more?"""
    if not len(regions):
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    low = torch.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(2).amax(1)
    return shared >= _SHARE * (boxes[:, 2:] - boxes[:, :2]).prod(1)
