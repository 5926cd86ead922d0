"""People on bicycles."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from .._attributes import Colour, Number, Values
from .family import Piece
from .geometry import RGB, Geometry, placement
from .materials import Material
from .people import (
    CANVAS,
    COARSER,
    CREASE,
    Look,
    arm,
    foot,
    head,
    leg,
    one_tall,
    shoulder_at,
    trunk,
)
from .vehicles.parts import contact
from .vehicles.skin import Coat, Skin, block, darkened, flat, grid, joined, shifted, smoothed, tube

_TYRE = Coat(Material.RUBBER, (28, 28, 29))
_STEEL = Coat(Material.METAL, (130, 132, 135))
_BLACK = Coat(Material.PLAIN, (26, 26, 28))
_RED = Coat(Material.PLAIN, (120, 20, 20))
_RADIUS, _FRONT, _REAR = 0.34, 0.56, -0.50  # m: of the wheels, and where they stand
_CRANKS = np.array([0.0, -0.06, 0.29])
_HEAD = np.array([0.0, 0.40, 0.66])  # where the fork meets the frame
_SEGMENTS = (18, 9, 8)  # of a wheel
_WEDGE = ((0.0, 0.0), (0.021, 0.036), (-0.021, 0.036), (0.0, 0.0))
_SECTIONS = (_WEDGE, _WEDGE, ((0.0, 0.0), (0.0, 0.042)))  # of a tyre: x and how far in


@dataclass(frozen=True)
class Rider:
    look: Look
    lean: float  # degrees
    grip: tuple[float, float]  # y and z of the hands
    pedals: float  # degrees of the right crank, from ahead up
    frame: RGB
    luggage: str = ""


RIDERS = (
    Rider(Look(), 30.0, (0.34, 1.04), -70.0, (40, 44, 52)),
    Rider(Look((200, 160, 138), (110, 80, 52), long=True), 12.0, (0.24, 1.10), 25.0,
          (92, 34, 36), "rack"),
    Rider(Look((190, 150, 126), helmet=True), 42.0, (0.42, 1.00), 150.0, (150, 152, 156)),
    Rider(Look((140, 100, 78), (32, 28, 26), helmet=True), 26.0, (0.32, 1.05), -20.0,
          (46, 62, 54), "back"),
)  # fmt: skip


class Cyclist:
    """Someone who rides along their own y, `tall` metres high with the bicycle."""

    reads = (
        Number("tall", 1.72, 0.3, 3.0),
        Number("exemplar", 0.0, 0.0, 1.0),
        Colour("colour", "navy"),
        Colour("trousers", "charcoal"),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        tall, exemplar, colour, trousers = self.reads
        size = tall.of(values)
        which = exemplar.pick(values, len(RIDERS))
        body = _cyclist(which, int(np.searchsorted(COARSER, distance)))
        at = placement(size=(size, size, size))
        ground = placement(size=(0.23 * size, size, 1.0))
        return [Piece(body, at, colour.of(values), trousers.of(values)), Piece(_ground(), ground)]


@cache
def _ground() -> Geometry:
    return contact((0.4, 1.7), 0.16, 0.4)


@cache
def _cyclist(which: int, level: int) -> Geometry:
    """1 high."""
    rider = RIDERS[which]
    parts = [*_bicycle(rider, level), *_body(rider, level)]
    return smoothed(one_tall(darkened(joined(parts), (0.0, 0.6, 1.2), (0.8, 0.9, 1.0))), CREASE)


def _body(rider: Rider, level: int) -> list[Skin]:
    lean = math.radians(rider.lean)
    hips = np.array([0.0, -0.20, 1.03])
    neck = hips + 0.54 * np.array([0.0, math.sin(lean), math.cos(lean)])
    parts = [trunk(hips, neck, 1.0, -0.10, level), head(neck, rider.look, level)]
    for side in (-1, 1):
        ankle = _pedal(rider, side) + np.array([0.0, -0.08, 0.10])
        hip = hips + np.array([side * 0.085, 0.0, -0.04])
        knee = _joint(hip, ankle, (0.43, 0.42), (0.0, 1.0, 0.2))
        parts += [leg(hip, knee, ankle, level), foot(ankle, 0.0, level)]
        shoulder = shoulder_at(hips, neck, side)
        wrist = np.array([side * 0.25, rider.grip[0] - 0.09, rider.grip[1] + 0.03])
        elbow = _joint(shoulder, wrist, (0.29, 0.26), (side * 0.8, -0.3, -0.6))
        parts.append(arm(shoulder, elbow, wrist, rider.look, level))
    if rider.luggage == "back":
        parts.append(_rucksack(hips, neck))
    return parts


def _joint(
    start: np.ndarray, end: np.ndarray, bones: tuple[float, float], towards: tuple[float, ...]
) -> np.ndarray:
    """Where two bones between two points meet, on the side that they bend towards."""
    reach = end - start
    span = float(np.linalg.norm(reach))
    along = reach / span
    first = min((span**2 + bones[0] ** 2 - bones[1] ** 2) / (2 * span), bones[0])
    out = np.asarray(towards) - (np.asarray(towards) @ along) * along
    height = math.sqrt(max(bones[0] ** 2 - first**2, 0.0))
    return start + first * along + height * out / np.linalg.norm(out)


def _pedal(rider: Rider, side: int) -> np.ndarray:
    turn = math.radians(rider.pedals) + (0.0 if side > 0 else math.pi)
    crank = 0.17 * np.array([0.0, math.cos(turn), math.sin(turn)])
    return _CRANKS + crank + np.array([side * 0.10, 0.0, 0.0])


def _rucksack(hips: np.ndarray, neck: np.ndarray) -> Skin:
    """On a back that leans: a block along it."""
    up = (neck - hips) / np.linalg.norm(neck - hips)
    back = np.array([0.0, -up[2], up[1]])
    turn = np.column_stack([[1.0, 0.0, 0.0], -back, up])
    bag = block((-0.14, -0.26, 0.12), (0.14, -0.09, 0.50), CANVAS)
    return Skin(bag.corners @ turn.T + hips, bag.materials, bag.colours)


def _bicycle(rider: Rider, level: int) -> list[Skin]:
    paint = Coat(Material.PLAIN, rider.frame)
    saddle = np.array([0.0, -0.24, 0.96])
    y, z = rider.grip
    stem, front = np.array([0.0, 0.36, z - 0.04]), np.array([0.0, _FRONT, _RADIUS])
    rear, seat = np.array([0.0, _REAR, _RADIUS]), _CRANKS + 0.8 * (saddle - _CRANKS)
    bars = [(_CRANKS, saddle), (_CRANKS, _HEAD), (seat, _HEAD + np.array([0.0, -0.03, 0.14])),
            (_CRANKS, rear), (seat, rear), (front, _HEAD), (_HEAD, stem)]  # fmt: skip
    bars += [(stem, np.array([side * 0.29, y, z])) for side in (-1, 1)]
    if level == 2:
        bars = bars[:3]
    parts = [_rod(a, b, 0.018, paint, level) for a, b in bars]
    parts += [_wheel(_FRONT, level), _wheel(_REAR, level)]
    parts.append(block((-0.06, -0.36, 0.95), (0.06, -0.12, 1.0), _BLACK))
    return parts + _small_parts(rider) if level == 0 else parts


def _small_parts(rider: Rider) -> list[Skin]:
    tread = block((-0.045, -0.04, -0.012), (0.045, 0.04, 0.012), _BLACK)
    parts = [block((-0.03, _REAR - 0.30, 0.66), (0.03, _REAR - 0.26, 0.74), _RED)]
    parts.append(block((-0.02, _REAR - 0.27, 0.695), (0.02, -0.2, 0.72), _BLACK))
    for side in (-1, 1):
        pedal = _pedal(rider, side)
        parts.append(_rod(_CRANKS + np.array([side * 0.06, 0.0, 0.0]), pedal, 0.014, _STEEL, 0))
        parts.append(shifted(tread, pedal))
    if rider.luggage == "rack":
        parts += [block((x, -0.72, 0.42), (x + 0.10, -0.40, 0.70), CANVAS) for x in (-0.16, 0.06)]
    return parts


def _rod(a: np.ndarray, b: np.ndarray, radius: float, coat: Coat, level: int) -> Skin:
    return tube(np.array([a, b]), np.full((2, 2), radius), 4 if level == 0 else 3, lambda *_: coat)


def _wheel(y: float, level: int) -> Skin:
    """A tyre, and near the camera its spokes, standing on the ground."""
    turn = np.linspace(0.0, 2 * np.pi, _SEGMENTS[level] + 1)
    out = np.stack([0 * turn, np.sin(turn), -np.cos(turn)], axis=1)
    hub = np.array([0.0, y, _RADIUS])
    rings = [
        hub + out * (_RADIUS - inwards) + np.array([aside, 0.0, 0.0])
        for aside, inwards in _SECTIONS[level]
    ]
    tyre = grid(np.stack(rings, axis=1), lambda *_: _TYRE)
    return joined([tyre, *_spokes(hub)]) if level == 0 else tyre


def _spokes(hub: np.ndarray) -> list[Skin]:
    """Four thin bars across the wheel."""
    bars = []
    for turn in np.arange(4) * np.pi / 4 + 0.2:
        far = (_RADIUS - 0.04) * np.array([0.0, math.cos(turn), math.sin(turn)])
        wide = 0.004 * np.array([0.0, -math.sin(turn), math.cos(turn)])
        ends = (far + wide, wide - far, -far - wide, far - wide)
        bars.append(flat(hub + np.array(ends), _STEEL))
    return bars
