"""The generator of conditional IMLE (Li, Zhang and Malik, 2019): a refinement network with noise.

The body is that of Chen and Koltun (2017), "CRN": modules from coarse to fine, each of which sees
the layout at its own size beside what the one before has made.
"""

from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, one_hot

_SLOPE = 0.2


@dataclass(frozen=True)
class Sizes:
    """What a generator is built from."""

    classes: int  # K, with 0 for nothing
    height: int  # px
    width: int
    channels: tuple[int, ...]  # of the modules from the finest; the last serves all coarser ones
    coarsest: int  # px: no module's shorter side is below
    style: int  # channels of noise that are constant over a picture
    grain: int  # channels of noise with each pixel its own
    encoder: int | None  # channels of the noise encoder; None: noise is seen as it is

    @property
    def noise(self) -> int:
        return self.style + self.grain

    @property
    def stages(self) -> list[tuple[int, int]]:
        """Height and width of each module, the coarsest first."""
        found = [(self.height, self.width)]
        while True:
            height, width = (ceil(side / 2) for side in found[-1])
            if min(height, width) < self.coarsest:
                return found[::-1]
            found.append((height, width))


@dataclass(frozen=True)
class Noise:
    """What a picture varies with beside its layout."""

    style: Tensor  # B, style
    grain: Tensor  # B, grain, H, W

    def __getitem__(self, rows: Tensor | slice) -> "Noise":
        return Noise(self.style[rows], self.grain[rows])

    def to(self, device: torch.device) -> "Noise":
        return Noise(self.style.to(device), self.grain.to(device))


class Generator(nn.Module):
    """Class maps and noise -> pictures, about 0..1 but not held there."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        stages = sizes.stages
        widths = [sizes.channels[min(k, len(sizes.channels) - 1)] for k in range(len(stages))][::-1]
        seen = sizes.classes + sizes.noise
        self.blocks = nn.ModuleList(
            Refinement(before, seen, width)
            for before, width in zip([0, *widths[:-1]], widths, strict=True)
        )
        self.paint = nn.Conv2d(widths[-1], 3, 1)
        self.encoder = None
        if sizes.encoder is not None and sizes.noise:
            self.encoder = NoiseEncoder(sizes.classes, sizes.noise, sizes.encoder)

    def forward(self, layouts: Tensor, noise: Noise) -> Tensor:
        """uint8 [B, H, W], noise -> [B, 3, H, W]."""
        B, H, W = layouts.shape
        labels = one_hot(layouts.long(), self.sizes.classes).permute(0, 3, 1, 2).float()
        labels = labels.contiguous(memory_format=torch.channels_last)
        encoded = None
        if self.encoder is not None:
            spread = noise.style[:, :, None, None].expand(B, self.sizes.style, H, W)
            encoded = self.encoder(torch.cat([labels, spread, noise.grain], 1))
        x = None
        for size, block in zip(self.sizes.stages, self.blocks, strict=True):
            seen = [labels if size == (H, W) else interpolate(labels, size, mode="area")]
            if encoded is not None:
                seen.append(_shrunk(encoded, size))
            elif self.sizes.noise:
                seen.append(noise.style[:, :, None, None].expand(B, self.sizes.style, *size))
                seen.append(_shrunk(noise.grain, size))
            x = block(x, seen, size)
        return (self.paint(x).float() + 1) / 2

    def without_noise(self, layouts: Tensor) -> Noise:
        """Noise of value 0 for these layouts."""
        B, H, W = layouts.shape
        style, grain = torch.zeros(B, self.sizes.style), torch.zeros(B, self.sizes.grain, H, W)
        return Noise(style, grain).to(layouts.device)

    @torch.no_grad()
    def boost(self, style: float, grain: float, random: torch.Generator) -> None:
        """New weights of noise: normal, by so many times the RMS of all other inputs of the module.

        A network that has learned without noise would else go on as if there were none. What comes
        out of an encoder is all boosted as the style.
        """
        n = self.sizes.noise
        if not n:
            return
        times = torch.full((n, 1, 1), style)
        if self.encoder is None:
            times[self.sizes.style :] = grain
        for block in self.blocks:
            assert isinstance(block, Refinement)
            weight = block.first.weight
            others, noise = weight[:, :-n], weight[:, -n:]
            rms = others.square().mean().sqrt().cpu()  # where `random` is
            noise.copy_(torch.randn(noise.shape, generator=random) * times * rms)


def _shrunk(noise: Tensor, size: tuple[int, int]) -> Tensor:
    if noise.shape[2:] == size or not noise.shape[1]:
        return noise if noise.shape[1] else noise.new_zeros(noise.shape[0], 0, *size)
    return interpolate(noise, size, mode="bilinear", align_corners=False)


class Refinement(nn.Module):
    """Twice a convolution, normalised over the whole map, and a leaky ReLU."""

    def __init__(self, before: int, seen: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before + seen, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for _ in range(2))

    def forward(self, x: Tensor | None, seen: list[Tensor], size: tuple[int, int]) -> Tensor:
        if x is not None:
            seen = [interpolate(x, size, mode="bilinear", align_corners=False), *seen]
        y = torch.cat([part.to(seen[0].dtype) for part in seen], 1)
        y = leaky_relu(self.norms[0](self.first(y)), _SLOPE)
        return leaky_relu(self.norms[1](self.second(y)), _SLOPE)


class NoiseEncoder(nn.Module):
    """Noise and labels at full size -> as many channels of noise, which know of the layout.

    Weights keep the variance of what comes in, and the noise outweighs the labels by as much as it
    has more variance: with other starts the code drowns in labels and biases, and all candidates
    look alike.
    """

    def __init__(self, classes: int, noise: int, width: int) -> None:
        super().__init__()
        inner = (
            nn.Conv2d(classes + noise, width, 3, padding=1),
            nn.Conv2d(width, width, 3, padding=1),
        )
        last = nn.Conv2d(width, noise, 1)
        variances = (1 + noise, width, width)  # of one tap: one label is 1, all others 0
        gain = nn.init.calculate_gain("leaky_relu", _SLOPE)
        for conv, variance in zip((*inner, last), variances, strict=True):
            taps = conv.kernel_size[0] * conv.kernel_size[1]
            nn.init.normal_(
                conv.weight, std=(gain if conv is not last else 1) / (variance * taps) ** 0.5
            )
            assert conv.bias is not None
            nn.init.zeros_(conv.bias)
        self.inner, self.last = nn.ModuleList(inner), last

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.inner:
            x = leaky_relu(conv(x), _SLOPE)
        return self.last(x)
