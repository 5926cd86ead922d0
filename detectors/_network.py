"""Mask R-CNN (He et al., 2017) out of torchvision's parts, in two sizes."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.models import resnet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FrozenBatchNorm2d, MultiScaleRoIAlign

from ._ignoring import Judges, Proposals
from ._normalising import Normalising

Size = Literal["small", "resnet50"]
_LEVELS = ("0", "1", "2", "3")  # torchvision's names of the pyramid's maps, strides 4 to 32
_RATIOS = (0.5, 1.0, 2.0)  # height to width


@dataclass(frozen=True)
class _Plan:
    """The numbers of one size. Counts in pairs are for training and for detecting."""

    backbone: str
    channels: int  # of the pyramid
    box: int  # width of the box head
    mask: tuple[int, ...]  # channels of the mask head's layers
    anchors: tuple[int, ...]  # px, one a level of the pyramid
    canonical: int  # px, side of a box that is read from stride 16
    anchors_judged: int  # a picture
    kept: tuple[int, int]  # proposals a level before overlapping ones go
    proposals: tuple[int, int]  # a picture
    boxes_judged: int  # of the proposals
    samples: int  # read from the pyramid per axis of a cell of a box's grid


# Small: heads and proposals are what a Mask R-CNN costs, not its backbone; eight times less of
# them makes eight times the speed. Its anchors suit pictures of 100 to 700 px, as we render them.
# ResNet-50: as torchvision's maskrcnn_resnet50_fpn, with all its numbers.
_PLANS: dict[Size, _Plan] = {
    "small": _Plan(
        "resnet18", 64, 256, (64, 64), (8, 16, 32, 64, 128), 64, 128, (400, 200), (200, 100), 64, 1
    ),
    "resnet50": _Plan(
        "resnet50", 256, 1024, (256,) * 4, (32, 64, 128, 256, 512), 224,
        256, (2000, 1000), (2000, 1000), 512, 2,
    ),
}  # fmt: skip


def backbone_name(size: Size) -> str:
    """As torchvision calls it."""
    return _PLANS[size].backbone


def network(
    size: Size, categories: int, *, masks: bool, frozen: bool, least_score: float, most: int
) -> GeneralizedRCNN:
    """An untrained network; torch's global generator draws its weights.

    `frozen`: the first layers of the backbone and all its normalisation stay as they are, which is
    for weights that were trained on much. Otherwise BatchNorm learns along: from random weights
    a frozen one would pass signals on at whatever scale they happen to have.
    """
    plan = _PLANS[size]
    pool = _pool(plan, 7)
    judges = Judges(
        pool,
        TwoMLPHead(plan.channels * 7 * 7, plan.box),
        _BoxPredictor(plan.box, categories + 1),  # torchvision's class 0 is the background
        fg_iou_thresh=0.5,
        bg_iou_thresh=0.5,
        batch_size_per_image=plan.boxes_judged,
        positive_fraction=0.25,
        bbox_reg_weights=None,
        score_thresh=least_score,
        nms_thresh=0.5,
        detections_per_img=most,
    )
    if masks:
        judges.mask_roi_pool = _pool(plan, 14)
        judges.mask_head = MaskRCNNHeads(plan.channels, plan.mask, 1)
        judges.mask_predictor = _MaskPredictor(plan.mask[-1], plan.mask[-1], categories + 1)
    return GeneralizedRCNN(_pyramid(plan, frozen), _proposals(plan), judges, Normalising())


def _pool(plan: _Plan, cells: int) -> MultiScaleRoIAlign:
    return MultiScaleRoIAlign(list(_LEVELS), cells, plan.samples, canonical_scale=plan.canonical)


def _proposals(plan: _Plan) -> Proposals:
    anchors = AnchorGenerator(tuple((a,) for a in plan.anchors), (_RATIOS,) * len(plan.anchors))
    return Proposals(
        anchors,
        _ProposalHead(plan.channels, len(_RATIOS)),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=plan.anchors_judged,
        positive_fraction=0.5,
        pre_nms_top_n=dict(zip(("training", "testing"), plan.kept, strict=True)),
        post_nms_top_n=dict(zip(("training", "testing"), plan.proposals, strict=True)),
        nms_thresh=0.7,
    )


def _pyramid(plan: _Plan, frozen: bool) -> BackboneWithFPN:
    norm = FrozenBatchNorm2d if frozen else nn.BatchNorm2d
    trunk = getattr(resnet, plan.backbone)(weights=None, norm_layer=norm)
    if frozen:  # as torchvision does: the last three of five groups of layers are trained
        for part in (trunk.conv1, trunk.layer1):
            part.requires_grad_(False)
    width = trunk.inplanes // 8
    return _Pyramid(
        trunk,
        {f"layer{k + 1}": name for k, name in enumerate(_LEVELS)},
        [width << k for k in range(4)],
        plan.channels,
    )


# With reduced precision, convolutions and products are bfloat16 (torch's autocast). What these four
# give is float32 again: torchvision computes boxes, anchors and losses in the precision of what
# it is given, and bfloat16 knows only every second or fourth pixel of a wide picture.


class _Pyramid(BackboneWithFPN):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {name: level.float() for name, level in super().forward(x).items()}


class _ProposalHead(RPNHead):
    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        scores, moves = super().forward(x)
        return [s.float() for s in scores], [m.float() for m in moves]


class _BoxPredictor(FastRCNNPredictor):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class _MaskPredictor(MaskRCNNPredictor):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).float()
