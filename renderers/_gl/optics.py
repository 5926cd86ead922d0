"""One stage through one lens: drawn without distortion, then bent, labels and all alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from datagen.frame import Silhouette

from .._camera import View
from .._sensor import Lens
from .._stage import Stage
from .rasterizer import Pixels, Rasterizer
from .view import FineView


@dataclass(frozen=True)
class Optics:
    """A view, its samples, and the lens; None: it does not bend."""

    view: View
    fine: int
    lens: Lens | None

    @classmethod
    def of(cls, view: View, fine: int, distortion: tuple[float, float]) -> "Optics":
        return cls(view, fine, None if distortion == (0.0, 0.0) else _lens(view, distortion))

    def seen(
        self,
        rasterizer: Rasterizer,
        stage: Stage,
        next_matrices: np.ndarray | None,
        *,
        normals: bool,
        alone: bool,
    ) -> tuple[Pixels, list[Silhouette]]:
        """The picture, and with `alone` the silhouette of each of the stage's things."""
        drawn = FineView(self.view if self.lens is None else self.lens.wide, self.fine)
        pixels = rasterizer.draw(stage, drawn, next_matrices, normals=normals)
        silhouettes = rasterizer.silhouettes(stage, drawn, pixels.parts) if alone else []
        if self.lens is None:
            return pixels, silhouettes
        return _bent(pixels, self.lens), [_bent_silhouette(one, self.lens) for one in silhouettes]


@cache
def _lens(view: View, distortion: tuple[float, float]) -> Lens:
    return Lens(view, distortion)


def _bent(pixels: Pixels, lens: Lens) -> Pixels:
    """Colour is interpolated; everything that means something is taken from the nearest pixel."""
    columns, rows = lens.picture
    column, row = np.rint(columns).astype(int), np.rint(rows).astype(int)
    return Pixels(
        image=cv2.remap(pixels.image, columns, rows, cv2.INTER_LINEAR),
        parts=pixels.parts[row, column],
        depth=pixels.depth[row, column],
        normals=None if pixels.normals is None else pixels.normals[row, column],
        flow=None if pixels.flow is None else _bent_flow(pixels.flow, lens),
    )


def _bent_flow(flow: np.ndarray, lens: Lens) -> np.ndarray:
    """Where a pixel's point goes without distortion, and then where that is seen."""
    columns, rows = lens.picture
    column, row = np.rint(columns).astype(int), np.rint(rows).astype(int)
    start = np.stack([columns, rows], axis=-1) - lens.margin + 0.5
    end = lens.bent(start + flow[row, column])
    return (end - lens.bent(start)).astype(np.float32)


def _bent_silhouette(one: Silhouette, lens: Lens) -> Silhouette:
    """The mask as the lens shows it; what lies beyond the wide picture stays cut off."""
    height, width = one.mask.shape
    if height == 0 or width == 0:
        return one
    left, top, right, bottom = _bent_bounds(one, lens)
    if left >= right or top >= bottom:
        return Silhouette(0, 0, np.zeros((0, 0), bool))
    columns, rows = lens.maps(left, top, right - left, bottom - top)
    column, row = np.rint(columns).astype(int) - one.x, np.rint(rows).astype(int) - one.y
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    mask = one.mask[row.clip(0, height - 1), column.clip(0, width - 1)] & inside
    return Silhouette(left, top, mask)


def _bent_bounds(one: Silhouette, lens: Lens) -> Sequence[int]:
    """Left, top, right, bottom in the picture of a mask in the wide one, within half a canvas."""
    height, width = one.mask.shape
    x = one.x + np.linspace(0, width, 17)
    y = one.y + np.linspace(0, height, 17)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2) - lens.margin
    seen = lens.bent(grid)
    low, high = np.floor(seen.min(axis=0)) - 1, np.ceil(seen.max(axis=0)) + 1
    w, h = lens.view.width, lens.view.height
    return (
        max(int(low[0]), -w // 2),
        max(int(low[1]), -h // 2),
        min(int(high[0]), w + w // 2),
        min(int(high[1]), h + h // 2),
    )
