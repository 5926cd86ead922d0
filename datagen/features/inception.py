"""Inception-V3 (Szegedy et al., 2016) trained on ImageNet, at its last pooling: 2048 features.

This is torchvision's network and weights, not the TensorFlow graph of 2015 that published FID and
KID figures come from. That one has other weights (1008 classes), leaves the border out of its
average pooling, has a maximum in its last block, and resizes without antialiasing. A Frechet
distance in these features behaves like FID, and may be called "FID (torchvision Inception)" in a
report whose weights are torchvision's own; it must not be compared with figures from papers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from datagen.errors import InputError
from datagen.interfaces import Component

if TYPE_CHECKING:  # torch takes seconds to load: not before the network is opened
    from datagen.models.trunks import Extractor

_CACHED = "inception_v3_google-0cc3c7bd.pth"
_CAP = 512 << 20  # bytes; the file has 109 MB
_OF = "Inception-V3's ImageNet weights with torchvision's names"
_SIDE = 299  # pixels, what it was trained on


class Features(Component):
    """Pictures are resized to 299 x 299, bilinear with antialiasing, and scaled to -1..1.

    `weights`: a .safetensors or .pth file; None: the file in torchvision's cache.
    """

    name: ClassVar[str] = "inception"
    standardise: ClassVar[bool] = True

    weights: str | None = None
    precision: Literal["bfloat16", "float32"] = "float32"  # bfloat16: faster, for learning

    @contextmanager
    def open(self) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        from datagen.features._pictures import on_pictures

        yield on_pictures(self.network(), self.name, least=1)

    def network(self) -> "Extractor":
        """float [N, 3, H, W] in 0..1 -> float32 [N, 2048]; gradients reach the pixels."""
        from datagen.features import _weights
        from datagen.models import trunks

        path = _weights.find(self.weights, _CACHED, _OF)
        found = _weights.read(path, _CAP)
        if "fc.weight" in found and found["fc.weight"].shape[0] == 1008:
            raise InputError(
                f"{path}: are the weights of the FID network of 2015, whose layers differ; "
                f"give {_OF}"
            )
        trunk = trunks.inception()
        _weights.fill(trunk.body, found, "", path, _OF)
        half = (0.5, 0.5, 0.5)  # not ImageNet's mean and spread: it was trained on -1..1
        net = trunks.Extractor(trunk, size=(_SIDE, _SIDE), mean=half, std=half).eval()
        return net.reduced() if self.precision == "bfloat16" else net
