"""A rendered scene: pixels and, from the same pass, everything that labels are computed from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

_LEVEL_AHEAD = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


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
class Box3D:
    """The upright box around a thing, in camera coordinates: x right, y down, z ahead, metres."""

    centre: tuple[float, float, float]  # of the box, not of its bottom
    size: tuple[float, float, float]  # length, width, height
    rotation_y: float  # radians in [-pi, pi], KITTI's: front towards x at 0, ahead at -pi/2

    @property
    def alpha(self) -> float:
        """KITTI's observation angle, in [-pi, pi]: the rotation as seen along the ray to it."""
        return math.remainder(
            self.rotation_y - math.atan2(self.centre[0], self.centre[2]), math.tau
        )

    def corners(self) -> np.ndarray:
        """float64 [8, 3]: the bottom's from the front left one clockwise, then the top's."""
        length, width, height = self.size
        ahead = length / 2 * np.array([1, 1, -1, -1] * 2)
        left = width / 2 * np.array([1, -1, -1, 1] * 2)
        down = height / 2 * np.repeat([1, -1], 4)
        c, s = math.cos(self.rotation_y), math.sin(self.rotation_y)
        around = np.stack([c * ahead + s * left, down, c * left - s * ahead], axis=1)
        return around + np.array(self.centre, float)

    def to_json(self) -> dict[str, Any]:
        return {
            "centre": list(self.centre),
            "size": list(self.size),
            "rotation_y": self.rotation_y,
            "alpha": self.alpha,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        x, y, z = map(float, data["centre"])
        length, width, height = map(float, data["size"])
        return cls((x, y, z), (length, width, height), float(data["rotation_y"]))


@dataclass(frozen=True)
class Pinhole:
    """A camera as OpenCV describes it: pixel centres lie at whole numbers.

    Camera coordinates: x right, y down, z ahead, metres. The world is the scene's frame: x right,
    y ahead, z up, metres.
    """

    width: int  # of the image, px
    height: int
    fx: float  # px
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, float] = (0.0, 0.0)  # k1, k2: radial
    pose: tuple[float, ...] = _LEVEL_AHEAD  # world to camera: 4 x 4 numbers, row by row

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """float64 [..., 3]: points of the world in camera coordinates."""
        pose = np.array(self.pose, float).reshape(4, 4)
        return points @ pose[:3, :3].T + pose[:3, 3]

    def project(self, points: np.ndarray) -> np.ndarray:
        """float64 [..., 2]: where points in camera coordinates are seen, px; nan if not ahead."""
        z = np.where(points[..., 2] > 0, points[..., 2], np.nan)
        x, y = points[..., 0] / z, points[..., 1] / z
        r2 = x * x + y * y
        k1, k2 = self.distortion
        bend = 1 + k1 * r2 + k2 * r2 * r2
        return np.stack([self.fx * x * bend + self.cx, self.fy * y * bend + self.cy], axis=-1)

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"distortion": list(self.distortion), "pose": list(self.pose)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        k1, k2 = map(float, data["distortion"])
        fx, fy, cx, cy = (float(data[key]) for key in ("fx", "fy", "cx", "cy"))
        pose = tuple(map(float, data["pose"]))
        return cls(int(data["width"]), int(data["height"]), fx, fy, cx, cy, (k1, k2), pose)


@dataclass(frozen=True)
class Instance:
    """One labelled thing. `id` is its value in the instance map (from 1); `category` from 1."""

    id: int
    category: int
    path: str  # of the scene node
    silhouette: Silhouette
    box3d: Box3D | None = None


@dataclass(frozen=True)
class Layout:
    """What stands where, without pixels."""

    class_map: np.ndarray  # uint8 [H, W], category or stuff id, 0 = nothing
    instance_map: np.ndarray  # int32 [H, W], Instance.id, 0 = nothing
    # float32 [H, W]; metres along the camera's z in 3D, inf where nothing is; draw order in 2D (0 =
    # nearest layer)
    depth: np.ndarray | None
    instances: tuple[Instance, ...]
    categories: tuple[str, ...]  # id = position + 1
    stuff: tuple[str, ...] = ()  # what has a class but is no thing; ids go on after the categories
    camera: Pinhole | None = None  # through which the scene is seen
    # float32 [H, W, 3], unit vectors in camera coordinates; 0 where nothing is
    normals: np.ndarray | None = None

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
    # float32 [H, W, 2], px right and down until the next instant; nan where unknown
    flow: np.ndarray | None = field(default=None, kw_only=True)
