"""Trained networks whose maps of several depths make a perceptual distance."""

from pathlib import Path

from torch import Tensor

from datagen.errors import InputError
from datagen.features import _weights
from datagen.models.trunks import Stages, squeezenet_stages, vgg19_stages

_CACHED = "squeezenet1_0-b66bff10.pth"
_CAP = 640 << 20  # bytes; VGG-19's file has 548 MiB
_OF = "the ImageNet weights of VGG-19 or SqueezeNet 1.0 with torchvision's names"


def opened_stages(weights: str | None) -> Stages:
    """VGG-19 or SqueezeNet 1.0, as the file tells; None: the latter in torchvision's cache."""
    path = _weights.find(weights, _CACHED, _OF, "--set learn.appearance.weights=FILE")
    found = _weights.read(path, _CAP)
    stages = _built(found, path)
    _weights.fill(stages.body, found, "features.", path, _OF)
    return stages.eval()


def _built(found: dict[str, Tensor], path: Path) -> Stages:
    first, last = found.get("features.0.weight"), found.get("features.30.weight")
    shapes = [None if t is None else tuple(t.shape) for t in (first, last)]
    if shapes[0] == (96, 3, 7, 7):
        return squeezenet_stages()
    if shapes == [(64, 3, 3, 3), (512, 512, 3, 3)]:
        return vgg19_stages()
    raise InputError(f"{path}: its tensor `features.0.weight` is {shapes[0]}; are these {_OF}?")
