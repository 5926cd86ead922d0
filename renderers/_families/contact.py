"""The darkness where things meet the ground."""

from functools import cache

import numpy as np

from .family import Piece
from .geometry import Geometry, Point, placement, polygon
from .materials import Material

LIFT = 0.014  # m above the ground, over its markings
_SIDES = 12


def contact_disc(x: float, y: float, radius: float) -> Piece:
    """Darkest in the middle; for a post or a trunk."""
    return Piece(_disc(), placement((x, y, LIFT), size=(radius, radius, 1.0)))


def contact_edge(at: Point, yaw: float, length: float, reach: float = 0.5) -> Piece:
    """A strip along y from `at` on, which fades towards its own x; for the foot of a wall."""
    return Piece(_edge(), placement((at[0], at[1], LIFT), yaw, (reach, length, 1.0)))


@cache
def _disc() -> Geometry:
    angle = np.arange(_SIDES) * (2 * np.pi / _SIDES)
    points = np.zeros((_SIDES + 1, 3), np.float32)
    points[1:, 0], points[1:, 1] = np.cos(angle), np.sin(angle)
    n = len(points)
    opacity = np.zeros((n, 2), np.float32)
    opacity[0, 0] = 0.6
    rim = np.arange(_SIDES)
    faces = np.stack([np.zeros(_SIDES, int), rim + 1, (rim + 1) % _SIDES + 1], axis=1)
    return Geometry(
        points,
        np.tile(np.array([0, 0, 1], np.float32), (n, 1)),
        opacity,
        np.full((n, 3), 255, np.uint8),
        np.full(n, Material.CONTACT, np.uint8),
        faces.astype(np.uint32),
    )


@cache
def _edge() -> Geometry:
    corners = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]
    return polygon(corners, Material.CONTACT, uv=[(0.5, 0), (0, 0), (0, 0), (0.5, 0)])
