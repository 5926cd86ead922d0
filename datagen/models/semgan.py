"""SemGAN: a GAN of label maps, whose generator ends in a softmax over the classes.

Ghelfi et al. 2019, section 3.2, with a DCGAN's body: the paper does not give its layers. The
discriminator sees label maps as one-hot vectors. `Palette` makes of the same bodies a GAN of
coloured pictures, the paper's comparison.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Size = tuple[int, int]  # width, height, px
_SMALL = 4  # px: the shorter side at which a map is not halved further
# Most channels of a layer, in widths. A wider discriminator runs away from the generator.
_WIDEST, _WIDEST_JUDGE = 8, 4
_HIDDEN = 8  # widths: numbers of the discriminator's hidden layer
_LEAST = 2.0**-25  # of a uniform number, whose logarithm is taken: below all but 0


def halvings(size: Size) -> int:
    """How often a canvas is halved: until a side is odd, or the shorter one is small."""
    width, height = size
    count = 0
    while width % 2 == 0 and height % 2 == 0 and min(width, height) > _SMALL:
        width, height, count = width // 2, height // 2, count + 1
    return count


class Smooth(nn.Module):
    """Maps [N, C, H, W] -> those, smoothed by the binomial filter of 3 x 3, as StyleGAN does it.

    A transposed convolution paints even and odd rows with other weights, so that edges are combs.
    """

    def forward(self, maps: Tensor) -> Tensor:
        line = torch.tensor([1.0, 2.0, 1.0], device=maps.device, dtype=maps.dtype) / 4
        kernel = (line[:, None] * line).expand(maps.shape[1], 1, 3, 3)
        padded = F.pad(maps, (1, 1, 1, 1), mode="replicate")
        # One group a channel: ten times as fast as `avg_pool2d` twice, which is the same.
        return F.conv2d(padded, kernel, groups=maps.shape[1])


class Generator(nn.Module):
    """Latents [N, latent] -> what a `Code` makes a map of [N, channels, H, W]."""

    def __init__(self, size: Size, channels: int, width: int, kernel: int, latent: int) -> None:
        super().__init__()
        count = halvings(size)
        # From the smallest map to the full one, which costs most and so is thin.
        widths = [width * min(_WIDEST, 2 ** max(0, count - 1 - k)) for k in range(count + 1)]
        self.latent = latent
        self.smallest = (widths[0], size[1] >> count, size[0] >> count)
        w, h = size[0] >> count, size[1] >> count
        self.stem = nn.Linear(latent, widths[0] * h * w, bias=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.LeakyReLU(0.2)]
        for before, after in pairwise(widths):
            up = nn.ConvTranspose2d(
                before, after, kernel, 2, (kernel - 1) // 2, kernel % 2, bias=False
            )
            layers += [up, Smooth(), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], channels, 3, padding=1))

    def forward(self, z: Tensor) -> Tensor:
        x = self.stem(z).unflatten(1, self.smallest)
        return self.body(x.contiguous(memory_format=torch.channels_last)).float()


class Discriminator(nn.Module):
    """Coded maps [N, channels, H, W] -> logits of being real [N], features of the last layer.

    The head has a hidden layer beside a linear one, which can only add up what lies in each place:
    it does not see that one map has no square and the next one two.
    """

    def __init__(self, size: Size, channels: int, width: int, kernel: int) -> None:
        super().__init__()
        count = halvings(size)
        widths = [channels, *(width * min(_WIDEST_JUDGE, 2**k) for k in range(count))]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, kernel, 2, (kernel - 1) // 2), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        flat, hidden = widths[-1] * (size[0] >> count) * (size[1] >> count), _HIDDEN * width
        self.sum = nn.Linear(flat, 1)
        self.whole = nn.Sequential(nn.Linear(flat, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):  # DCGAN's 0.02 learns one class at a time
                nn.init.kaiming_normal_(module.weight, 0.2)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(maps.contiguous(memory_format=torch.channels_last))
        flat = features.flatten(1)
        return (self.sum(flat) + self.whole(flat))[:, 0].float(), features.float()


class Code(Protocol):
    """How a map is told to a discriminator.

    `flip`: squared distance between the codes of two classes, the mean of all pairs. R1 and R2 in
    units of it are the same for every code.
    """

    channels: int
    flip: float

    def of(self, maps: Tensor, noise: torch.Generator) -> Tensor:
        """Class maps int64 [N, H, W] -> float32 [N, channels, H, W]."""
        ...

    def made(self, output: Tensor, noise: torch.Generator) -> Tensor:
        """The same of a generator's output."""
        ...


class Classes:
    """A class is a vector of probabilities: 1 at its place, as far as noise lets it (section 3.2).

    The paper shows one-hot vectors beside a softmax: a discriminator then tells the two by how
    sharp they are, and a generator can only answer where its softmax has no slope left. Here both
    are softmaxes of noisy logits (Gumbel noise: a concrete distribution, Jang et al. 2017), those
    of a label map `sharpness` at its class and 0 elsewhere, which a generator can reach. Where it
    is not sure of a class, the noise shows as stray pixels.
    """

    flip = 2.0

    def __init__(self, classes: int, sharpness: float) -> None:
        self.channels, self.sharpness = classes, sharpness

    def of(self, maps: Tensor, noise: torch.Generator) -> Tensor:
        # Not one_hot: this is made with the channels last, as convolutions want them.
        classes = torch.arange(self.channels, device=maps.device)
        one_hot = (maps[..., None] == classes).float().permute(0, 3, 1, 2)
        return self.made(self.sharpness * one_hot, noise)

    def made(self, output: Tensor, noise: torch.Generator) -> Tensor:
        # The logarithm of a uniform number: `exponential_` takes five times as long.
        waits = torch.zeros_like(output).uniform_(generator=noise).clamp_min(_LEAST).log().neg()
        return (output - waits.log()).softmax(1)


class Palette:
    """A class is a colour: the RGB GAN that SemGAN is compared with; `colours` uint8 [K, 3]."""

    channels = 3

    def __init__(self, colours: Sequence[Sequence[int]]) -> None:
        self.colours = torch.tensor(colours) / 127.5 - 1
        pairs = F.pdist(self.colours).square()
        self.flip = float(pairs.mean())

    def of(self, maps: Tensor, noise: torch.Generator) -> Tensor:
        return self.colours.to(maps.device)[maps].permute(0, 3, 1, 2)

    def made(self, output: Tensor, noise: torch.Generator) -> Tensor:
        return output.tanh()


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Binary cross-entropy of telling which of a pair is real, from logits [N] and [N].

    Not of each by itself: pairs keep a generator from leaving out what is rare, and with R1 and R2
    the game converges (Jolicoeur-Martineau 2018; Huang et al. 2024).
    """
    return F.softplus(fake - real).mean()


def adversarial_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The same with the sides exchanged: the non-saturating loss of a generator."""
    return F.softplus(real - fake).mean()


def matching_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Feature matching (Salimans et al. 2016): distance of the means over two batches [N, ...].

    Not example by example: real and generated maps are no pairs.
    """
    return (real.mean(0) - fake.mean(0)).abs().mean()


def gradient_penalty(logits: Tensor, maps: Tensor, flip: float) -> Tensor:
    """R1 (Mescheder et al. 2018) of logits [N] at real `maps`, for a change by one class.

    At generated ones it is called R2.
    """
    (slope,) = torch.autograd.grad(logits.sum(), maps, create_graph=True)
    return flip / 2 * slope.float().square().sum((1, 2, 3)).mean()
