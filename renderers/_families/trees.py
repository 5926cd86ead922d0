"""Trees 1 high: bare ones, leafy ones, conifers and shrubs, in three degrees of detail."""

import math
from dataclasses import replace
from functools import cache

import numpy as np

from .._textures import grain_rng
from .foliage import Lump, clusters, hull, standing, triangles, unit
from .geometry import RGB, Geometry, join, lathe, rod
from .materials import Material

KINDS = ("bare", "leafy", "conifer", "shrub")
VARIANTS = 6  # of each kind
_SEED = 6300
_BARK: RGB = (80, 73, 66)
_TWIG: RGB = (86, 78, 71)
# Of each degree of detail: sides of the trunk, share of leaves, how much larger these are.
_DETAIL = ((7, 1.0, 1.0), (4, 0.2, 2.0), (3, 0.07, 3.0))


@cache
def tree(kind: str, variant: int, detail: int) -> Geometry:
    """`detail`: 0 near, 1 beyond 35 m, 2 beyond 80 m; all of the same extent."""
    rng = grain_rng(_SEED + 10 * KINDS.index(kind) + variant)
    grown = standing(_GROWN[kind](rng, detail))
    return grown if detail == 0 else _fitted(grown, tree(kind, variant, 0).bounds)


def _fitted(geometry: Geometry, bounds: np.ndarray) -> Geometry:
    """Stretched across until it fills the bounds of another."""
    own = geometry.bounds
    share = (geometry.positions - own[0]) / (own[1] - own[0])
    return replace(geometry, positions=(bounds[0] + share * (bounds[1] - bounds[0])))


def _bare(rng: np.random.Generator, detail: int) -> Geometry:
    """Branches fork until they are twigs."""
    limbs = _limbs(rng)
    parts = [
        rod(
            a.tolist(),
            b.tolist(),
            radii,
            max(3, _DETAIL[detail][0] - 2 * depth),
            Material.BARK,
            _shade(rng),
        )
        for a, b, radii, depth in limbs
        if depth <= 3 - detail
    ]
    deepest = 3 - detail
    ends = np.array([[a, b] for a, b, _, depth in limbs if depth == deepest])
    return join([*parts, _twigs(ends, (5, 4, 6)[detail], (0.16, 0.26, 0.42)[detail], rng)])


def _shade(rng: np.random.Generator) -> RGB:
    r, g, b = (np.array(_BARK) * rng.uniform(0.8, 1.15)).astype(int).tolist()
    return r, g, b


Limb = tuple[np.ndarray, np.ndarray, tuple[float, float], int]


def _limbs(rng: np.random.Generator) -> list[Limb]:
    """Start, end, radii and depth of each, from the trunk outwards."""
    up = np.array([0.0, 0.0, 1.0])
    trunk: Limb = (np.zeros(3), np.array([0.0, 0.0, rng.uniform(0.24, 0.32)]), (0.022, 0.016), 0)
    grown: list[Limb] = []
    open_ends: list[tuple[Limb, np.ndarray]] = [(trunk, up)]
    while open_ends:
        limb, heading = open_ends.pop(0)
        grown.append(limb)
        depth = limb[3]
        if depth == 3:
            continue
        forks = (5, 4, 3)[depth]
        turn = rng.uniform(0, 2 * math.pi)
        for k in range(forks):
            lean = rng.uniform(0.35, 0.75) if k else 0.12  # the first goes on
            aim = _leant(heading, lean, turn + 2.4 * k)
            aim = unit(aim + 0.25 * up)
            start = limb[0] + (limb[1] - limb[0]) * (rng.uniform(0.65, 1.0) if k else 1.0)
            length = (0.27, 0.19, 0.13)[depth] * rng.uniform(0.75, 1.15)
            thick = limb[2][1] * (0.72 if k == 0 else 0.55)
            open_ends.append(((start, start + length * aim, (thick, 0.6 * thick), depth + 1), aim))
    return grown


def _leant(heading: np.ndarray, lean: float, turn: float) -> np.ndarray:
    """A direction `lean` radians off the heading, turned around it."""
    helper = np.array([1.0, 0.0, 0.0]) if abs(heading[0]) < 0.8 else np.array([0.0, 1.0, 0.0])
    x = unit(np.cross(heading, helper))
    y = np.cross(heading, x)
    off = x * math.cos(turn) + y * math.sin(turn)
    return heading * math.cos(lean) + off * math.sin(lean)


def _twigs(ends: np.ndarray, each: int, size: float, rng: np.random.Generator) -> Geometry:
    """Slim triangles that fan out from the last limbs, float [N, 2, 3]."""
    limbs = np.repeat(ends, each, axis=0)
    n = len(limbs)
    share = rng.uniform(0.35, 1.0, (n, 1))
    start = limbs[:, 0] + share * (limbs[:, 1] - limbs[:, 0])
    aim = unit(limbs[:, 1] - limbs[:, 0]) + 0.55 * rng.standard_normal((n, 3))
    aim[:, 2] += 0.2
    tip = start + unit(aim) * size * rng.uniform(0.4, 1.0, (n, 1))
    side = unit(np.cross(aim, rng.standard_normal((n, 3)))) * 0.0035 * (size / 0.16)
    corners = np.stack([start + side, start - side, tip], axis=1)
    out = unit(tip - np.array([0, 0, 0.5]))
    normals = np.repeat(out[:, None], 3, axis=1)
    light = rng.uniform(0.8, 1.2, (n, 1, 1)) * np.array(_TWIG)
    return triangles(corners, normals, np.repeat(light, 3, axis=1), Material.BARK)


def _leafy(rng: np.random.Generator, detail: int) -> Geometry:
    sides, share, larger = _DETAIL[detail]
    slim = rng.uniform(0.85, 1.15)
    foot = rng.uniform(0.22, 0.30)  # of the crown
    lumps = _crown(rng, slim, foot)
    trunk = rod((0, 0, 0), (0.01, 0, foot + 0.12), (0.026, 0.017), sides, Material.BARK, _BARK)
    parts = [trunk]
    if detail < 2:
        for lump in lumps[1:4]:
            start = (0.01, 0.0, foot + 0.03)
            parts.append(rod(start, lump.centre, (0.011, 0.005), 3, Material.BARK, _BARK))
    inside = lumps if detail == 0 else lumps[:4]
    parts += [hull(lump, 4, 0.66 if detail == 0 else 0.82) for lump in inside]
    parts.append(clusters(lumps, round(400 * share), 0.064 * larger, rng))
    return join(parts)


def _crown(rng: np.random.Generator, slim: float, foot: float) -> list[Lump]:
    """One lump in the middle and eight that wind around it."""
    tall = 1.0 - foot
    mid = foot + 0.52 * tall
    lumps = [Lump((0, 0, mid), (0.20 * slim, 0.20 * slim, 0.34 * tall))]
    turn = rng.uniform(0, 2 * math.pi)
    for k in range(8):
        angle = turn + 2.4 * k + rng.normal(0, 0.2)
        level = -0.85 + 0.25 * k + rng.normal(0, 0.05)  # of the crown: -1 lowest, 1 highest
        reach = slim * rng.uniform(0.16, 0.22) * math.sqrt(max(0.08, 1 - (0.92 * level) ** 2))
        size = rng.uniform(0.13, 0.17) * (1.0 - 0.2 * abs(level))
        middle = (reach * math.cos(angle), reach * math.sin(angle), mid + 0.31 * tall * level)
        lumps.append(Lump(middle, (size * slim, size * slim, 0.85 * size)))
    return lumps


def _conifer(rng: np.random.Generator, detail: int) -> Geometry:
    """Tiers of drooping boughs about a dark cone."""
    sides, _, _ = _DETAIL[detail]
    wide = rng.uniform(0.17, 0.24)
    tiers = (23, 10, 6)[detail]
    trunk = rod((0, 0, 0), (0, 0, 0.2), (0.018, 0.014), sides, Material.BARK, _BARK)
    profile = [(0.62 * wide, 0.12), (0.35 * wide, 0.5), (0.004, 0.97)]
    core = lathe(profile, 7 if detail == 0 else 5, Material.FOLIAGE, (96, 98, 90))
    boughs = [_tier(k / tiers, wide, (26, 12, 7)[detail], 1 / tiers, rng) for k in range(tiers)]
    return join([trunk, core, *boughs])


def _tier(share: float, wide: float, count: int, deep: float, rng: np.random.Generator) -> Geometry:
    """A ring of boughs; `share` 0 at the lowest tier, each two triangles folded along it."""
    count = max(4, round(count * (1.1 - 0.6 * share)))
    angle = 2 * np.pi * (np.arange(count) + rng.uniform(-0.4, 0.4, count)) / count
    angle += rng.uniform(0, 2 * np.pi)
    reach = wide * (1 - share) ** 0.9 * rng.uniform(0.66, 1.18, count) + 0.012
    z = 0.12 + 0.86 * share + 1.5 * deep * rng.uniform(-0.5, 0.5, count)
    out = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    side = np.stack([-np.sin(angle), np.cos(angle), 0 * angle], axis=1)
    up = np.array([0.0, 0.0, 1.0])
    half = (np.pi / count * 1.15 * reach * 0.75)[:, None] * side
    root = out * 0.1 * reach[:, None] + up * (z + 0.9 * deep + 0.25 * reach)[:, None]
    tip = out * reach[:, None] + up * z[:, None]
    knee = out * 0.62 * reach[:, None] + up * (z + 0.05 * reach)[:, None]
    corners = np.stack(
        [np.stack([root, knee - half, tip], 1), np.stack([root, tip, knee + half], 1)], 1
    ).reshape(-1, 3, 3)
    soft = unit(out + 0.45 * up)
    normals = np.repeat(soft, 6, axis=0).reshape(-1, 3, 3)
    light = rng.uniform(0.7, 1.08, (count, 1)) * np.array([0.82, 0.62, 1.0])
    hue = 235 * np.array([0.98, 1.0, 0.9]) * (0.75 + 0.25 * share)
    colours = np.repeat(light[:, None, :, None] * hue, 2, axis=1).reshape(-1, 3, 3)
    return triangles(corners, normals, colours, Material.FOLIAGE)


def _shrub(rng: np.random.Generator, detail: int) -> Geometry:
    _, share, larger = _DETAIL[detail]
    lumps = []
    for k in range(6):
        angle = 2.4 * k + rng.uniform(0, 1)
        reach = 0.0 if k == 0 else rng.uniform(0.22, 0.36)
        size = rng.uniform(0.28, 0.38)
        tall = 0.52 if k == 0 else rng.uniform(0.34, 0.46)
        middle = (reach * math.cos(angle), reach * math.sin(angle), 0.82 * tall)
        lumps.append(Lump(middle, (size, size, tall)))
    inside = lumps if detail == 0 else lumps[:4]
    parts = [hull(lump, 5 if detail == 0 else 4, 0.72 if detail == 0 else 0.82) for lump in inside]
    return join([*parts, clusters(lumps, round(330 * share), 0.13 * larger, rng)])


_GROWN = {"bare": _bare, "leafy": _leafy, "conifer": _conifer, "shrub": _shrub}
