"""GNM: scenes of objects on a grid, whose layout is drawn as a whole (Jiang and Ahn 2020).

z_g (StructDRAW) -> a map of features -> z_s: presence, place, appearance and depth of an object in
each cell, and z_b of the background -> picture. One head reads z_s from the features of a picture,
as q(z_s | x), and from those that z_g has drawn, as p(z_s | z_g).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datagen.models.draw import Draw, Drawn, Gauss, mlp
from datagen.models.glimpses import boxes_of, placed

_LOGIT = 8.8  # of presence, at most: neither a yes nor a no is ever certain
_STEM = 4  # px: side of the smallest map that a glimpse is decoded from
_DARK = 2.0  # taken from the logits of a glimpse's light: it begins nearly black
_COVER = 0.9  # alpha of objects that fill their boxes
_EMPTY = 1e-5


@dataclass(frozen=True)
class Sizes:
    """What a model is built from."""

    canvas: tuple[int, int]  # width, height, px: multiples of `cell`
    channels: int  # 1: grey; 3: RGB
    cell: int  # px
    width: int
    what: int
    glimpse: int  # px
    drawing: int  # steps
    latent: int
    hidden: int
    alpha: bool
    background: int
    size: float  # of objects, as a share of the canvas' shorter side
    noise: float  # sigma of a pixel

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.canvas[1] // self.cell, self.canvas[0] // self.cell

    @property
    def cells(self) -> int:
        return math.prod(self.grid)

    @property
    def features(self) -> int:
        return 4 * self.width

    @property
    def look(self) -> slice:
        """Which of an object's numbers are its appearance, z_what."""
        return slice(4, 4 + self.what)

    @property
    def each(self) -> int:
        """Numbers of an object with a normal law: where, what, depth."""
        return 4 + self.what + self.alpha


class Cells(NamedTuple):
    """Laws of z_s, of all cells."""

    presence: Tensor  # logits, B, K
    law: Gauss  # B, K, each

    def mode(self, background: Tensor | None = None) -> "Objects":
        """Whatever is likelier there than not, as it most likely is; before z_b [B, numbers]."""
        return Objects((self.presence > 0).float(), self.law.mean, background)


class Objects(NamedTuple):
    """z_s itself, and z_b."""

    presence: Tensor  # B, K: 0..1
    values: Tensor  # B, K, each
    background: Tensor | None  # B, numbers

    @property
    def where(self) -> Tensor:
        return self.values[..., :4]


class Noise(NamedTuple):
    """Standard normal numbers, and for presence standard logistic ones."""

    drawing: Tensor  # B, steps, latent
    presence: Tensor  # B, K
    values: Tensor  # B, K, each
    background: Tensor  # B, numbers

    @classmethod
    def of(cls, sizes: Sizes, rng: np.random.Generator, count: int) -> "Noise":
        def normal(*shape: int) -> Tensor:
            return torch.from_numpy(rng.standard_normal((count, *shape), "float32"))

        u = np.clip(rng.random((count, sizes.cells)), 1e-7, 1 - 1e-7)
        logistic = torch.from_numpy((np.log(u) - np.log1p(-u)).astype("float32"))
        return cls(
            normal(sizes.drawing, sizes.latent),
            logistic,
            normal(sizes.cells, sizes.each),
            normal(sizes.background),
        )

    def to(self, device: torch.device) -> "Noise":
        return Noise(*(x.to(device) for x in self))


class Read(NamedTuple):
    """All that is read from a batch of pictures."""

    drawn: Drawn
    posterior: Cells
    prior: Cells
    objects: Objects
    background: tuple[Gauss, Gauss] | None  # q(z_b | x), p(z_b | z_g)


class Seen(NamedTuple):
    """What was read, and the likeness made of it."""

    read: Read
    picture: Tensor  # B, C, H, W


class Encoder(nn.Sequential):
    """Pictures [B, C, H, W] -> features [B, 4 width, H / cell, W / cell]."""

    def __init__(self, channels: int, width: int, cell: int) -> None:
        layers: list[nn.Module] = []
        before = channels
        for k in range(int(math.log2(cell))):
            after = width * min(4, 2**k) if k < int(math.log2(cell)) - 1 else 4 * width
            for kernel, stride, seen in ((4, 2, before), (3, 1, after)):
                layers += [nn.Conv2d(seen, after, kernel, stride, 1), nn.CELU()]
                layers.append(nn.GroupNorm(1, after))
            before = after
        super().__init__(*layers)


class Upwards(nn.Sequential):
    """Sub-pixel convolutions: [B, before, s, s] -> [B, after, s 2^times, s 2^times]."""

    def __init__(self, before: int, after: int, times: int) -> None:
        layers: list[nn.Module] = []
        for _ in range(times - 1):
            finer = max(16, before // 2)
            layers += [nn.Conv2d(before, 4 * finer, 3, padding=1), nn.PixelShuffle(2)]
            layers += [nn.CELU(), nn.GroupNorm(1, finer)]
            before = finer
        last = nn.Conv2d(before, 4 * after, 3, padding=1)
        super().__init__(*layers, last, nn.PixelShuffle(2))


class Gnm(nn.Module):
    """The whole model. `lean`: encoder and decoders multiply in bfloat16, for training."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes, self.lean = sizes, False
        s, c = sizes, sizes.features
        self.encoder = Encoder(s.channels, s.width, s.cell)
        self.draw = Draw(c, s.grid, s.drawing, s.latent, s.hidden)
        hidden = [layer for _ in range(2) for layer in (nn.Conv2d(c, c, 1), nn.CELU(), _norm(c))]
        self.head = nn.Sequential(*hidden, nn.Conv2d(c, 1 + 2 * s.each, 1))
        stem = [nn.Linear(s.what, 128), nn.CELU(), nn.Linear(128, 32 * _STEM**2), nn.CELU()]
        times = int(math.log2(s.glimpse // _STEM))
        made = Upwards(32, s.channels + s.alpha, times)
        self.decoder = nn.Sequential(*stem, nn.Unflatten(1, (32, _STEM, _STEM)), made)
        if s.background:
            b, flat = s.background, c * s.cells
            self.behind = nn.Sequential(nn.Flatten(), mlp(flat, s.hidden, 2 * b))
            self.behind_prior = mlp(s.drawing * s.latent, s.hidden, 2 * b)
            up = Upwards(c, s.channels, int(math.log2(s.cell)))
            self.painter = nn.Sequential(mlp(b, s.hidden, flat), nn.Unflatten(1, (c, *s.grid)), up)

    # ------------------------------------------------------------------------------ both ways

    def forward(self, pictures: Tensor, noise: Noise, temperature: float) -> Seen:
        """Pictures [B, C, H, W] in 0..1, read and made again from samples of the posterior.

        `temperature` of the relaxed Bernoulli law of presence.
        """
        read = self.read(pictures, noise, temperature)
        return Seen(read, self.render(read.objects))

    def read(self, pictures: Tensor, noise: Noise, temperature: float) -> Read:
        features = self.encode(pictures)
        drawn = self.draw(features, noise.drawing)
        both = self.cells(torch.cat([features, drawn.features]))
        posterior, prior = (_half(both, k, len(pictures)) for k in range(2))
        laws = None
        if self.sizes.background:
            laws = self.behind_seen(features), self.behind_law(drawn)
        behind = None if laws is None else laws[0].sample(noise.background)
        presence = torch.sigmoid((posterior.presence + noise.presence) / temperature)
        objects = Objects(presence, posterior.law.sample(noise.values), behind)
        return Read(drawn, posterior, prior, objects, laws)

    def hold_background(self, held: bool) -> None:
        """Whether what paints the background keeps its weights.

        While objects are only learning what they are, it would come to paint some of them.
        """
        if self.sizes.background:
            self.painter.requires_grad_(not held)

    def encode(self, pictures: Tensor) -> Tensor:
        """Features float32 [B, 4 width, h, w]."""
        with self._lean(pictures):
            return self.encoder(pictures.contiguous(memory_format=torch.channels_last)).float()

    def cells(self, features: Tensor) -> Cells:
        """Laws of z_s from features, a picture's or drawn ones; cells are numbered row by row."""
        made = self.head(features).flatten(2).transpose(1, 2)  # B, K, 1 + 2 each
        presence, mean, spread = made.split([1, self.sizes.each, self.sizes.each], 2)
        expected = torch.zeros_like(mean[0, 0])
        expected[0] = math.log(self.sizes.size / (1 - self.sizes.size))
        law = Gauss(mean + expected, F.softplus(spread) + 1e-3)
        return Cells(_LOGIT * torch.tanh(presence[..., 0]), law)

    def behind_seen(self, features: Tensor) -> Gauss:
        """q(z_b | x)."""
        return _law(self.behind(features))

    def behind_law(self, drawn: Drawn) -> Gauss:
        """p(z_b | z_g)."""
        return _law(self.behind_prior(drawn.z.flatten(1)))

    def generate(self, noise: Noise, style: float = 0.0) -> Objects:
        """Samples: z_g from its prior, then `most_likely` objects, and a sample of z_b.

        `style`: how much of the spread of an object's appearance is sampled. The mode of z_b, of
        which the paper says nothing, makes backgrounds nearly equal: z_g tells of them only what
        objects depend on.
        """
        drawn = self.draw(None, noise.drawing)
        made = self.most_likely(drawn, style * noise.values)
        if not self.sizes.background:
            return made
        return made._replace(background=self.behind_law(drawn).sample(noise.background))

    def most_likely(self, drawn: Drawn, noise: Tensor | float = 0.0) -> Objects:
        """The mode of z_s and z_b given z_g, as in the paper; `noise` for the appearances alone.

        Other than there, the mode of presence is that of as many objects as are expected.
        """
        found = self.cells(drawn.features)
        values = found.law.mean.clone()
        look = self.sizes.look
        values[..., look] += (found.law.std * noise)[..., look]
        behind = self.behind_law(drawn).mean if self.sizes.background else None
        return Objects(likeliest(found.presence), values, behind)

    # ---------------------------------------------------------------------------- to pictures

    def render(self, objects: Objects, covering: bool = False) -> Tensor:
        """The picture [B, C, H, W] of objects; light that adds up may be above 1.

        `covering`: objects fill their boxes, whatever their masks say.
        """
        (width, height), c = self.sizes.canvas, self.sizes.channels
        made = placed(self.glimpses(objects, covering), self.boxes(objects), (height, width))
        if not self.sizes.alpha:
            return made
        colour, weight, cover = made.split([c, 1, 1], 1)
        cover = cover.clamp(max=1)
        picture = cover * colour / (weight + _EMPTY)
        if objects.background is not None:
            picture = picture + (1 - cover) * self.backdrop(objects.background)
        return picture

    def glimpses(self, objects: Objects, covering: bool = False) -> Tensor:
        """What each object adds to the picture, [B, K, C, g, g].

        Where objects hide each other: its colours times its weight, the weight, its mask. The
        weight is mask x presence x sigmoid(-depth), algorithm 2's responsibility before it is
        normalised.
        """
        s = self.sizes
        what = objects.values[..., s.look]
        with self._lean(what):
            made = self.decoder(what.flatten(0, 1)).float()
        made = made.unflatten(0, what.shape[:2])
        there = objects.presence[..., None, None, None]
        if not s.alpha:
            return there * torch.sigmoid(made - _DARK)
        colour, mask = torch.sigmoid(made).split([s.channels, 1], 2)
        if covering:
            mask = torch.full_like(mask, _COVER)
        mask = mask * there
        weight = mask * torch.sigmoid(-objects.values[..., -1])[..., None, None, None]
        return torch.cat([colour * weight, weight, mask], 2)

    def boxes(self, objects: Objects) -> Tensor:
        """[B, K, 4] px: centre x, centre y, width, height."""
        return boxes_of(objects.where, self.sizes.grid, self.sizes.cell)

    def backdrop(self, values: Tensor) -> Tensor:
        with self._lean(values):
            return torch.sigmoid(self.painter(values).float())

    def _lean(self, tensor: Tensor) -> torch.autocast:
        return torch.autocast(tensor.device.type, torch.bfloat16, enabled=self.lean)


def likeliest(presence: Tensor) -> Tensor:
    """1 in as many of the likeliest cells as objects are expected, else 0; from logits [B, K].

    The mode of independent presences given their number. Their mode by itself, which the paper
    takes, leaves out whatever may be in either of three cells.
    """
    count = torch.sigmoid(presence).sum(1, keepdim=True).round()
    rank = presence.argsort(dim=1, descending=True, stable=True).argsort(1)
    return (rank < count).float()


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(1, channels)


def _law(values: Tensor) -> Gauss:
    mean, spread = values.chunk(2, 1)
    return Gauss(mean, F.softplus(spread) + 1e-3)


def _half(both: Cells, k: int, count: int) -> Cells:
    rows = slice(k * count, (k + 1) * count)
    return Cells(both.presence[rows], Gauss(both.law.mean[rows], both.law.std[rows]))
