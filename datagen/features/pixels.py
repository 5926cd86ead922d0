"""Colours, brightness, detail and edge directions: features that need no weights, and names.

They see how pictures look as a whole: light, colour, texture, noise, blur, the directions of edges
and the light of the upper, middle and lower third. They cannot tell what is in a picture, how many
of it, or where: a street and a heap of its parts are alike to them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from datagen.errors import InputError
from datagen.interfaces import Component

_AT_ONCE = 2_000_000  # pixels
_LEAST = 16  # pixels a side: the coarsest detail is of 8 px
_HUES = ("red", "yellow", "green", "cyan", "blue", "magenta")  # sectors of 60 degrees
_COLOURFUL = 0.15  # saturation times value above which a pixel has a hue
_THIRDS = ("top", "middle", "bottom")
_DETAIL = (1, 2, 4)  # pixels; differences between a picture and itself at half the resolution
_DIRECTIONS = 8  # of edges, over 180 degrees
_WEIGHTS = (0.299, 0.587, 0.114)  # of red, green and blue in the brightness


class Features(Component):
    """Every column is a share, or a brightness from 0 to 1."""

    name: ClassVar[str] = "pixels"
    standardise: ClassVar[bool] = True

    @contextmanager
    def open(self) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        yield _extract


def columns() -> tuple[str, ...]:
    """Names of the columns, in their order."""
    return (
        "brightness",
        "contrast",
        *(f"brightness of the {third}" for third in _THIRDS),
        "dark pixels",
        "bright pixels",
        "saturation",
        "grey pixels",
        *(f"{hue} pixels" for hue in _HUES),
        *(f"detail of {size} px" for size in _DETAIL),
        "strength of edges",
        *(f"edges at {180 * k / _DIRECTIONS:g} deg" for k in range(_DIRECTIONS)),
    )


def _extract(images: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W, 3] -> float32 [N, columns]."""
    height, width = images.shape[1:3]
    if min(height, width) < _LEAST:
        raise InputError(
            f"pixels: pictures of {width} x {height} px are too small for it, which needs {_LEAST} "
            "a side; use larger ones, or the features `cells`, which take any size"
        )
    count = max(1, _AT_ONCE // (images.shape[1] * images.shape[2]))  # pictures
    parts = [images[k : k + count] for k in range(0, max(1, len(images)), count)]
    return torch.cat([_rows(torch.tensor(part) / 255) for part in parts]).numpy()


def _rows(rgb: Tensor) -> Tensor:
    """float [N, H, W, 3] in 0..1 -> [N, columns]."""
    light = rgb @ torch.tensor(_WEIGHTS)  # N, H, W
    return torch.stack([*_brightness(light), *_colours(rgb), *_details(light), *_edges(light)], 1)


def _brightness(light: Tensor) -> Iterator[Tensor]:
    yield _mean(light)
    yield light.flatten(1).std(1)
    for third in light.tensor_split(3, 1):
        yield _mean(third)
    yield _mean(light < 0.2)
    yield _mean(light > 0.8)


def _colours(rgb: Tensor) -> Iterator[Tensor]:
    high, low = rgb.amax(3), rgb.amin(3)
    chroma = high - low
    yield _mean(chroma / high.clamp_min(1e-6))
    has_hue = chroma > _COLOURFUL
    yield _mean(~has_hue)
    red, green, blue = rgb.unbind(3)
    # Each pixel leans from its strongest colour towards the second: six sectors, red in the first.
    turn = torch.where(
        high == red,
        (green - blue) / chroma.clamp_min(1e-6),
        torch.where(high == green, 2 + (blue - red) / chroma.clamp_min(1e-6),
                    4 + (red - green) / chroma.clamp_min(1e-6)),
    )  # fmt: skip
    sector = torch.remainder(turn + 0.5, 6).floor()
    for number in range(len(_HUES)):
        yield _mean(has_hue & (sector == number))


def _details(light: Tensor) -> Iterator[Tensor]:
    """Mean size of what is lost at half the resolution, again and again."""
    x = light[:, None]
    for _ in _DETAIL:
        coarse = functional.avg_pool2d(x, 2)
        fine = x[:, :, : 2 * coarse.shape[2], : 2 * coarse.shape[3]]
        yield _mean((fine - functional.interpolate(coarse, scale_factor=2.0)).abs())
        x = coarse


def _edges(light: Tensor) -> Iterator[Tensor]:
    """Mean gradient, and how it is shared among the directions of edges (0: level)."""
    across = light[:, 1:-1, 2:] - light[:, 1:-1, :-2]
    down = light[:, 2:, 1:-1] - light[:, :-2, 1:-1]
    strength = torch.hypot(across, down)
    yield _mean(strength)
    # An edge is perpendicular to its gradient; angles count from level, y downwards.
    bin_of = torch.atan2(across, -down) * (_DIRECTIONS / torch.pi)
    bin_of = torch.remainder(bin_of.round(), _DIRECTIONS)
    total = strength.flatten(1).sum(1).clamp_min(1e-6)
    for number in range(_DIRECTIONS):
        yield (strength * (bin_of == number)).flatten(1).sum(1) / total


def _mean(values: Tensor) -> Tensor:
    return values.float().flatten(1).mean(1)
