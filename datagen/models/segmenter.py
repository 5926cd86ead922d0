"""A small U-Net (Ronneberger et al., 2015) that tells each pixel's class."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

_LEVELS = 4  # maps from full size to an eighth


class Segmenter(nn.Module):
    """Pictures in 0..1 -> scores of K classes for each pixel."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        widths = [width * 2**k for k in range(_LEVELS)]
        self.down = nn.ModuleList(Twice(a, b) for a, b in pairwise([3, *widths]))
        self.up = nn.ModuleList(
            Twice(below + beside, beside)
            for below, beside in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.score = nn.Conv2d(width, classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """float [B, 3, H, W] -> [B, K, H, W]"""
        x = (pictures * 2 - 1).contiguous(memory_format=torch.channels_last)
        maps = []
        for k, block in enumerate(self.down):
            x = block(x if k == 0 else nn.functional.max_pool2d(x, 2, ceil_mode=True))
            maps.append(x)
        for block, beside in zip(self.up, maps[-2::-1], strict=True):
            above = interpolate(x, beside.shape[2:], mode="nearest")
            x = block(torch.cat([above, beside], 1))
        return self.score(x).float()


class Twice(nn.Module):
    """Two convolutions, each normalised in groups of channels, with a ReLU."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(n, after, 3, padding=1, bias=False) for n in (before, after)
        )
        # Not over a batch: what is found in a picture must not depend on those beside it.
        self.norms = nn.ModuleList(nn.GroupNorm(4, after) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = relu(norm(conv(x)))
        return x
