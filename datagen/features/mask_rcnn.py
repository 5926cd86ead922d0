"""The trunk of Mask R-CNN (He et al., 2017) trained on COCO: ResNet-50 with a feature pyramid."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from datagen.interfaces import Component

if TYPE_CHECKING:  # torch takes seconds to load: not before the network is opened
    from datagen.models.trunks import Extractor

_CACHED = "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth"
_CAP = 1 << 30  # bytes; the file has 178 MB
_OF = "Mask R-CNN's COCO weights with torchvision's names (maskrcnn_resnet50_fpn)"


class Features(Component):
    """The four levels of the pyramid (strides 4 to 32), averaged over the picture: 1024-d.

    `weights`: a .safetensors or .pth file; None: the file in torchvision's cache.
    """

    name: ClassVar[str] = "mask_rcnn"
    standardise: ClassVar[bool] = True

    weights: str | None = None
    size: int | None = Field(default=None, ge=32, le=2048)  # shorter side, px; None: as it is
    precision: Literal["bfloat16", "float32"] = "float32"  # bfloat16: faster, for learning

    @contextmanager
    def open(self) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        from datagen.features._pictures import on_pictures

        yield on_pictures(self.network(), self.name, least=32)

    def network(self) -> "Extractor":
        """float [N, 3, H, W] in 0..1 -> float32 [N, 1024]; gradients reach the pixels."""
        from datagen.features import _weights
        from datagen.models import trunks

        path = _weights.find(self.weights, _CACHED, _OF)
        found = {_renamed(name): t for name, t in _weights.read(path, _CAP).items()}
        trunk = trunks.pyramid()
        _weights.fill(trunk.body, found, "backbone.", path, _OF)
        net = trunks.Extractor(trunk, size=self.size).eval()
        return net.reduced() if self.precision == "bfloat16" else net


def _renamed(name: str) -> str:
    """Files from before torchvision 0.13 have one level less in the pyramid's names."""
    return re.sub(r"(inner|layer)_blocks\.(\d)\.(weight|bias)$", r"\1_blocks.\2.0.\3", name)
