"""The embedding of a network that learned on the prior what is in a picture, as in Meta-Sim2."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import save

from datagen.decoding import decode
from datagen.errors import InputError
from datagen.features import _weights
from datagen.features.counts import CHUNK
from datagen.files import write_atomic
from datagen.interfaces import Component
from datagen.models.presence import EmbeddingNet

_ENTRY = "datagen"
_CAP = 256 << 20  # bytes; the default network is a megabyte
_OF = "the weights of an embedding network that `datagen learn` wrote"

Heads = Literal["presence", "counts"]


class Embedding(Component):
    """What an embedding network was taught: enough to build it again."""

    format: Literal["datagen-embedding-1"] = "datagen-embedding-1"
    heads: Heads
    names: tuple[str, ...] = Field(min_length=1, max_length=255)  # of the categories
    classes: tuple[int, ...] | None  # of each category's count head; None: presence
    width: int = Field(ge=4, le=256)

    def net(self) -> EmbeddingNet:
        """An untrained network."""
        net = EmbeddingNet(len(self.names), self.width, self.classes)
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class Features(Component):
    """`weights`: the features.safetensors of a run of `datagen learn`.

    Its last normalisation has given every column a spread of 1 over the prior's pictures.
    """

    name: ClassVar[str] = "embedding"
    standardise: ClassVar[bool] = False

    weights: str
    heads: Heads = "presence"  # taught by which categories are there, or by how many of each

    @contextmanager
    def open(self) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        path = Path(self.weights)
        taught = _header(path)
        if taught.heads != self.heads:
            raise InputError(
                f"{path}: was trained with heads = {taught.heads!r}, "
                f"and the recipe asks for {self.heads!r}"
            )
        with torch.device("meta"):
            net = taught.net()
        _weights.fill(net, _weights.read(path, _CAP), "", path, _OF)
        yield opened(net)


def opened(net: EmbeddingNet) -> Callable[[np.ndarray], np.ndarray]:
    """A trained network as a function of pictures: uint8 [N, H, W, 3] -> float32 [N, dim]."""
    net.eval()

    def extract(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            parts = torch.from_numpy(images).split(CHUNK)
            return torch.cat([net.embedding(part) for part in parts]).numpy()

    return extract


def save_embedding(path: Path, taught: Embedding, net: EmbeddingNet) -> None:
    """Publish a trained network, where `Features` reads it."""
    tensors = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    write_atomic(path, save(tensors, {_ENTRY: taught.model_dump_json()}))


def _header(path: Path) -> Embedding:
    where = f"{path}: header"
    taught = decode(Embedding, _weights.described(path, _ENTRY, _OF), where)
    if (taught.heads == "presence") != (taught.classes is None):
        raise InputError(f"{where}: its classes do not fit its heads")
    if taught.classes is not None and (
        len(taught.classes) != len(taught.names)
        or not all(1 <= n <= _MOST_CLASSES for n in taught.classes)
    ):
        raise InputError(f"{where}: its classes do not fit its categories")
    return taught


_MOST_CLASSES = 100_000
