"""Triangles with materials, and the few ways of building them.

A thing's own frame: x to its right, y ahead of it, z up, metres unless a family says otherwise.
Faces are anticlockwise as seen from outside; every face can be seen from both sides.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .materials import Material

RGB = tuple[int, int, int]
Point = Sequence[float]

WHITE: RGB = (255, 255, 255)


@dataclass(frozen=True, eq=False)
class Geometry:
    """Frozen and compared by identity: build it once (functools.cache) and place it often."""

    positions: np.ndarray  # float32 [V, 3]
    normals: np.ndarray  # float32 [V, 3], unit length
    uv: np.ndarray  # float32 [V, 2], in texture tiles; v goes up
    colours: np.ndarray  # uint8 [V, 3]
    materials: np.ndarray  # uint8 [V], a Material; one for all corners of a face
    faces: np.ndarray  # uint32 [F, 3]

    @cached_property
    def bounds(self) -> np.ndarray:
        """float32 [2, 3]: its lowest and highest coordinates."""
        return np.stack([self.positions.min(axis=0), self.positions.max(axis=0)])

    @cached_property
    def is_contact(self) -> bool:
        """Is it the darkness under a thing, rather than a thing?"""
        return bool((self.materials == Material.CONTACT).all())


def join(parts: Sequence[Geometry]) -> Geometry:
    """All of them as one."""
    offsets = np.cumsum([0, *(len(part.positions) for part in parts[:-1])])
    faces = [part.faces + np.uint32(k) for part, k in zip(parts, offsets, strict=True)]
    return Geometry(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.normals for part in parts]),
        np.concatenate([part.uv for part in parts]),
        np.concatenate([part.colours for part in parts]),
        np.concatenate([part.materials for part in parts]),
        np.concatenate(faces),
    )


def moved(geometry: Geometry, matrix: np.ndarray) -> Geometry:
    """The geometry under a matrix float [3, 4]; its scales must be above 0."""
    turn = matrix[:, :3]
    normals = geometry.normals @ np.linalg.inv(turn)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Geometry(
        (geometry.positions @ turn.T + matrix[:, 3]).astype(np.float32),
        normals.astype(np.float32),
        geometry.uv,
        geometry.colours,
        geometry.materials,
        geometry.faces,
    )


def placement(
    at: Point = (0.0, 0.0, 0.0), yaw: float = 0.0, size: Point = (1.0, 1.0, 1.0)
) -> np.ndarray:
    """float32 [3, 4]: sizes along its own axes, then a turn about z (anticlockwise), then moved."""
    c, s = math.cos(yaw), math.sin(yaw)
    x, y, z = size
    rows = ((c * x, -s * y, 0.0, at[0]), (s * x, c * y, 0.0, at[1]), (0.0, 0.0, z, at[2]))
    return np.array(rows, np.float32)


def polygon(
    corners: Sequence[Point],
    material: Material = Material.PLAIN,
    colour: RGB = WHITE,
    uv: Sequence[Sequence[float]] | None = None,
    normals: Sequence[Point] | None = None,
) -> Geometry:
    """A flat convex polygon of N corners, anticlockwise as seen from outside.

    `normals`: one for each corner where it is part of something round.
    """
    points = np.asarray(corners, np.float32)
    n = len(points)
    if normals is None:
        # Newell's method: exact for planar corners, whatever the first two edges are.
        ahead = np.roll(points, -1, axis=0)
        normal = np.cross(points, ahead).sum(axis=0)
        unit = normal / max(float(np.linalg.norm(normal)), 1e-12)
        normals = [unit.tolist()] * n
    fan = [(0, k, k + 1) for k in range(1, n - 1)]
    return Geometry(
        points,
        np.asarray(normals, np.float32),
        np.zeros((n, 2), np.float32) if uv is None else np.asarray(uv, np.float32),
        np.tile(np.array(colour, np.uint8), (n, 1)),
        np.full(n, material, np.uint8),
        np.array(fan, np.uint32),
    )


_SIDES = {  # of a box: corners as choices of low (0) and high (1) for x, y, z
    "left": ((0, 1, 0), (0, 0, 0), (0, 0, 1), (0, 1, 1)),
    "right": ((1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 0, 1)),
    "back": ((0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1)),
    "front": ((1, 1, 0), (0, 1, 0), (0, 1, 1), (1, 1, 1)),
    "bottom": ((0, 1, 0), (1, 1, 0), (1, 0, 0), (0, 0, 0)),
    "top": ((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)),
}
SIDES = tuple(_SIDES)


def box(
    low: Point,
    high: Point,
    material: Material = Material.PLAIN,
    colour: RGB = WHITE,
    sides: Sequence[str] = SIDES,
) -> Geometry:
    """Sides of the box between two corners: left, right (of x), back, front (of y), bottom, top."""
    ends = np.array([low, high], float)
    parts = []
    for side in sides:
        corners = [[ends[pick[axis], axis] for axis in range(3)] for pick in _SIDES[side]]
        parts.append(polygon(corners, material, colour, uv=((0, 0), (1, 0), (1, 1), (0, 1))))
    return join(parts)


def lathe(
    profile: Sequence[tuple[float, float]],
    segments: int = 12,
    material: Material = Material.PLAIN,
    colour: RGB = WHITE,
) -> Geometry:
    """A round body about z from a profile of (radius, z), from its foot up; smooth around."""
    angle = np.linspace(0.0, 2 * np.pi, segments + 1)
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rings = np.array(profile, float)
    slope = np.gradient(rings, axis=0)
    out = np.stack([slope[:, 1], -slope[:, 0]], axis=1)  # (radial, z) of the normal
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
    positions = np.concatenate(
        [
            rings[:, None, :1] * around[None],
            np.repeat(rings[:, None, 1:], segments + 1, axis=1),
        ],
        axis=2,
    ).reshape(-1, 3)
    normals = np.concatenate(
        [out[:, None, :1] * around[None], np.repeat(out[:, None, 1:], segments + 1, axis=1)],
        axis=2,
    ).reshape(-1, 3)
    u, v = np.meshgrid(np.linspace(0, 1, segments + 1), np.linspace(0, 1, len(rings)))
    k = np.arange(len(rings) - 1)[:, None] * (segments + 1) + np.arange(segments)[None]
    a, b, c, d = k, k + 1, k + segments + 2, k + segments + 1
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    n = len(positions)
    return Geometry(
        positions.astype(np.float32),
        normals.astype(np.float32),
        np.stack([u.ravel(), v.ravel()], axis=1).astype(np.float32),
        np.tile(np.array(colour, np.uint8), (n, 1)),
        np.full(n, material, np.uint8),
        faces.astype(np.uint32),
    )


def rod(
    start: Point,
    end: Point,
    radii: tuple[float, float],
    segments: int = 6,
    material: Material = Material.PLAIN,
    colour: RGB = WHITE,
) -> Geometry:
    """A round, perhaps tapering rod from `start` to `end`, without lids."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    axis = b - a
    length = float(np.linalg.norm(axis))
    upright = lathe([(radii[0], 0.0), (radii[1], length)], segments, material, colour)
    z = axis / max(length, 1e-12)
    helper = np.array([1.0, 0.0, 0.0]) if abs(z[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = np.cross(helper, z)
    x /= np.linalg.norm(x)
    matrix = np.column_stack([x, np.cross(z, x), z, a])
    return moved(upright, matrix)
