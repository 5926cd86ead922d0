"""GENESIS: a picture is a mixture of components, drawn one after the other (Engelcke et al. 2020).

Masks come first, from latents z_m of which each knows those before it; then what each component
looks like, z_c, given its mask's latent. As GNM was compared with it (Jiang and Ahn 2020,
supplement, section 4.2): a fixed weight of the divergences, three layers of a broadcast decoder.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datagen.models.draw import Gauss, gauss_kl, law_of, mlp
from datagen.models.gnm import Encoder, Upwards
from datagen.models.gnm_baselines import Made

_CELL = 16  # px, of the maps that masks are read from and decoded to


@dataclass(frozen=True)
class Mixture:
    """What a model is built from: by default 13.8 M parameters at 128 px, the paper's 13.9."""

    canvas: tuple[int, int]  # width, height, px: multiples of 16
    channels: int  # 1: grey; 3: RGB
    noise: float  # sigma of a pixel
    components: int  # the background's, too
    width: int = 32  # first channels of encoders
    mask: int = 64  # numbers of z_m
    look: int = 16  # numbers of z_c
    hidden: int = 384  # of the recurrent networks and perceptrons
    painted: int = 64  # channels of the broadcast decoder
    halved: int = 0  # times that looks are read and painted, and masks decoded, at half the size

    @property
    def coarse(self) -> tuple[int, int]:
        """Rows and columns that components are painted at."""
        return self.canvas[1] >> self.halved, self.canvas[0] >> self.halved


class Read(NamedTuple):
    """What a model makes of pictures."""

    log_masks: Tensor  # B, K, 1, H, W
    means: Tensor  # B, K, C, H, W
    masks_kl: Tensor  # B, nats
    looks_kl: Tensor  # B, nats


class Recurrent(nn.Module):
    """Laws of z_m_1, z_m_2 ... of which each knows what was drawn before it."""

    def __init__(self, seen: int, latent: int, hidden: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(seen + latent, hidden)
        self.law = nn.Linear(hidden, 2 * latent)

    def forward(
        self, before: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Gauss, tuple[Tensor, Tensor]]:
        hidden, cell = self.cell(before, state)
        return law_of(self.law(hidden)), (hidden, cell)


class Broadcast(nn.Module):
    """Codes [B, look] -> light of a component [B, C, H, W], by a decoder of three layers.

    Spatial broadcast (Watters et al. 2019): the code stands in every place, beside the place. A
    convolution of planes that are constant or linear is affine in them but at the border, so the
    first layer is that. Light is not squashed: behind a sigmoid all components were black after 400
    steps of a trial.
    """

    places: Tensor

    def __init__(self, sizes: Mixture) -> None:
        super().__init__()
        c = sizes.painted
        self.code, self.place = nn.Linear(sizes.look, c), nn.Conv2d(2, c, 1)
        self.layers = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(c, c, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(c, c, 3, padding=1),
            nn.ReLU(),
            *_full(c, sizes.channels, sizes.halved),
        )
        ways = (torch.linspace(-1, 1, side) for side in sizes.coarse)
        places = torch.stack(torch.meshgrid(*ways, indexing="ij"))[None]  # 1, 2, h, w
        self.register_buffer("places", places, persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        both = self.code(codes)[..., None, None] + self.place(self.places)
        return self.layers(both.contiguous(memory_format=torch.channels_last)).float()


class Genesis(nn.Module):
    """The whole model; a `Baseline`, of whose noise each component has its row: z_m's, z_c's."""

    def __init__(self, sizes: Mixture) -> None:
        super().__init__()
        self.sizes, s = sizes, sizes
        self.noise = (s.components, s.mask + s.look)
        features, (h, w) = 4 * s.width, (side // _CELL for side in reversed(s.canvas))
        flat = features * h * w
        self.encoder = nn.Sequential(
            Encoder(s.channels, s.width, _CELL), nn.Flatten(), nn.Linear(flat, s.hidden), nn.CELU()
        )
        self.posterior = Recurrent(s.hidden, s.mask, s.hidden)
        self.prior = Recurrent(0, s.mask, s.hidden)
        self.mask = nn.Sequential(
            mlp(s.mask, s.hidden, flat),
            nn.Unflatten(1, (features, h, w)),
            Upwards(features, s.painted, (_CELL >> s.halved).bit_length() - 1),
            nn.CELU(),
            *_full(s.painted, 1, s.halved),
        )
        # One convolution of both, but pictures are the same for all components.
        block = 2**s.halved
        self.look_picture, self.look_mask = (
            nn.Sequential(nn.PixelUnshuffle(block), nn.Conv2d(c * block**2, s.width, 1, bias=free))
            for c, free in ((s.channels, True), (1, False))
        )
        self.look = nn.Sequential(
            nn.CELU(),
            Encoder(s.width, s.width, _CELL >> s.halved),
            nn.Flatten(),
            mlp(flat, s.hidden, 2 * s.look),
        )
        self.look_prior = mlp(s.mask, s.hidden, s.hidden, 2 * s.look)
        self.painter = Broadcast(s)

    def forward(self, pictures: Tensor, noise: Tensor) -> Made:
        read = self.read(pictures, noise)
        missed = distortion(pictures, read, self.sizes.noise)
        return Made(mixed(read.log_masks, read.means), missed, read.masks_kl + read.looks_kl)

    def read(self, pictures: Tensor, noise: Tensor) -> Read:
        """Pictures [B, C, H, W] in 0..1, taken apart by samples of the posterior."""
        of_masks, of_looks = self._parted(noise)
        z, masks_kl = self._drawn(self.encoder(pictures).float(), of_masks)
        log_masks = self.log_masks(z)
        law, free = self.seen_law(pictures, log_masks), self.look_law(z)
        means = self.painted(law.sample(of_looks))
        return Read(log_masks, means, masks_kl, gauss_kl(law, free).sum((1, 2)))

    def generate(self, noise: Tensor) -> Tensor:
        of_masks, of_looks = self._parted(noise)
        z, _ = self._drawn(None, of_masks)
        return mixed(self.log_masks(z), self.painted(self.look_law(z).sample(of_looks)))

    def log_masks(self, z: Tensor) -> Tensor:
        """z_m [B, K, mask] -> log masks [B, K, 1, H, W]: each breaks off some of what is left.

        The last one takes the rest.
        """
        broken = self.mask(z[:, :-1].flatten(0, 1)).float().unflatten(0, (len(z), -1))
        taken = F.logsigmoid(broken)
        left = (taken - broken).cumsum(1)  # log(1 - sigmoid)
        whole = torch.zeros_like(left[:, :1])
        return torch.cat([taken, whole], 1) + torch.cat([whole, left], 1)

    def seen_law(self, pictures: Tensor, log_masks: Tensor) -> Gauss:
        """q(z_c_k | x, m_k) of all components, B, K, look."""
        masks = self.look_mask(log_masks.flatten(0, 1))
        both = self.look_picture(pictures)[:, None] + masks.unflatten(0, log_masks.shape[:2])
        return self._each(self.look(both.flatten(0, 1)))

    def look_law(self, z: Tensor) -> Gauss:
        """p(z_c_k | z_m_k) of all components, B, K, look."""
        return self._each(self.look_prior(z.flatten(0, 1)))

    def painted(self, looks: Tensor) -> Tensor:
        """z_c [B, K, look] -> means [B, K, C, H, W]."""
        return self.painter(looks.flatten(0, 1)).unflatten(0, looks.shape[:2])

    def _parted(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Noise of z_m, noise of z_c."""
        of_masks, of_looks = noise.split([self.sizes.mask, self.sizes.look], 2)
        return of_masks, of_looks

    def _each(self, values: Tensor) -> Gauss:
        law = law_of(values.float())
        return Gauss(*(x.unflatten(0, (-1, self.sizes.components)) for x in law))

    def _drawn(self, seen: Tensor | None, noise: Tensor) -> tuple[Tensor, Tensor]:
        """z_m [B, K, mask] and its divergence [B], of features or, without any, of the prior."""
        z, kl = [torch.zeros_like(noise[:, 0])], torch.zeros_like(noise[:, 0, 0])
        of_posterior = of_prior = None
        # Small matrices: lower precision would save nothing here.
        with torch.autocast(noise.device.type, enabled=False):
            for step in range(self.sizes.components):
                law, of_prior = self.prior(z[-1], of_prior)
                if seen is not None:
                    free, known = law, torch.cat([seen, z[-1]], 1)
                    law, of_posterior = self.posterior(known, of_posterior)
                    kl = kl + gauss_kl(law, free).sum(1)
                z.append(law.sample(noise[:, step]))
        return torch.stack(z[1:], 1), kl


def _full(before: int, after: int, halved: int) -> tuple[nn.Module, nn.Module]:
    """Maps -> maps of so many channels and 2^halved the side."""
    return nn.Conv2d(before, after * 4**halved, 1), nn.PixelShuffle(2**halved)


def mixed(log_masks: Tensor, means: Tensor) -> Tensor:
    """The picture that is expected, [B, C, H, W]."""
    return (log_masks.exp() * means).sum(1)


def distortion(pictures: Tensor, read: Read, sigma: float) -> Tensor:
    """-log p(x | z) [B], nats, but for the normal laws' constant: masks weigh laws, not light."""
    return -_explained(pictures, read, sigma).logsumexp(1).sum((1, 2, 3))


def responsibilities(pictures: Tensor, read: Read, sigma: float) -> Tensor:
    """How likely each pixel is each component's, given its light, [B, K, 1, H, W]."""
    return _explained(pictures, read, sigma).softmax(1)


def _explained(pictures: Tensor, read: Read, sigma: float) -> Tensor:
    """log m_k p(x | k), but for a constant."""
    away = (pictures[:, None] - read.means).square().sum(2, keepdim=True)
    return read.log_masks - away / (2 * sigma**2)
