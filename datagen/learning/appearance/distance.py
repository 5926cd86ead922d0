"""How far a picture is from a photo: pixels, maps of a trained network, and their texture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

if TYPE_CHECKING:  # torchvision, which takes as long to import as torch, is for who learns
    from datagen.models.trunks import Stages

_FAR = 1e-6  # a term that does not vary among the photos counts nothing
_CELL = 4  # of a map, in its pixels, in which its texture is told; of the picture twice as many
_STILL = 1e-4  # variance that is added, or a flat cell's deviation would have no slope


class Distance:
    """Mean L1 over pixels, over each map and over their texture, each in its own unit.

    Texture is how much pixels or a map vary within square cells. Where a detail lies that no layout
    tells, L1 is least for a picture that shows none or a bit of all; its texture would be wrong.

    The unit of a term is what it is between two random photos, so that photos as far apart as two
    random ones have distance 1, whatever network it is.
    """

    def __init__(
        self, stages: "Stages", pixel_weight: float, texture: float, dtype: torch.dtype
    ) -> None:
        self._stages, self._dtype = stages, dtype
        self._pixel_weight, self._texture = pixel_weight, texture
        self.unit = torch.ones(1)  # of each term, once it is measured; on the CPU

    def views(self, pictures: Tensor) -> list[Tensor]:
        """float [B, 3, H, W] -> what is compared: the pictures, their maps, the texture of all."""
        kind = pictures.device.type
        with torch.autocast(kind, self._dtype, enabled=self._dtype != torch.float32):
            seen = [pictures, *self._stages(pictures)]
        if not self._texture:
            return seen
        return seen + [_texture(x, _CELL if k else 2 * _CELL) for k, x in enumerate(seen)]

    def weights(self, views: int) -> Tensor:
        """float [views], of sum 1."""
        each = torch.ones(views)
        each[0] = self._pixel_weight
        if self._texture:
            each[views // 2 :] = self._texture
        return each / each.sum()

    def measure(self, photos: Sequence[Tensor], others: Sequence[Tensor]) -> None:
        """Set the unit of each term by the views of photos and of other photos."""
        self.unit = _terms(photos, others, None).mean(1).clamp_min(_FAR).cpu()

    def between(
        self, pictures: Sequence[Tensor], photos: Sequence[Tensor], mask: Tensor | None = None
    ) -> Tensor:
        """Views -> distance [B]; `mask` [B, H, W] weighs pixels, and all else as it is there."""
        # No matrix product: autocast would round it, and near candidates could not be told apart.
        share = (self.weights(len(pictures)) / self.unit).to(pictures[0].device)
        return (share[:, None] * _terms(pictures, photos, mask)).sum(0)


def _texture(x: Tensor, cell: int) -> Tensor:
    """[B, C, h, w] -> float32 [B, C, h / cell, w / cell]: standard deviation within each cell."""
    x = x.float()
    mean, square = (avg_pool2d(y, cell, ceil_mode=True) for y in (x, x.square()))
    return ((square - mean.square()).clamp_min(0) + _STILL).sqrt()


def _terms(a: Sequence[Tensor], b: Sequence[Tensor], mask: Tensor | None) -> Tensor:
    """[terms, B]"""
    terms = []
    for ours, theirs in zip(a, b, strict=True):
        apart = (ours - theirs).abs().mean(1, dtype=torch.float32)  # B, h, w
        if mask is not None:
            apart = apart * interpolate(mask[:, None], apart.shape[1:], mode="area")[:, 0]
        terms.append(apart.mean((1, 2)))
    return torch.stack(terms)
