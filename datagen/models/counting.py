"""The counting network: how many of each category are in a picture, learned from prior samples.

The trunk and the count heads are Meta-Sim2's (sections 4.1 and 4.2): a ResNet of three residual
blocks of two 3x3 convolutions; counts as one-hot classes. Between them stands a density map
(Lempitsky and Zisserman, 2010): each category's map sums to its count, and the renderer tells
where every thing is, so the trunk learns what to count from far fewer pictures.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

STRIDE = 8  # pixels of the picture for one cell of the density map


class Seen(NamedTuple):
    """What the network says of N pictures."""

    density: Tensor  # float32 [N, C, h, w], things a cell; h, w = H / 8, W / 8, rounded up
    logits: Tensor  # float32 [N, sum(classes)], the posterior of each count
    rows: tuple[Tensor, ...]  # float32 [N, items, C] a row, expected things in each of its items


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


class RowCounts(nn.Module):
    """Things in the k-th item of a row of items that stand in order along an axis, ours.

    A share of the density map's things goes to each item. The shares depend on the map summed
    across the row, and on how much lies before each place: what is the third road follows from the
    two above it. Counts are sums of densities, so they reach beyond those of the training pictures.
    """

    def __init__(self, categories: int, items: int, axis: str) -> None:
        super().__init__()
        self.categories, self.items, self.axis = categories, items, axis
        shares = categories * (items + 1)  # the last of each category: in no item
        self.shares = nn.Sequential(
            nn.Conv1d(3 * categories, 64, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(64, 64, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(64, shares, 1),
        )

    def forward(self, density: Tensor) -> Tensor:
        """[N, C, h, w] -> [N, items, C]."""
        profile = density.sum(3 if self.axis == "y" else 2)  # [N, C, L]
        before = profile.cumsum(2)
        after = before[:, :, -1:] - before
        logits = self.shares(torch.cat([profile, before, after], 1))
        n, _, length = logits.shape
        shares = logits.view(n, self.categories, self.items + 1, length).softmax(2)
        return (shares[:, :, :-1] * profile[:, :, None]).sum(3).transpose(1, 2)


class CountingNet(nn.Module):
    """Pictures -> density maps, the posterior of each count, and counts along rows.

    `categories` maps; heads count each category and, when there are several, all together.
    Head k tells counts 0 .. classes[k] - 1. `rows` holds (items, axis) of each row of items.
    """

    def __init__(
        self,
        categories: int,
        classes: tuple[int, ...],
        width: int,
        rows: tuple[tuple[int, str], ...] = (),
    ) -> None:
        super().__init__()
        self.classes = classes
        self.items = tuple(items for items, _ in rows)
        # Four by four pixels become channels at once: a full-size first layer costs half of the
        # training time and counts no better.
        self.trunk = nn.Sequential(
            nn.Conv2d(48, 2 * width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            ResidualBlock(2 * width, 3 * width, 2),
            ResidualBlock(3 * width, 4 * width, 1),
            ResidualBlock(4 * width, 4 * width, 1),
        )
        self.density = nn.Conv2d(4 * width, categories, 1)
        assert self.density.bias is not None
        nn.init.constant_(self.density.bias, -5.0)  # an empty picture, to begin with
        self.heads = nn.Sequential(
            nn.Linear(len(classes), 128),
            nn.ReLU(),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Linear(128, sum(classes)),
        )
        self.rows = nn.ModuleList(RowCounts(categories, items, axis) for items, axis in rows)

    def forward(self, pictures: Tensor) -> Seen:
        """uint8 [N, H, W, 3] -> Seen."""
        x = _blocks(pictures).permute(0, 3, 1, 2)  # stays channels-last in memory
        precision = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        x = x.to(precision or torch.float32) / 128 - 1  # exact in bfloat16 as well
        density = nn.functional.softplus(self.density(self.trunk(x)).float())
        sums = density.sum((2, 3))
        if len(self.classes) > sums.shape[1]:
            sums = torch.cat([sums, sums.sum(1, keepdim=True)], 1)
        with torch.autocast("cpu", enabled=False):
            rows = tuple(row(density) for row in self.rows)
        return Seen(density, self.heads(sums).float(), rows)

    def expected(self, logits: Tensor) -> Tensor:
        """Posterior mean count of each head: [N, sum(classes)] -> [N, heads]."""
        parts = [p.softmax(1) @ torch.arange(p.shape[1]).float() for p in self._split(logits)]
        return torch.stack(parts, 1)

    def most_likely(self, logits: Tensor) -> Tensor:
        """Most likely count of each head: int64 [N, heads]."""
        return torch.stack([part.argmax(1) for part in self._split(logits)], 1)

    def _split(self, logits: Tensor) -> tuple[Tensor, ...]:
        return logits.split(self.classes, 1)


def _blocks(pictures: Tensor) -> Tensor:
    """[N, H, W, 3] -> [N, h, w, 48]: each block of 4 x 4 pixels as channels, black at the border.

    nn.PixelUnshuffle does this as well, on floats and ten times slower.
    """
    n, height, width, _ = pictures.shape
    x = nn.functional.pad(pictures, (0, 0, 0, -width % STRIDE, 0, -height % STRIDE))
    h, w = x.shape[1] // 4, x.shape[2] // 4
    return x.view(n, h, 4, w, 4, 3).transpose(2, 3).reshape(n, h, w, 48)


def poisson_loss(expected: Tensor, counts: Tensor) -> Tensor:
    """Poisson negative log-likelihood of counts [N, ...], summed over all but the first axis."""
    return (expected - counts * torch.log(expected + 1e-6)).flatten(1).sum(1).mean()


def count_loss(logits: Tensor, counts: Tensor, classes: tuple[int, ...]) -> Tensor:
    """Cross-entropies of counts int64 [N, heads]; the last head weighs as much as all others.

    Counts above a head's classes are its last class.
    """
    parts = zip(logits.split(classes, 1), counts.unbind(1), strict=True)
    losses = [nn.functional.cross_entropy(p, c.clamp_max(p.shape[1] - 1)) for p, c in parts]
    weight = 0.3 if len(losses) > 1 else 0.0
    return losses[-1] + weight * torch.stack(losses).sum()
