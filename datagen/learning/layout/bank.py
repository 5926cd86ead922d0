"""Label maps that a layout model learns from, held in memory where they fit."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

_HELD = 1 << 30  # bytes


class Layouts(Protocol):
    """What layout learning uses of reading.maps.LabelMaps."""

    @property
    def classes(self) -> int: ...
    @property
    def size(self) -> tuple[int, int]: ...  # width, height, px
    def __len__(self) -> int: ...
    def class_map(self, k: int) -> np.ndarray: ...  # uint8 [H, W]


class Bank:
    """Batches of label maps."""

    def __init__(self, maps: Layouts) -> None:
        self.maps = maps
        width, height = maps.size
        fits = len(maps) * width * height <= _HELD
        everything = np.arange(len(maps))
        self.held = self._read(everything) if fits else None  # uint8 [N, H, W]

    def take(self, numbers: np.ndarray) -> Tensor:
        """int64 [N, H, W]."""
        maps = self._read(numbers) if self.held is None else self.held[torch.from_numpy(numbers)]
        return maps.long()

    def _read(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(np.stack([self.maps.class_map(int(k)) for k in numbers]))
