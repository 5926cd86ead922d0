"""Triangles under construction: grids of points with a coat, mirrored, joined, then smoothed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry import RGB, WHITE, Geometry
from ..materials import Material


@dataclass(frozen=True)
class Coat:
    """What one cell of a surface is made of."""

    material: Material
    colour: RGB = WHITE


@dataclass(frozen=True, eq=False)
class Skin:
    """Triangles that do not know yet which of their edges are round."""

    corners: np.ndarray  # float [N, 3, 3], anticlockwise as seen from outside
    materials: np.ndarray  # uint8 [N]
    colours: np.ndarray  # float [N, 3, 3], 0 to 255, of each corner


def grid(points: np.ndarray, coat: Callable[[int, int], Coat | None]) -> Skin:
    """Cells between points float [R, C, 3]; rows x columns points outwards. No coat, no cell."""
    rows, columns = points.shape[:2]
    corners, coats = [], []
    for r in range(rows - 1):
        for c in range(columns - 1):
            cell = coat(r, c)
            if cell is None:
                continue
            a, b, d, e = points[r, c], points[r + 1, c], points[r + 1, c + 1], points[r, c + 1]
            corners += [(a, b, d), (a, d, e)]
            coats += [cell, cell]
    return _whole(np.array(corners, float).reshape(-1, 3, 3), coats)


def _whole(corners: np.ndarray, coats: Sequence[Coat]) -> Skin:
    """The triangles that have an area."""
    a, b, c = corners.swapaxes(0, 1)
    kept = np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-7
    materials = np.array([coat.material for coat in coats], np.uint8)
    colours = np.array([coat.colour for coat in coats], float).reshape(-1, 1, 3)
    return Skin(corners[kept], materials[kept], np.repeat(colours[kept], 3, axis=1))


def flat(corners: Sequence[Sequence[float]] | np.ndarray, coat: Coat) -> Skin:
    """A convex polygon."""
    points = np.asarray(corners, float)
    fan = [points[[0, k, k + 1]] for k in range(1, len(points) - 1)]
    return _whole(np.array(fan), [coat] * len(fan))


def tube(
    path: np.ndarray, radii: np.ndarray, segments: int, coat: Callable[[int, int], Coat | None]
) -> Skin:
    """Ellipses around points float [K, 3]; radii float [K, 2]: along x, and across it."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    helper = np.eye(3)[
        1 if np.abs(along[:, 0]).min() > 0.9 else 0
    ]  # a rod along x has no side in x
    side = helper - (along @ helper)[:, None] * along
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    across = np.cross(side, along)
    turn = np.linspace(0.0, 2 * np.pi, segments + 1)[:, None]
    points = [
        p + a * np.cos(turn) * s + b * np.sin(turn) * d
        for p, (a, b), s, d in zip(path, radii, side, across, strict=True)
    ]
    return grid(np.array(points), coat)


def block(low: Sequence[float], high: Sequence[float], coat: Coat) -> Skin:
    """A box between two corners."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    faces = (
        [(x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1)],
        [(x0, y1, z0), (x0, y0, z0), (x0, y0, z1), (x0, y1, z1)],
        [(x1, y1, z0), (x0, y1, z0), (x0, y1, z1), (x1, y1, z1)],
        [(x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)],
        [(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)],
        [(x0, y1, z0), (x1, y1, z0), (x1, y0, z0), (x0, y0, z0)],
    )
    return joined([flat(face, coat) for face in faces])


def joined(skins: Sequence[Skin]) -> Skin:
    """All of them as one."""
    return Skin(
        np.concatenate([skin.corners for skin in skins]),
        np.concatenate([skin.materials for skin in skins]),
        np.concatenate([skin.colours for skin in skins]),
    )


def mirrored(skin: Skin) -> Skin:
    """Its image on the other side of x = 0."""
    corners = skin.corners[:, ::-1] * (-1.0, 1.0, 1.0)
    return Skin(corners, skin.materials, skin.colours[:, ::-1])


def shifted(skin: Skin, by: Sequence[float] | np.ndarray) -> Skin:
    return Skin(skin.corners + np.asarray(by), skin.materials, skin.colours)


def on_both_sides(skin: Skin) -> Skin:
    return joined([skin, mirrored(skin)])


def darkened(skin: Skin, heights: Sequence[float], light: Sequence[float]) -> Skin:
    """Its colours times `light` interpolated by height: less of the sky reaches the underside."""
    share = np.interp(skin.corners[..., 2:], heights, light)
    return Skin(skin.corners, skin.materials, skin.colours * share)


def in_unit_box(skin: Skin) -> Skin:
    """Stretched so that it is 1 wide, 1 long and 1 high, centred, and stands on z = 0."""
    points = skin.corners.reshape(-1, 3)
    low, high = points.min(axis=0), points.max(axis=0)
    centre = np.array([0.5, 0.5, 0.0]) * (high - low) + low
    return Skin((skin.corners - centre) / (high - low), skin.materials, skin.colours)


def smoothed(skin: Skin, crease: float = 40.0) -> Geometry:
    """Round where faces meet at less than `crease` degrees, sharp elsewhere."""
    a, b, c = skin.corners.swapaxes(0, 1)
    areas = np.repeat(np.cross(b - a, c - a), 3, axis=0)  # of each corner's face
    normals = _corner_normals(skin.corners.reshape(-1, 3), areas, np.cos(np.radians(crease)))
    vertices = np.column_stack(
        [
            skin.corners.reshape(-1, 3).round(6),
            normals.round(4),
            skin.colours.reshape(-1, 3).round(),
            np.repeat(skin.materials, 3),
        ]
    )
    unique, inverse = np.unique(vertices, axis=0, return_inverse=True)
    directions = unique[:, 3:6] / np.linalg.norm(unique[:, 3:6], axis=1, keepdims=True)
    return Geometry(
        unique[:, :3].astype(np.float32),
        directions.astype(np.float32),
        np.zeros((len(unique), 2), np.float32),
        unique[:, 6:9].clip(0, 255).astype(np.uint8),
        unique[:, 9].astype(np.uint8),
        inverse.reshape(-1, 3).astype(np.uint32),
    )


def _corner_normals(points: np.ndarray, areas: np.ndarray, least: float) -> np.ndarray:
    """float [3 N, 3]: of each corner, the mean over the faces around it that it is round with."""
    units = areas / np.linalg.norm(areas, axis=1, keepdims=True)
    _, spot = np.unique(points.round(5), axis=0, return_inverse=True)
    order = np.argsort(spot.ravel(), kind="stable")
    ends = np.flatnonzero(np.diff(spot.ravel()[order])) + 1
    sums = np.zeros_like(areas)
    for group in np.split(order, ends):
        together = (units[group] @ units[group].T) > least
        sums[group] = together @ areas[group]
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)
