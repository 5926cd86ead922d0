"""What GNM is compared with: a VAE and ConvDRAW, which know no objects.

Jiang and Ahn 2020, supplement, section 4.2, with GNM's encoder and about as many parameters.
"""

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datagen.models.draw import Draw, Gauss, gauss_kl, mlp
from datagen.models.gnm import Encoder, Sizes, Upwards

_CODE = 64  # numbers of the VAE's z
_MOST = 128  # channels of the decoder's smallest map


class Made(NamedTuple):
    """Pictures made again, how well that fits, and how much had to be told for it."""

    picture: Tensor  # B, C, H, W: what is expected
    distortion: Tensor  # B, nats: -log p(x | z), but for a constant
    kl: Tensor  # B, nats


class Baseline(Protocol):
    """A generator of pictures whose parts have no places."""

    noise: tuple[int, ...]  # shape of what it makes one picture of, standard normal

    def __call__(self, pictures: Tensor, noise: Tensor) -> Made: ...
    def generate(self, noise: Tensor) -> Tensor:
        """Noise [B, ...] -> pictures [B, C, H, W]."""
        ...


class Vae(nn.Module):
    """One vector for a picture."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        c, (h, w) = sizes.features, sizes.grid
        self.noise, self.sigma = (_CODE,), sizes.noise
        self.encoder = Encoder(sizes.channels, sizes.width, sizes.cell)
        self.posterior = nn.Sequential(
            nn.Conv2d(c, 128, 3, padding=1),
            nn.CELU(),
            nn.GroupNorm(1, 128),
            nn.Conv2d(128, 2 * _CODE, (h, w)),
            nn.Flatten(),
        )
        self.decoder = nn.Sequential(
            mlp(_CODE, sizes.hidden, _MOST * h * w),
            nn.Unflatten(1, (_MOST, h, w)),
            *_painted(sizes),
        )

    def forward(self, pictures: Tensor, noise: Tensor) -> Made:
        mean, spread = self.posterior(self.encoder(pictures)).float().chunk(2, 1)
        law = Gauss(mean, F.softplus(spread) + 1e-3)
        free = Gauss(torch.zeros_like(mean), torch.ones_like(mean))
        made = self.generate(law.sample(noise))
        return Made(made, _distortion(pictures, made, self.sigma), gauss_kl(law, free).sum(1))

    def generate(self, noise: Tensor) -> Tensor:
        return torch.sigmoid(self.decoder(noise).float())


class ConvDraw(nn.Module):
    """A map of vectors for a picture, drawn in steps, each of which sees its neighbours."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        c, self.sigma = sizes.features, sizes.noise
        self.encoder = Encoder(sizes.channels, sizes.width, sizes.cell)
        self.draw = Draw(c, sizes.grid, sizes.drawing, sizes.latent, 128, "picture")
        self.noise = (sizes.drawing, *self.draw.latent)
        self.decoder = nn.Sequential(
            nn.Conv2d(c, _MOST, 3, padding=1), nn.CELU(), nn.GroupNorm(1, _MOST), *_painted(sizes)
        )

    def forward(self, pictures: Tensor, noise: Tensor) -> Made:
        drawn = self.draw(self.encoder(pictures).float(), noise.float())
        assert drawn.posterior is not None
        kl = gauss_kl(drawn.posterior, drawn.prior).flatten(1).sum(1)
        made = self._shown(drawn.features)
        return Made(made, _distortion(pictures, made, self.sigma), kl)

    def generate(self, noise: Tensor) -> Tensor:
        return self._shown(self.draw(None, noise).features)

    def _shown(self, features: Tensor) -> Tensor:
        return torch.sigmoid(self.decoder(features).float())


def _painted(sizes: Sizes) -> Upwards:
    return Upwards(_MOST, sizes.channels, sizes.cell.bit_length() - 1)


def _distortion(pictures: Tensor, made: Tensor, sigma: float) -> Tensor:
    """Of pixels with independent normal laws."""
    return (made - pictures).square().sum((1, 2, 3)) / (2 * sigma**2)
