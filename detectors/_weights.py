"""A trained detector on disk: safetensors, with what it needs to be built again in the header.

The file may come from anywhere: nothing in it is run, and all is checked before it is used.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from safetensors.torch import load_file, save
from torch import Tensor
from torchvision.models import get_model_weights
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

from datagen.decoding import decode, parse_json
from datagen.detecting.snapshot import ENTRY, FORMAT
from datagen.errors import InputError, MissingError
from datagen.features import _weights
from datagen.files import write_atomic
from datagen.interfaces import Component
from datagen.tensors import check_finite, check_shapes, look

from ._network import Size, backbone_name, network

_CAP = 1 << 30  # bytes; a ResNet-50 detector has 180 MB
_MOST = 1000  # tensors; a ResNet-50 detector has 350

Precision = Literal["float32", "bfloat16"]


class Header(Component):
    """What a file of weights says of itself."""

    format: Literal["datagen-detector-1"] = FORMAT
    use: Literal["mask_rcnn"] = "mask_rcnn"
    size: Size
    categories: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=1000)]
    masks: bool  # has a head for them
    frozen: bool  # normalisation and first layers stay as ImageNet's weights had them
    side: int | None = Field(ge=32, le=4096)  # px of the shorter side of what it was trained on
    precision: Precision
    pictures: int = Field(ge=0)  # that it was trained on, the last time

    def network(self, least_score: float, most: int) -> GeneralizedRCNN:
        """Untrained."""
        return network(
            self.size,
            len(self.categories),
            masks=self.masks,
            frozen=self.frozen,
            least_score=least_score,
            most=most,
        )


def save_detector(path: Path, header: Header, tensors: Mapping[str, Tensor]) -> None:
    """Publish the weights at `path` by one rename."""
    whole = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    # One entry: safetensors writes several in any order, and equal weights are to be equal bytes.
    write_atomic(path, save(whole, {ENTRY: header.model_dump_json()}))


def read_detector(path: Path) -> tuple[Header, dict[str, Tensor]]:
    """Header and tensors, which are those of the network that the header describes."""
    entries, shapes = look(path, "detector", _CAP, _MOST)
    if ENTRY not in entries:
        raise InputError(f"{path}: are no weights written by `datagen train`")
    said = parse_json(entries[ENTRY], f"{path}: header")
    if said.get("format") != FORMAT:
        raise InputError(
            f"{path}: has the format {said.get('format')!r}, expected {FORMAT!r}; "
            "name the model.safetensors of a run of `datagen train`"
        )
    header = decode(Header, said, f"{path}: header")
    with torch.device("meta"):
        expected = header.network(0.5, 1).state_dict()
    check_shapes(path, shapes, expected)
    tensors = load_file(path)
    for name, tensor in tensors.items():
        if tensor.dtype != expected[name].dtype:
            raise InputError(f"{path}: tensor {name} is {tensor.dtype}, not {expected[name].dtype}")
    check_finite(path, tensors)
    return header, tensors


def imagenet_file(given: str | None, size: Size) -> Path | None:
    """The backbone's ImageNet weights: the file given, or torchvision's, or none."""
    if given is None:
        try:
            return _weights.find(None, cached(size).name, _of(size))
        except MissingError:
            return None
    path = Path(given)
    if not path.is_file():
        raise InputError(
            f"{path}: is no file; name one with {_of(size)} by train.detector.options.pretrained"
        )
    return path


def cached(size: Size) -> Path:
    """Where torchvision would have put the ImageNet weights; nothing is downloaded."""
    url = get_model_weights(backbone_name(size))["IMAGENET1K_V1"].url
    return Path(torch.hub.get_dir(), "checkpoints", url.rsplit("/", 1)[1])


def start_from_imagenet(net: GeneralizedRCNN, path: Path, size: Size) -> None:
    """Fill the backbone; what was to be trained stays so."""
    body = net.backbone.get_submodule("body")
    trained = [p.requires_grad for p in body.parameters()]
    _weights.fill(body, _weights.read(path, _CAP), "", path, _of(size))
    for parameter, is_trained in zip(body.parameters(), trained, strict=True):
        parameter.data = parameter.data.contiguous()  # as the optimiser's averages are kept
        parameter.requires_grad_(is_trained)
    body.train()


def _of(size: Size) -> str:
    return f"{backbone_name(size)}'s ImageNet weights with torchvision's names"
