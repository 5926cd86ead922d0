"""What each pixel sees, found with rays on the CPU: a second opinion about the mesh renderer.

Nothing here is shared with OpenGL but the triangles and the camera.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from datagen.frame import Pinhole

from ._families.geometry import Geometry
from ._families.materials import Material

Placed = tuple[Geometry, np.ndarray, int]  # geometry, float [3, 4] to the world, id

_MOST_PAIRS = 2_000_000  # of a ray and a triangle, tried at once
_SLACK = 1e-9  # in barycentric coordinates: no ray slips between two triangles that share an edge


def cast(
    pieces: Sequence[Placed], pinhole: Pinhole, pixels: np.ndarray, near: float
) -> tuple[np.ndarray, np.ndarray]:
    """What rays through the centres of `pixels`, int [N, 2] of column and row, meet first.

    int32 [N]: the piece's id, 0 where nothing is; float32 [N]: metres along the optical axis, inf
    where nothing is. What is nearer than `near` is not there, as behind a near plane.
    """
    rays = _Rays(pinhole, pixels)
    for geometry, matrix, identity in pieces:
        triangles = _in_camera(geometry, matrix, pinhole)
        for ray, triangle in rays.candidates(triangles, near):
            rays.meet(ray, triangles[triangle], near, identity)
    return rays.ids, rays.depth.astype(np.float32)


def _in_camera(geometry: Geometry, matrix: np.ndarray, pinhole: Pinhole) -> np.ndarray:
    """float64 [F, 3, 3]: the corners of the faces that can be seen, in camera coordinates."""
    matrix = np.asarray(matrix, float)
    world = geometry.positions.astype(float) @ matrix[:, :3].T + matrix[:, 3]
    solid = geometry.materials[geometry.faces[:, 0]] != Material.CONTACT
    return pinhole.to_camera(world)[geometry.faces[solid]]


class _Rays:
    """Rays from the eye, sorted by direction, and the nearest thing that each has met so far."""

    def __init__(self, pinhole: Pinhole, pixels: np.ndarray) -> None:
        self.slopes = _slopes(pinhole, np.asarray(pixels, float))  # [N, 2]: x and y at z = 1
        self.ids = np.zeros(len(self.slopes), np.int32)
        self.depth = np.full(len(self.slopes), np.inf)
        self._order = np.argsort(self.slopes[:, 0], kind="stable")
        self._sorted = self.slopes[self._order]

    def candidates(
        self, triangles: np.ndarray, near: float
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pairs of a ray and a triangle that it could meet: it passes the triangle's rectangle."""
        low, high = _rectangles(triangles, near)
        first = np.searchsorted(self._sorted[:, 0], low[:, 0], side="left")
        count = np.searchsorted(self._sorted[:, 0], high[:, 0], side="right") - first
        in_row = low[:, 1] <= high[:, 1]
        seen = np.flatnonzero((count > 0) & in_row)
        for some in _batches(seen, count):
            triangle = np.repeat(some, count[some])
            step = np.arange(len(triangle)) - np.repeat(
                np.cumsum(count[some]) - count[some], count[some]
            )
            place = np.repeat(first[some], count[some]) + step
            y = self._sorted[place, 1]
            inside = (low[triangle, 1] <= y) & (y <= high[triangle, 1])
            yield self._order[place[inside]], triangle[inside]

    def meet(self, ray: np.ndarray, triangles: np.ndarray, near: float, identity: int) -> None:
        """Keeps what is hit where it is nearer than what was hit before."""
        depth = _depths(self.slopes[ray], triangles)
        hit = depth >= near  # False where nothing is hit
        ray, depth = ray[hit], depth[hit]
        order = np.lexsort((depth, ray))
        ray, depth = ray[order], depth[order]
        nearest = np.diff(ray, prepend=-1) > 0
        ray, depth = ray[nearest], depth[nearest]
        closer = depth < self.depth[ray]
        self.depth[ray[closer]] = depth[closer]
        self.ids[ray[closer]] = identity


def _slopes(pinhole: Pinhole, pixels: np.ndarray) -> np.ndarray:
    bent = (pixels - (pinhole.cx, pinhole.cy)) / (pinhole.fx, pinhole.fy)
    slopes = bent
    k1, k2 = pinhole.distortion
    # The lens bends little, so this fixed point is reached in a few steps.
    for _ in range(30 if k1 or k2 else 0):
        r2 = (slopes**2).sum(axis=1, keepdims=True)
        slopes = bent / (1 + k1 * r2 + k2 * r2 * r2)
    return slopes


def _rectangles(triangles: np.ndarray, near: float) -> tuple[np.ndarray, np.ndarray]:
    """Two float64 [F, 2]: bounds of the slopes under which each triangle is seen.

    Empty (low above high) behind the near plane, unbounded for one that passes through it.
    """
    z = triangles[..., 2]
    ahead, behind = np.all(z >= near, axis=1), np.all(z < near, axis=1)
    slopes = triangles[..., :2] / np.where(z >= near, z, 1.0)[..., None]
    low = np.where(ahead[:, None], slopes.min(axis=1) - _SLACK, -np.inf)
    high = np.where(ahead[:, None], slopes.max(axis=1) + _SLACK, np.inf)
    low[behind], high[behind] = np.inf, -np.inf
    return low, high


def _batches(items: np.ndarray, count: np.ndarray) -> Iterator[np.ndarray]:
    """The items in groups whose counts sum to about _MOST_PAIRS."""
    group = np.cumsum(count[items]) // _MOST_PAIRS
    yield from np.split(items, np.flatnonzero(np.diff(group)) + 1) if len(items) else ()


def _depths(slopes: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Möller and Trumbore (1997), float64 [P]: z of the ray (x, y, 1) in its triangle, else nan."""
    ray = np.column_stack([slopes, np.ones(len(slopes))])
    a = triangles[:, 0]
    along, across = triangles[:, 1] - a, triangles[:, 2] - a
    p = np.cross(ray, across)
    q = np.cross(-a, along)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / (along * p).sum(axis=1)
        u = -(a * p).sum(axis=1) * inverse
        v = (ray * q).sum(axis=1) * inverse
        depth = (across * q).sum(axis=1) * inverse
        inside = (u >= -_SLACK) & (v >= -_SLACK) & (u + v <= 1 + _SLACK) & np.isfinite(inverse)
    return np.where(inside, depth, np.nan)
