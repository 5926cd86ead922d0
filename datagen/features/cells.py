"""The picture itself, in a grid of mean colours: features without weights, for plain worlds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
from pydantic import Field

from datagen.interfaces import Component


class Features(Component):
    """Mean colours of `grid` x `grid` cells, from 0 to 1.

    They tell where what stands on a plain ground, and which way round. On photographs light and
    texture drown that: take `squeezenet` there.
    """

    name: ClassVar[str] = "cells"
    standardise: ClassVar[bool] = False

    grid: int = Field(default=16, ge=1, le=256)  # cells a side

    @contextmanager
    def open(self) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        import torch

        def extract(images: np.ndarray) -> np.ndarray:
            pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
            cells = torch.nn.functional.adaptive_avg_pool2d(pixels, self.grid)
            return cells.flatten(1).numpy()

        yield extract
