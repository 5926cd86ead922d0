"""Leaves: clusters of pointed triangles over lumps, lit as the lump that they cover."""

from dataclasses import dataclass, replace

import numpy as np

from .geometry import Geometry
from .materials import Material


@dataclass(frozen=True)
class Lump:
    """An ellipsoid of leaves."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def triangles(
    corners: np.ndarray, normals: np.ndarray, colours: np.ndarray, material: Material
) -> Geometry:
    """Loose triangles: corners and normals float [T, 3, 3], colours [T, 3, 3], 0 to 255."""
    n = 3 * len(corners)
    return Geometry(
        corners.reshape(n, 3).astype(np.float32),
        unit(normals.reshape(n, 3)).astype(np.float32),
        np.zeros((n, 2), np.float32),
        np.clip(np.rint(colours.reshape(n, 3)), 0, 255).astype(np.uint8),
        np.full(n, material, np.uint8),
        np.arange(n, dtype=np.uint32).reshape(-1, 3),
    )


def spread(lumps: list[Lump], count: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Places [N, 3] near the lumps' surfaces, the ways out [N, 3] there, and depth [N], 0 to 1.

    Places inside another lump are turned down: they would not be seen.
    """
    centres = np.array([lump.centre for lump in lumps])
    radii = np.array([lump.radii for lump in lumps])
    areas = np.prod(radii, axis=1) ** (2 / 3)
    which = rng.choice(len(lumps), 3 * count, p=areas / areas.sum())
    out = unit(rng.standard_normal((3 * count, 3)))
    share = 1 - 0.35 * rng.random(3 * count) ** 2
    places = centres[which] + out * radii[which] * share[:, None]
    apart = (places[:, None] - centres[None]) / radii[None]
    inside = (np.sum(apart**2, axis=2) < 0.62).any(axis=1)
    free = np.flatnonzero(~inside)
    kept = free[_apart(places[free], count)]
    return places[kept], unit(out[kept] / radii[which[kept]]), share[kept]


def _apart(places: np.ndarray, count: int) -> np.ndarray:
    """Indices of `count` places, each as far from those before as can be: no bald patches."""
    kept = [0]
    near = np.full(len(places), np.inf)
    for _ in range(min(count, len(places)) - 1):
        near = np.minimum(near, np.sum((places - places[kept[-1]]) ** 2, axis=1))
        kept.append(int(near.argmax()))
    return np.array(kept)


def clusters(lumps: list[Lump], count: int, size: float, rng: np.random.Generator) -> Geometry:
    """Leaves about each of `count` places on lumps, about `size` across."""
    places, out, share = spread(lumps, count, rng)
    middle = np.average(
        [lump.centre for lump in lumps], axis=0, weights=[np.prod(lump.radii) for lump in lumps]
    )
    soft = unit(0.55 * out + 0.45 * unit(places - middle))
    return leaves(places, soft, _light(places, share, out, rng), size, rng)


def leaves(
    places: np.ndarray,
    normals: np.ndarray,
    colours: np.ndarray,
    size: float,
    rng: np.random.Generator,
) -> Geometry:
    """Three pointed leaves about each place, all float [N, 3]; they lie along the surface."""
    n = len(places)
    side = unit(np.cross(normals, unit(rng.standard_normal((n, 3)))))
    over = np.cross(normals, side)
    spans = size * rng.uniform(0.55, 1.25, n)[:, None]
    corners = np.zeros((n, 3, 3, 3))
    for k in range(3):
        angle = 2 * np.pi * (k / 3 + rng.uniform(0, 0.25, n))
        along = _turned(side, over, angle) + normals * rng.uniform(-0.55, 0.55, (n, 1))
        across = _turned(side, over, angle + np.pi / 2) + normals * rng.uniform(-0.5, 0.5, (n, 1))
        root = places - 0.35 * spans * along
        corners[:, k, 0] = places + 0.75 * spans * along
        corners[:, k, 1] = root + 0.42 * spans * across
        corners[:, k, 2] = root - 0.42 * spans * across
    return triangles(
        corners.reshape(-1, 3, 3),
        np.repeat(normals, 9, axis=0).reshape(-1, 3, 3),
        np.repeat(colours, 9, axis=0).reshape(-1, 3, 3),
        Material.FOLIAGE,
    )


def _turned(side: np.ndarray, over: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return side * np.cos(angle)[:, None] + over * np.sin(angle)[:, None]


def _light(
    places: np.ndarray, share: np.ndarray, out: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Colours float [N, 3]: darker inwards and below, each leaf a little different."""
    z = places[:, 2]
    high = (z - z.min()) / max(float(np.ptp(z)), 1e-9)
    light = 0.74 + 0.22 * high + 0.14 * out[:, 2] - 1.1 * (1 - share)
    light *= rng.uniform(0.78, 1.28, len(places))
    hue = np.array([1.08, 1.0, 0.86]) + rng.normal(0, 0.05, (len(places), 3))
    return 255 * np.clip(light, 0.14, 1.0)[:, None] * hue


def hull(lump: Lump, segments: int, share: float) -> Geometry:
    """The dark inside of a lump, of 2 x `segments` x 3 triangles."""
    angle = np.arange(segments) * (2 * np.pi / segments)
    rows = [(np.cos(e), np.sin(e)) for e in (-0.75, 0.0, 0.75)]
    rings = [
        np.stack([r * np.cos(angle + 0.5 * k), r * np.sin(angle + 0.5 * k), 0 * angle + z], 1)
        for k, (r, z) in enumerate(rows)
    ]
    directions = np.concatenate([*rings, [[0, 0, -1.0], [0, 0, 1.0]]])
    k, n = np.arange(segments), segments
    ahead = (k + 1) % n
    faces = [np.stack([ahead, k, 0 * k + 3 * n], 1), np.stack([k, ahead, 0 * k + 3 * n + 1], 1)]
    faces[1][:, :2] += 2 * n
    for row in (0, n):
        faces.append(np.stack([row + k, row + ahead, row + n + k], 1))
        faces.append(np.stack([row + ahead, row + n + ahead, row + n + k], 1))
    positions = np.array(lump.centre) + share * directions * np.array(lump.radii)
    light = 96 + 34 * directions[:, 2]
    colours = light[:, None] * np.array([1.0, 1.0, 0.86])
    return Geometry(
        positions.astype(np.float32),
        unit(directions / np.array(lump.radii)).astype(np.float32),
        np.zeros((len(positions), 2), np.float32),
        np.rint(colours).astype(np.uint8),
        np.full(len(positions), Material.FOLIAGE, np.uint8),
        np.concatenate(faces).astype(np.uint32),
    )


def standing(geometry: Geometry) -> Geometry:
    """The same, cut to stand on z = 0 and to be exactly 1 high."""
    positions = geometry.positions.copy()
    positions[:, 2] = np.maximum(positions[:, 2], 0.0)
    positions[:, 2] /= float(positions[:, 2].max())
    return replace(geometry, positions=positions)
