"""Separate triangles, and what is done with them before they become a geometry."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Triangles:
    """Each with its own three corners."""

    positions: np.ndarray  # float [F, 3, 3]: corner, axis
    normals: np.ndarray  # float [F, 3, 3]; zero where the face's own is meant
    colours: np.ndarray  # uint8 [F, 3, 3], sRGB

    def moved(self, matrix: np.ndarray) -> "Triangles":
        """Under a matrix float [3, 4]; a mirror turns the faces round, so that they stay faces."""
        turn = matrix[:, :3]
        # Singular matrices flatten a part; its faces are dropped later, whatever their normals are.
        normals = self.normals @ np.linalg.pinv(turn)
        positions = self.positions @ turn.T + matrix[:, 3]
        if np.linalg.det(turn) >= 0:
            return Triangles(positions, normals, self.colours)
        return Triangles(positions[:, ::-1], normals[:, ::-1], self.colours[:, ::-1])

    def only(self, which: np.ndarray) -> "Triangles":
        return Triangles(self.positions[which], self.normals[which], self.colours[which])

    def proper(self, size: float) -> "Triangles":
        """Those with an area, as seen at the model's size; normals have unit length."""
        own = _cross(self.positions)
        area = np.linalg.norm(own, axis=-1)
        keep = area > 1e-12 * size**2
        kept, own = self.only(keep), own[keep] / area[keep][:, None]
        length = np.linalg.norm(kept.normals, axis=-1, keepdims=True)
        fine = np.isfinite(length) & (length > 1e-9)
        unit = np.where(fine, kept.normals / np.where(fine, length, 1.0), own[:, None])
        return replace(kept, normals=unit)

    def stretched(self, foot: np.ndarray, extents: np.ndarray) -> "Triangles":
        """From `foot`, in a box of side 1; an extent of 0 stays."""
        size = np.where(extents > 0, extents, 1.0)
        normals = self.normals * size
        normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
        return Triangles((self.positions - foot) / size, normals, self.colours)


def joined(parts: Sequence[Triangles]) -> Triangles:
    return Triangles(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.normals for part in parts]),
        np.concatenate([part.colours for part in parts]),
    )


def thinned(triangles: Triangles, most: int) -> Triangles:
    """At most so many: vertices of one cell of a grid become one, coarser until it is enough.

    Rossignac and Borrel (1993), with the mean of a cell's corners.
    """
    if len(triangles.positions) <= most:
        return triangles
    cells = 512.0
    while True:
        cell = _cells(triangles.positions.reshape(-1, 3), cells).reshape(-1, 3)
        a, b, c = cell.T
        keep = np.flatnonzero((a != b) & (b != c) & (c != a))
        if len(keep) <= most:
            break
        cells *= 0.95 * np.sqrt(most / len(keep))
    _, first = np.unique(np.sort(cell[keep], axis=1), axis=0, return_index=True)
    keep = keep[np.sort(first)]
    positions = _means(triangles.positions.reshape(-1, 3), cell.ravel())[cell[keep]]
    return replace(triangles.only(keep), positions=positions).proper(float(np.ptp(positions)))


def _cells(points: np.ndarray, cells: float) -> np.ndarray:
    """int [P]: numbers of the cells that the points lie in; the longest side has `cells`."""
    low = points.min(axis=0)
    side = (points.max(axis=0) - low).max() / cells
    x, y, z = ((points - low) / side).astype(np.int64).T
    row = int(cells) + 2
    return np.unique((x * row + y) * row + z, return_inverse=True)[1]


def _means(points: np.ndarray, groups: np.ndarray) -> np.ndarray:
    count = np.bincount(groups)
    return np.stack([np.bincount(groups, axis) / count for axis in points.T], axis=1)


def _cross(positions: np.ndarray) -> np.ndarray:
    a, b, c = positions[:, 0], positions[:, 1], positions[:, 2]
    return np.cross(b - a, c - a)
