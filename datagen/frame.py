"""A rendered scene: pixels and, from the same pass, everything that labels are computed from."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Silhouette:
    """An amodal mask: all pixels of a thing as if alone, also those beyond the image's border.

    `mask` is bool [h, w]; its top left pixel lies at column `x`, row `y` (may be negative).
    """

    x: int
    y: int
    mask: np.ndarray

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.mask))

    def inside(self, height: int, width: int) -> np.ndarray:
        """The part inside the image as bool [height, width]."""
        full = np.zeros((height, width), bool)
        h, w = self.mask.shape
        top, left = max(self.y, 0), max(self.x, 0)
        bottom, right = min(self.y + h, height), min(self.x + w, width)
        if top < bottom and left < right:
            part = self.mask[top - self.y : bottom - self.y, left - self.x : right - self.x]
            full[top:bottom, left:right] = part
        return full


@dataclass(frozen=True)
class Instance:
    """One labelled thing. `id` is its value in the instance map (from 1); `category` from 1."""

    id: int
    category: int
    path: str  # of the scene node
    silhouette: Silhouette


@dataclass(frozen=True)
class Layout:
    """What stands where, without pixels."""

    class_map: np.ndarray  # uint8 [H, W], category id, 0 = nothing
    instance_map: np.ndarray  # int32 [H, W], Instance.id, 0 = nothing
    depth: np.ndarray | None  # float32 [H, W]; metres in 3D, draw order in 2D (0 = nearest layer)
    instances: tuple[Instance, ...]
    categories: tuple[str, ...]  # id = position + 1

    @property
    def height(self) -> int:
        return self.instance_map.shape[0]

    @property
    def width(self) -> int:
        return self.instance_map.shape[1]


@dataclass(frozen=True)
class Frame(Layout):
    """A Layout with its picture; it can stand wherever a Layout is wanted."""

    image: np.ndarray = field(kw_only=True)  # uint8 [H, W, 3], RGB
