"""What stands between pictures and the network: one batch, normalised, its sides whole strides."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

from datagen.models.trunks import MEAN, STD

_STRIDE = 32  # px, of the coarsest level


class Normalising(nn.Module):
    """Takes the place of torchvision's transform, which would resize masks and paste them.

    Pictures come resized, as uint8; what is found stays as the heads give it.
    """

    def forward(self, images: Sequence[Tensor], targets: Any = None) -> tuple[ImageList, Any]:
        """uint8 [3, H, W] of any sizes; smaller ones are padded with ImageNet's mean colour."""
        sizes = [(int(image.shape[1]), int(image.shape[2])) for image in images]
        # Two cells at least: BatchNorm cannot learn from a single value.
        height, width = (max(2, -(-max(n) // _STRIDE)) * _STRIDE for n in zip(*sizes, strict=True))
        device = images[0].device
        batch = torch.zeros((len(images), height, width, 3), device=device).permute(0, 3, 1, 2)
        mean, std = (torch.tensor(v, device=device).view(3, 1, 1) * 255 for v in (MEAN, STD))
        for place, image, (h, w) in zip(batch, images, sizes, strict=True):
            place[:, :h, :w] = (image - mean) / std
        return ImageList(batch, sizes), targets

    def postprocess(self, result: Any, _shapes: Any, _originals: Any) -> Any:
        return result
