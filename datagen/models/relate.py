"""RELATE's generator (Ehrhardt et al. 2020, section 3): objects with poses, composed and rendered.

Poses are in the picture's normalised coordinates: -1 is its left or upper border, 1 the other one.
An object's window is centred at its pose theta, at pixel (theta + 1) / 2 * S - 0.5 of S. That is
the resampling of section 3.1 with the translation -theta.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import log2
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datagen.models.relate_poses import Interaction, Ordered, Poses, Scale

_SLOPE = 0.2
ABSENT = -2.0  # the pose of an object that is not there: outside
_FEWEST, _CELLS = 2, 16  # doublings; the scene's shorter side where there may be more of them


@dataclass(frozen=True)
class Sizes:
    """What a generator is built from."""

    width: int  # px
    height: int
    channels: int  # C, of the scene's tensor
    window: int  # cells: H', the side of an object's tensor
    background: int  # numbers of z_0
    appearance: int  # numbers of z_k
    constants: int  # learned ones; the k-th object has the k-th, and those beyond begin again
    interaction: Literal["general", "ordered", "none"]
    residual: bool
    pooling: Literal["sum", "max"]
    scale: bool
    spread: float  # theta_hat is uniform in +-spread

    @property
    def doublings(self) -> int:
        return doublings(self.width, self.height)

    @property
    def cells(self) -> tuple[int, int]:
        """Height and width of the scene's tensor."""
        return self.height >> self.doublings, self.width >> self.doublings


def doublings(width: int, height: int) -> int:
    """From the scene's tensor to the picture: the tensor's shorter side is 16 cells or more."""
    return max(_FEWEST, int(log2(min(width, height) / _CELLS)))


@dataclass(frozen=True)
class Latents:
    """What pictures are made of."""

    background: Tensor  # N, Nb: z_0, in -1..1
    appearance: Tensor  # N, K, Nf: z_k, in -1..1
    spots: Tensor  # N, K, 2: theta_hat; x, y
    present: Tensor  # bool N, K

    def __getitem__(self, rows: slice) -> "Latents":
        return Latents(*(part[rows] for part in vars(self).values()))

    def to(self, device: torch.device) -> "Latents":
        return Latents(*(part.to(device) for part in vars(self).values()))


class Scene(NamedTuple):
    """Tensors to be composed."""

    background: Tensor  # N, C, h, w
    objects: Tensor  # N, K, C, h, w: each where it belongs; 0 outside its window, and if absent
    poses: Tensor  # N, K, 2: theta; ABSENT where there is none
    present: Tensor  # bool N, K


class AdaIN(nn.Module):
    """Each channel normalised over a picture, then (1 + scale) x + bias, linear in z.

    The paper has ReLU(linear) without the 1: together with small first weights the background then
    learns to paint everything.
    """

    def __init__(self, channels: int, latent: int) -> None:
        super().__init__()
        self.style = nn.Linear(latent, 2 * channels)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        scale, bias = self.style(z)[:, :, None, None].chunk(2, 1)
        return (1 + scale) * F.instance_norm(x) + bias


class Decoder(nn.Module):
    """A learned constant, shaped by z: one of the Psi."""

    def __init__(self, constants: int, channels: int, cells: tuple[int, int], latent: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(constants, channels, *cells))
        self.given = latent > 0
        self.norms = nn.ModuleList(AdaIN(channels, max(1, latent)) for _ in range(3))
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, z: Tensor, which: Tensor) -> Tensor:
        """z [M, latent], numbers of the constants [M] -> [M, C, h, w]."""
        z = z if self.given else z.new_ones(len(z), 1)
        x = self.norms[0](self.constant[which], z)
        for conv, norm in zip(self.convs, self.norms[1:], strict=True):
            x = norm(F.leaky_relu(conv(x), _SLOPE), z)
        return x


class Generator(nn.Module):
    """Latents -> scenes -> pictures float [N, 3, H, W] in -0.5..0.5."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes, s = sizes, sizes
        window = (s.window, s.window)
        self.behind = Decoder(1, s.channels, s.cells, s.background)
        self.before = Decoder(s.constants, s.channels, window, s.appearance)
        self.poses = _poses(s)
        self.scale = Scale(s.background, s.appearance) if s.scale else None
        widths = [max(8, s.channels >> k) for k in range(3)]
        widths += [widths[-1]] * (s.doublings - 2)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.LeakyReLU(_SLOPE)]
        self.renderer = nn.Sequential(*layers, nn.Conv2d(widths[-1], 3, 3, padding=1))

    def forward(self, latents: Latents) -> Tensor:
        return self.picture(self.lay(latents))

    def lay(
        self, latents: Latents, theta: Tensor | None = None, looks: Tensor | None = None
    ) -> Scene:
        """Everything where it belongs.

        `theta` [N, K, 2]: poses in place of Gamma's. `looks` [K]: numbers of the learned constants
        that the objects have in place of their own.
        """
        first = latents.background.new_zeros(len(latents.background), dtype=torch.long)
        background = self.behind(latents.background, first)
        theta = self.theta(latents) if theta is None else theta
        windows = self._windows(latents, looks)
        objects = placed(windows, theta, self._reach(latents, theta), self.sizes)
        there = latents.present[..., None, None, None]
        return Scene(background, objects * there, theta, latents.present)

    def theta(self, latents: Latents) -> Tensor:
        """N, K, 2: Gamma's poses (equation 1)."""
        spots = latents.spots
        if self.poses is not None:
            spots = self.poses(spots, latents.appearance, latents.background, latents.present)
        return torch.where(latents.present[..., None], spots, ABSENT)

    def picture(self, scene: Scene) -> Tensor:
        """G(W): what a composed scene looks like."""
        composed = compose(scene.background, scene.objects, self.sizes.pooling)
        composed = composed.contiguous(memory_format=torch.channels_last)
        return 0.5 * self.renderer(composed).float().tanh()

    def looks(self, count: int) -> Tensor:
        """[K]: the learned constants of the objects in their order."""
        return torch.arange(count) % self.sizes.constants

    def _windows(self, latents: Latents, looks: Tensor | None = None) -> Tensor:
        """N, K, C, H', H': objects before they have a place.

        Windows that fade to their border, so that an object keeps to the middle of its own, were
        tried: the background then painted one of the two balls (2 of 2 runs).
        """
        n, k, _ = latents.spots.shape
        which = (self.looks(k) if looks is None else looks).to(latents.spots.device)
        if self.sizes.appearance == 0:  # the same in all pictures
            return self.before(latents.appearance[0], which).expand(n, *[-1] * 4)
        z = latents.appearance.flatten(0, 1)
        return self.before(z, which.repeat(n)).unflatten(0, (n, k))

    def _reach(self, latents: Latents, theta: Tensor) -> Tensor:
        """N, K: H'_k / H', 1 without the scale module (appendix A1.2)."""
        if self.scale is None:
            return theta.new_ones(theta.shape[:2])
        return self.scale(theta, latents.appearance, latents.background)


def _poses(s: Sizes) -> Poses | None:
    if s.interaction == "none":
        return None
    if s.interaction == "ordered":
        return Ordered(s.background, s.appearance, s.residual)
    return Interaction(s.background, s.appearance, s.residual)


def placed(windows: Tensor, theta: Tensor, reach: Tensor, sizes: Sizes) -> Tensor:
    """Windows [N, K, C, H', H'] with centres at theta [N, K, 2], in a tensor of the whole scene.

    A cell at u of the scene shows the window at (u - theta) / its half-width, between cells by
    bilinear interpolation; outside the window there is 0. `reach` [N, K] stretches windows.
    """
    n, k = theta.shape[:2]
    h, w = sizes.cells
    identity = torch.eye(2, 3, device=theta.device).expand(1, 2, 3)
    cells = F.affine_grid(identity, [1, 1, h, w], align_corners=False)  # 1, h, w, 2: x, y
    full = torch.tensor([w, h], device=theta.device) / (sizes.window * reach.flatten()[:, None])
    grid = (cells - theta.flatten(0, 1)[:, None, None]) * full[:, None, None]
    moved = F.grid_sample(windows.flatten(0, 1), grid, align_corners=False)
    return moved.unflatten(0, (n, k))


def compose(background: Tensor, objects: Tensor, pooling: Literal["sum", "max"]) -> Tensor:
    """W, [N, C, h, w], from [N, C, h, w] and [N, K, C, h, w].

    The maximum is never below 0, which is what an object is outside its window: so a picture with
    an object that is absent is the picture without it.
    """
    if pooling == "sum":
        return background + objects.sum(1)
    return torch.cat([background[:, None], objects], 1).amax(1).clamp(min=0)


def draw_latents(
    sizes: Sizes, rng: np.random.Generator, count: int, objects: tuple[int, int]
) -> Latents:
    """`count` of them; how many objects a picture has is uniform from the fewest to the most.

    Any of them may be absent, but of a stack only the last ones.
    """
    fewest, most = objects
    shape = (count, most)
    background = rng.uniform(-1, 1, (count, sizes.background)).astype(np.float32)
    appearance = rng.uniform(-1, 1, (*shape, sizes.appearance)).astype(np.float32)
    spots = rng.uniform(-sizes.spread, sizes.spread, (*shape, 2)).astype(np.float32)
    number = rng.integers(fewest, most, size=(count, 1), endpoint=True)
    order = np.tile(np.arange(most), (count, 1))
    if sizes.interaction != "ordered":
        order = rng.permuted(order, axis=1)
    parts = (background, appearance, spots, order < number)
    return Latents(*(torch.from_numpy(part) for part in parts))
