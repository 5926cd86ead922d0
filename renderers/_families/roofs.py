"""Roofs of buildings and what stands on them: chimneys, parapets, eaves."""

import math
from functools import cache

from .family import Piece
from .geometry import RGB, Geometry, box, join, placement, polygon, rod
from .materials import Material

_OVERHANG = 0.35  # m of the eaves
_PARAPET, _THICK = 0.55, 0.25  # m
_NEAR = 35.0  # m; farther away small parts are left out
_TERRACOTTA: RGB = (150, 92, 66)
_WHITE_BOARD: RGB = (206, 204, 198)
_FELT: RGB = (96, 96, 98)


def pitched(
    size: tuple[float, float, float],
    slope: float,
    wall: Material,
    tints: tuple[RGB, RGB],
    chimneys: bool,
    distance: float,
) -> list[Piece]:
    """Two planes with their ridge along y over a block of `size`, with gables and eaves."""
    w, h, eaves = size
    run = w / 2 + _OVERHANG
    ridge = eaves + slope * w / 2
    pieces = [
        Piece(_planes(), placement((0, 0, ridge), math.pi / 2, (h, run, slope * run)), *tints),
        Piece(_gables(wall), placement((0, 0, eaves), size=(w, h, ridge - eaves)), *tints),
    ]
    for side in (-1, 1):
        low = eaves - slope * _OVERHANG
        board = placement((side * run, 0, low - 0.16), size=(0.06, h, 0.16))
        pieces.append(Piece(block(Material.PLAIN, _WHITE_BOARD), board))
        if distance < _NEAR:
            pipe = placement((side * (w / 2 + 0.06), h / 2 - 0.2, 0), size=(0.09, 0.09, low))
            pieces.append(Piece(block(Material.PLAIN, (70, 70, 70)), pipe))
    if chimneys:
        ends = (-h / 2 + 0.45, h / 2 - 0.45) if h > 4 else (h / 2 - 0.45,)
        for y in ends:
            at = placement((0, y, ridge - 0.9))
            pieces.append(Piece(_chimney(wall, distance < _NEAR), at, *tints))
    return pieces


def flat(size: tuple[float, float, float], wall: Material, tints: tuple[RGB, RGB]) -> list[Piece]:
    """A felt roof behind a parapet with a coping."""
    w, h, top = size
    t, z = _THICK, (_PARAPET, _PARAPET + 0.08)
    pieces = [Piece(_felt(), placement((0, 0, top), size=(w - 2 * t, h - 2 * t, 1)))]
    walls = [(side * (w - t) / 2, 0.0, t, h) for side in (-1, 1)]
    walls += [(0.0, side * (h - t) / 2, w - 2 * t, t) for side in (-1, 1)]
    for x, y, across, along in walls:
        size3 = (across, along, z[0])
        pieces.append(Piece(block(wall), placement((x, y, top), size=size3), *tints))
        ledge = 0.06 if along == h else 0.0  # over the long sides only: neighbours touch the ends
        stone = placement((x, y, top + z[0]), size=(across + 2 * ledge, along, z[1] - z[0]))
        pieces.append(Piece(block(Material.CONCRETE), stone))
    return pieces


@cache
def block(material: Material, colour: RGB = (255, 255, 255)) -> Geometry:
    """A box 1 x 1 around the origin, from z = 0 to 1."""
    return box((-0.5, -0.5, 0), (0.5, 0.5, 1), material, colour)


@cache
def _felt() -> Geometry:
    corners = [(-0.5, -0.5, 0), (0.5, -0.5, 0), (0.5, 0.5, 0), (-0.5, 0.5, 0)]
    return polygon(corners, Material.PLAIN, _FELT)


@cache
def _planes() -> Geometry:
    """The ridge lies along x at z = 0, as courses of tiles do; the eaves at y = +-1, z = -1."""
    ahead = [(0.5, 1, -1), (-0.5, 1, -1), (-0.5, 0, 0), (0.5, 0, 0)]
    behind = [(-0.5, -1, -1), (0.5, -1, -1), (0.5, 0, 0), (-0.5, 0, 0)]
    return join([polygon(ahead, Material.ROOF), polygon(behind, Material.ROOF)])


@cache
def _gables(wall: Material) -> Geometry:
    ahead = [(0.5, 0.5, 0), (-0.5, 0.5, 0), (0, 0.5, 1)]
    behind = [(-0.5, -0.5, 0), (0.5, -0.5, 0), (0, -0.5, 1)]
    return join([polygon(ahead, wall), polygon(behind, wall)])


@cache
def _chimney(wall: Material, fine: bool) -> Geometry:
    """A stack across a party wall, with pots; metres."""
    sides = ("left", "right", "back", "front", "top")
    parts = [box((-0.65, -0.35, 0), (0.65, 0.35, 2.1), wall, sides=sides)]
    if not fine:
        return join([*parts, box((-0.5, -0.12, 2.1), (0.5, 0.12, 2.4), colour=_TERRACOTTA)])
    parts.append(box((-0.71, -0.41, 1.85), (0.71, 0.41, 2.0), Material.CONCRETE))
    for x in (-0.45, -0.15, 0.15, 0.45):
        pot = rod((x, 0, 2.1), (x, 0, 2.5), (0.13, 0.10), 6, colour=_TERRACOTTA)
        parts.append(pot)
    return join(parts)
