"""Where a training starts: random weights, ImageNet's, or those of another training."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

from datagen.errors import InputError
from datagen.labelled import Labelled
from datagen.settings.train import Train

from ._pupil import Pupil
from ._weights import Header, imagenet_file, read_detector, start_from_imagenet

if TYPE_CHECKING:
    from .mask_rcnn import Detector

_OF_CATEGORIES = ("roi_heads.box_predictor.", "roi_heads.mask_predictor.mask_fcn_logits.")


def pupil(detector: "Detector", labelled: Labelled, settings: Train, start: Path | None) -> Pupil:
    if not labelled.pictures or not labelled.categories:
        raise InputError(f"{labelled.folder}: has no pictures or no categories to train on")
    before = None if start is None else read_detector(start)
    imagenet = None if before else imagenet_file(detector.pretrained, detector.size)
    header = Header(
        size=detector.size,
        categories=labelled.categories,
        masks=labelled.masks,
        frozen=before[0].frozen if before else detector.size == "resnet50" and imagenet is not None,
        side=detector.side,
        precision=settings.precision,
        pictures=len(labelled.pictures),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        net = header.network(detector.least_score, detector.most)
    if before is not None and start is not None:
        remarks = _go_on(net, header, start, *before)
    elif imagenet is not None:
        start_from_imagenet(net, imagenet, detector.size)
        remarks = [f"the backbone starts from ImageNet weights ({imagenet})"]
    else:
        remarks = detector.remarks()
    return Pupil(net, header, labelled, settings, remarks)


def _go_on(
    net: GeneralizedRCNN, header: Header, start: Path, said: Header, tensors: dict[str, Tensor]
) -> list[str]:
    """Take over all tensors that mean the same; say which do not."""
    if said.size != header.size:
        raise InputError(
            f"{start}: is of size {said.size}, but the recipe's is {header.size}; "
            f'set train.detector.options.size = "{said.size}"'
        )
    remarks = []
    taken = net.state_dict()
    same = said.categories == header.categories
    for name in taken.keys() & tensors.keys():
        if same or not name.startswith(_OF_CATEGORIES):
            taken[name] = tensors[name]
    net.load_state_dict(taken)
    if not same:
        remarks.append(
            f"{start} knows {', '.join(said.categories)}; here are "
            f"{', '.join(header.categories)}: the last layers, which tell them apart, are new"
        )
    if header.masks and not said.masks:
        remarks.append(f"{start} was trained on boxes alone: the layers for masks are new")
    if said.masks and not header.masks:
        remarks.append(f"there are no masks to learn from: {start}'s layers for masks are left out")
    return remarks
