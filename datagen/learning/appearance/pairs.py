"""Pairs of a label map and its photo: read when they are needed, some kept for the next time."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class Pairs(Protocol):
    """What is used of label maps with photos, as `datagen.reading.maps` gives them."""

    @property
    def classes(self) -> int: ...  # K: every value is below
    @property
    def size(self) -> tuple[int, int]: ...  # width, height, px
    def __len__(self) -> int: ...
    def class_map(self, k: int) -> np.ndarray: ...  # uint8 [H, W]
    def image(self, k: int) -> np.ndarray: ...  # uint8 [H, W, 3]


class Cache:
    """The pairs used last, as many as fit into `capacity` bytes."""

    def __init__(self, pairs: Pairs, capacity: int) -> None:
        self._pairs = pairs
        width, height = pairs.size
        self._most = max(1, capacity // (4 * width * height))
        self._held: OrderedDict[int, tuple[np.ndarray, np.ndarray]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pairs)

    def pair(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Class map uint8 [H, W] and photo uint8 [H, W, 3]."""
        found = self._held.pop(k, None)
        if found is None:
            found = self._pairs.class_map(k), self._pairs.image(k)
        self._held[k] = found
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        return found

    def batch(self, items: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Class maps uint8 [B, H, W] and photos float [B, 3, H, W] in 0..1."""
        maps, photos = zip(*(self.pair(int(k)) for k in items), strict=True)
        stacked = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2)
        return torch.from_numpy(np.stack(maps)), stacked.float() / 255
