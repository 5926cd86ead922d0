"""Facades of buildings: blocks of bays and storeys, one texture tile for each bay of a storey."""

from collections.abc import Iterator
from functools import cache

import numpy as np

from .geometry import Geometry, join, polygon
from .materials import Material

BAY = 3.2  # m, about
MOST = 4  # bays, and storeys, of a block; larger facades are made of several

_TERRACE = (Material.WINDOW_TERRACE, Material.WINDOW_TERRACE_B)
_SASH = (Material.WINDOW_SASH, Material.WINDOW_SASH_B)
_BLANK = (Material.BRICK, Material.WINDOW_SASH)
# What fills the bays of an upper storey, and how: two looks of each.
UPPER: dict[str, tuple[Material, Material]] = {
    "terrace": _TERRACE,
    "sash": _SASH,
    "office": (Material.WINDOW_OFFICE, Material.WINDOW_OFFICE_B),
    "modern": (Material.WINDOW_MODERN, Material.WINDOW_MODERN_B),
    "blank": _BLANK,
}
# What fills the bays of a ground floor, from the left; blocks repeat it.
GROUND: dict[str, tuple[Material, ...]] = {
    "terrace": (Material.DOOR, Material.WINDOW_TERRACE, Material.WINDOW_TERRACE_B, Material.DOOR_B),
    "sash": (Material.DOOR_B, Material.WINDOW_SASH_B, Material.WINDOW_SASH, Material.DOOR),
    "shop": (Material.SHOP_A, Material.SHOP_B, Material.SHOP_C, Material.SHOP_B),
    "office": (Material.WINDOW_OFFICE, Material.WINDOW_OFFICE, Material.SHOP_B,
               Material.WINDOW_OFFICE_B),
    "modern": (Material.WINDOW_MODERN, Material.WINDOW_MODERN_B, Material.WINDOW_MODERN,
               Material.SHOP_B),
    "blank": (Material.BRICK,) * 4,
}  # fmt: skip


def bays_of(length: float) -> int:
    return max(1, round(length / BAY))


def blocks(count: int) -> Iterator[tuple[int, int]]:
    """Starts and sizes of blocks that make up `count` bays or storeys."""
    for start in range(0, count, MOST):
        yield start, min(MOST, count - start)


@cache
def upper(kind: str, bays: int, storeys: int) -> Geometry:
    """A wall that faces its own x: y from 0 to 1 over its bays, z from 0 to 1 over its storeys."""
    tiles = []
    for storey in range(storeys):
        # No two neighbours alike, and no columns of the same curtains.
        looks = [(bay * 5 + storey * 3 + bay * storey) % 3 == 1 for bay in range(bays)]
        tiles += _row([UPPER[kind][look] for look in looks], storey, storeys)
    return join(tiles)


@cache
def ground(kind: str, bays: int) -> Geometry:
    """One storey at the pavement, like an upper one."""
    return join(_row(GROUND[kind][:bays], 0, 1))


def _row(materials: tuple[Material, ...] | list[Material], storey: int, of: int) -> list[Geometry]:
    return [
        _tile(np.array([k, k + 1]) / len(materials), np.array([storey, storey + 1]) / of, material)
        for k, material in enumerate(materials)
    ]


def _tile(y: np.ndarray, z: np.ndarray, material: Material) -> Geometry:
    corners = [(0, y[0], z[0]), (0, y[1], z[0]), (0, y[1], z[1]), (0, y[0], z[1])]
    return polygon(corners, material, uv=[(0, 0), (1, 0), (1, 1), (0, 1)])
