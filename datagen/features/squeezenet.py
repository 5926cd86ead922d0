"""SqueezeNet (Iandola et al., 2016) trained on ImageNet: perceptual features that cost little."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from datagen.errors import InputError
from datagen.interfaces import Component

if TYPE_CHECKING:  # torch takes seconds to load: not before the network is opened
    from datagen.models.trunks import Extractor

_CACHED = "squeezenet1_0-b66bff10.pth"
_CAP = 64 << 20  # bytes; the file has 5 MB
_OF = "SqueezeNet's ImageNet weights with torchvision's names"
_LEAST = 21  # pixels a side; below, its last maps are empty


class Features(Component):
    """The last map averaged over the picture (512-d), or an early map in cells, which keep places.

    `weights`: a .safetensors or .pth file of SqueezeNet 1.0 or 1.1; which one, its shapes tell.
    None: version 1.0 in torchvision's cache.
    """

    name: ClassVar[str] = "squeezenet"
    standardise: ClassVar[bool] = True

    weights: str | None = None
    layer: Literal[
        "pool", "conv1", "fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9"
    ] = "pool"
    grid: int = Field(default=8, ge=1, le=64)  # cells a side of an early map; `pool` has one
    size: int | None = Field(default=None, ge=21, le=2048)  # shorter side, px; None: as it is
    # bfloat16: twice as fast; distances between pictures then err by 0.3 %. Differences between
    # nearly equal pictures need float32.
    precision: Literal["bfloat16", "float32"] = "bfloat16"

    @contextmanager
    def open(self) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        from datagen.features._pictures import on_pictures

        yield on_pictures(self.network(), self.name, _LEAST)

    def network(self) -> "Extractor":
        """float [N, 3, H, W] in 0..1 -> float32 [N, dim]; gradients reach the pixels."""
        from datagen.features import _weights
        from datagen.models import trunks

        path = _weights.find(self.weights, _CACHED, _OF)
        found = _weights.read(path, _CAP)
        first = found.get("features.0.weight")
        shape = None if first is None else tuple(first.shape)
        version = _VERSIONS.get(shape)
        if version is None:
            raise InputError(f"{path}: its tensor `features.0.weight` is {shape}; are these {_OF}?")
        trunk = trunks.squeezenet(version, "fire9" if self.layer == "pool" else self.layer)
        _weights.fill(trunk.body, found, "features.", path, _OF)
        grid = 1 if self.layer == "pool" else self.grid
        net = trunks.Extractor(trunk, grid=grid, size=self.size).eval()
        return net.reduced() if self.precision == "bfloat16" else net


_VERSIONS: dict[tuple[int, ...] | None, Literal["1_0", "1_1"]] = {
    (96, 3, 7, 7): "1_0",
    (64, 3, 3, 3): "1_1",
}
