"""How many of what is in a picture, by a network that `datagen learn` trains on the prior."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import save
from torch import Tensor, nn

from datagen.decoding import decode
from datagen.features import _weights
from datagen.files import write_atomic
from datagen.interfaces import Component
from datagen.models.counting import CountingNet, Seen

CHUNK = 64  # pictures at once: larger batches fall out of the processor's cache
MOST_ITEMS = 256  # of a row
Cells = Annotated[int, Field(ge=1, le=256)]
_ENTRY = "datagen"
_CAP = 256 << 20  # bytes; the default network is a megabyte
_OF = "the weights of a counting network that `datagen learn` wrote"


class RowHead(Component):
    """A row of items that stand in order; see learning.counts.Row."""

    item: str
    axis: Literal["x", "y"]
    items: int = Field(ge=1, le=MOST_ITEMS)
    categories: tuple[int, ...]  # those that its items can hold, their own included


class Heads(Component):
    """What a counting network tells: enough to build it again."""

    names: tuple[str, ...]  # of the count heads: categories, then "all" when there are several
    categories: int = Field(ge=1, le=255)
    classes: tuple[int, ...]  # of each count head
    width: int = Field(ge=4, le=256)
    rows: tuple[RowHead, ...] = ()

    def net(self) -> CountingNet:
        """An untrained network."""
        rows = tuple((row.items, row.axis) for row in self.rows)
        net = CountingNet(self.categories, self.classes, self.width, rows)
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def columns(self) -> tuple[str, ...]:
        """A name for each feature: "car", ..., "all", then "car of Road 1", ..."""
        inner = [
            f"{self.names[c]} of {row.item} {k + 1}"
            for row in self.rows
            for c in row.categories
            for k in range(row.items)
        ]
        return (*self.names, *inner)


class CountFeatures:
    """uint8 [N, H, W, 3] -> float32 [N, columns].

    Posterior mean counts, counts along rows, and with `regions`, columns and rows of them, how much
    of each category lies in each region.
    """

    def __init__(
        self, heads: Heads, net: CountingNet, regions: tuple[int, int] | None = None
    ) -> None:
        self.heads, self.net, self.regions = heads, net.eval(), regions

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self._over_chunks(images, self._columns)

    def most_likely(self, images: np.ndarray) -> np.ndarray:
        """int64 [N, heads]: "classify and count", the estimate that needs no learning."""
        return self._over_chunks(images, lambda seen: self.net.most_likely(seen.logits))

    def in_cells(self, columns: int, rows: int) -> Callable[[np.ndarray], np.ndarray]:
        """uint8 [N, H, W, 3] -> float32 [N, categories * rows * columns]: things in each cell."""

        return lambda images: self._over_chunks(images, lambda seen: _in_cells(seen, columns, rows))

    def _columns(self, seen: Seen) -> Tensor:
        inner = [
            counts[:, :, list(row.categories)].transpose(1, 2).flatten(1)
            for row, counts in zip(self.heads.rows, seen.rows, strict=True)
        ]
        parts = [self.net.expected(seen.logits), *inner]
        if self.regions is not None:
            parts.append(_in_cells(seen, *self.regions))
        return torch.cat(parts, 1)

    def _over_chunks(self, images: np.ndarray, read: Callable[[Seen], Tensor]) -> np.ndarray:
        with torch.inference_mode():
            parts = torch.from_numpy(images).split(CHUNK)
            return torch.cat([read(self._see(part)) for part in parts]).numpy()

    def _see(self, pictures: Tensor) -> Seen:
        with torch.autocast("cpu", torch.bfloat16):
            return self.net(pictures)


def _in_cells(seen: Seen, columns: int, rows: int) -> Tensor:
    """Things of each category in each cell, row by row: [N, categories * rows * columns]."""
    h, w = seen.density.shape[2:]
    cells = nn.functional.adaptive_avg_pool2d(seen.density, (rows, columns))
    return cells.flatten(1) * (h * w / (rows * columns))


class Features(Component):
    """`weights`: the features.safetensors of a run of `datagen learn`.

    With `grid`, columns and rows of cells, it tells where things are and not how many: for
    attributes. What things look like does not matter to it then, as it does to `cells`. With
    `regions`, a few large cells, it tells both: for structure, where a rule's things stand in a
    part of the picture, as on one side of a street.
    """

    name: ClassVar[str] = "counts"
    standardise: ClassVar[bool] = False  # all columns are things a picture, or a cell
    weights: str
    grid: tuple[Cells, Cells] | None = None
    regions: tuple[Cells, Cells] | None = None

    @contextmanager
    def open(self) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        path = Path(self.weights)
        heads = decode(Heads, _weights.described(path, _ENTRY, _OF), f"{path}: header")
        net = heads.net()
        _weights.fill(net, _weights.read(path, _CAP), "", path, _OF)
        features = CountFeatures(heads, net, self.regions)
        yield features if self.grid is None else features.in_cells(*self.grid)


def save_counts(path: Path, heads: Heads, net: CountingNet) -> None:
    """Publish a trained network, where `Features` reads it."""
    tensors = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    write_atomic(path, save(tensors, {_ENTRY: json.dumps(heads.model_dump(mode="json"))}))
