"""How far a picture is from a photo: pixels, and maps of a trained network, each in its unit."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from datagen.models.trunks import Stages

_FAR = 1e-6  # a term that does not vary among the photos counts nothing


class Distance:
    """Mean L1 over pixels and over each map, divided by what it is between two random photos.

    Photos as far apart as two random ones have distance 1, whatever network it is.
    """

    def __init__(self, stages: Stages, pixel_weight: float, dtype: torch.dtype) -> None:
        self._stages, self._dtype = stages, dtype
        self.weights = torch.tensor([pixel_weight, *[1.0] * len(stages.kept)])
        self.weights /= self.weights.sum()
        self.unit = torch.ones(len(self.weights))

    def views(self, pictures: Tensor) -> list[Tensor]:
        """float [B, 3, H, W] -> what is compared: the pictures, then their maps."""
        with torch.autocast("cpu", self._dtype, enabled=self._dtype != torch.float32):
            return [pictures, *self._stages(pictures)]

    def measure(self, photos: Sequence[Tensor], others: Sequence[Tensor]) -> None:
        """Set the unit of each term by the views of photos and of other photos."""
        self.unit = _terms(photos, others, None).mean(1).clamp_min(_FAR)

    def between(
        self, pictures: Sequence[Tensor], photos: Sequence[Tensor], mask: Tensor | None = None
    ) -> Tensor:
        """Views -> distance [B]; `mask` [B, H, W] weighs pixels, and maps as it is there."""
        # No matrix product: autocast would round it, and near candidates could not be told apart.
        return ((self.weights / self.unit)[:, None] * _terms(pictures, photos, mask)).sum(0)


def _terms(a: Sequence[Tensor], b: Sequence[Tensor], mask: Tensor | None) -> Tensor:
    """[terms, B]"""
    terms = []
    for ours, theirs in zip(a, b, strict=True):
        apart = (ours - theirs).abs().mean(1, dtype=torch.float32)  # B, h, w
        if mask is not None:
            apart = apart * interpolate(mask[:, None], apart.shape[1:], mode="area")[:, 0]
        terms.append(apart.mean((1, 2)))
    return torch.stack(terms)
