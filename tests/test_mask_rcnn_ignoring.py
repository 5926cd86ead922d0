"""Ignored regions: what lies in them is no example of background."""

import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.rpn import RPNHead

from detectors._ignoring import Proposals, _judged

THING = [10.0, 10.0, 20.0, 20.0]
REGION = [40.0, 40.0, 60.0, 60.0]
BOXES = torch.tensor(
    [
        THING,
        [42.0, 42.0, 50.0, 50.0],  # in the region
        [50.0, 40.0, 68.0, 60.0],  # in it by more than half
        [55.0, 40.0, 90.0, 60.0],  # by less
        [70.0, 70.0, 80.0, 80.0],  # not at all
    ]
)


def target(boxes, ignored):
    return {
        "boxes": torch.tensor(boxes).reshape(-1, 4),
        "labels": torch.ones(len(boxes), dtype=torch.int64),
        "ignored": torch.tensor(ignored).reshape(-1, 4),
    }


def proposals():
    return Proposals(
        AnchorGenerator(),
        RPNHead(4, 3),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=8,
        positive_fraction=0.5,
        pre_nms_top_n={"training": 9, "testing": 9},
        post_nms_top_n={"training": 9, "testing": 9},
        nms_thresh=0.7,
    )


def test_anchors_in_an_ignored_region_are_not_background():
    (labels,), _ = proposals().assign_targets_to_anchors([BOXES], [target([THING], [REGION])])
    assert labels.tolist() == [1, -1, -1, 0, 0]


def test_a_thing_in_an_ignored_region_is_still_to_be_found():
    inside = BOXES[1].tolist()
    (labels,), _ = proposals().assign_targets_to_anchors([BOXES], [target([inside], [REGION])])
    assert labels.tolist() == [0, 1, -1, 0, 0]


def test_without_ignored_regions_all_is_as_in_torchvision():
    (labels,), _ = proposals().assign_targets_to_anchors([BOXES], [target([], [])])
    assert labels.tolist() == [0] * 5


def test_proposals_in_an_ignored_region_are_judged_only_where_they_match_a_thing():
    inside = BOXES[1].tolist()
    assert _judged(BOXES, target([inside], [REGION])).tolist() == BOXES[[0, 1, 3, 4]].tolist()
    assert _judged(BOXES, target([], [REGION])).tolist() == BOXES[[0, 3, 4]].tolist()


def test_where_nothing_can_be_judged_the_loss_is_zero_and_not_nan():
    scores, moves = torch.zeros(5, 1, requires_grad=True), torch.zeros(5, 4, requires_grad=True)
    losses = proposals().compute_loss(scores, moves, [-torch.ones(5)], [torch.zeros(5, 4)])
    assert [float(loss.detach()) for loss in losses] == [0, 0]
    sum(losses).backward()
