"""Mask R-CNN (He et al., 2017): boxes, categories and masks of things, with torchvision."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from datagen.errors import InputError
from datagen.interfaces import Component
from datagen.labelled import Detections, Labelled
from datagen.settings.train import Train

if TYPE_CHECKING:  # torch takes seconds to load: not before a network is made
    from ._pupil import Pupil
    from ._weights import Header


class Detector(Component):
    """Two sizes: "small" trains on two cores in minutes, "resnet50" is the papers', for a GPU."""

    weights: str | None = None  # of a trained one
    size: Literal["small", "resnet50"] = "small"
    pretrained: str | None = None  # file of the backbone's ImageNet weights; None: torchvision's
    # Pixels that the shorter side of a picture is brought to; None: as it was trained, or as it is.
    side: int | None = Field(default=None, ge=32, le=4096)
    least_score: float = Field(default=0.05, ge=0, le=1)  # what is less sure is not said
    most: int = Field(default=100, ge=1, le=1000)  # detections a picture

    def software(self) -> dict[str, str]:
        import torchvision

        return {"torchvision": torchvision.__version__}

    @contextmanager
    def open(self) -> Iterator[Callable[[Sequence[np.ndarray]], list[Detections]]]:
        from ._finding import device, find

        header, tensors = self._read()
        net = header.network(self.least_score, self.most)
        net.load_state_dict(tensors)
        net.to(device())
        side = header.side if self.side is None else self.side
        yield lambda images: find(net, header, images, side)

    def remarks(self) -> list[str]:
        """What a person must know before it is trained."""
        from ._weights import cached, imagenet_file

        if imagenet_file(self.pretrained, self.size) is not None:
            return []
        return [
            f"ImageNet weights are not in torchvision's cache ({cached(self.size)}): "
            "the backbone starts from random ones; "
            "name a file of them by train.detector.options.pretrained"
        ]

    def pupil(self, labelled: Labelled, settings: Train, start: Path | None) -> "Pupil":
        """One that learns from `labelled`; `start`: weights of another training to go on from."""
        from ._starting import pupil

        return pupil(self, labelled, settings, start)

    def _read(self) -> "tuple[Header, dict]":
        from ._weights import read_detector

        if self.weights is None:
            raise InputError("mask_rcnn: needs the weights of a trained one: the run of a training")
        header, tensors = read_detector(Path(self.weights))
        if "size" in self.model_fields_set and self.size != header.size:
            raise InputError(f"{self.weights}: is of size {header.size}, not {self.size}")
        return header, tensors
