"""People on foot; and the limbs, trunks and heads that riders have too."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from .._attributes import Colour, Number, Values
from .contact import contact_disc
from .family import Piece
from .geometry import RGB, Geometry, placement
from .materials import Material
from .vehicles import COARSER
from .vehicles.skin import Coat, Skin, block, darkened, joined, mirrored, smoothed, tube

ROUND = (10, 5, 4)  # segments of a trunk and a head, by level
_LIMB = (8, 4, 3)
COAT = Coat(Material.CLOTH)
TROUSERS = Coat(Material.CLOTH_2)
SHOE = Coat(Material.PLAIN, (44, 38, 34))
LEATHER = Coat(Material.PLAIN, (58, 44, 36))
CANVAS = Coat(Material.PLAIN, (62, 66, 72))
CREASE = 75.0

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """Skin and hair."""

    skin: RGB = (186, 146, 124)
    hair: RGB = (58, 44, 34)
    long: bool = False  # the hair
    helmet: bool = False


@dataclass(frozen=True)
class Pose:
    """Degrees; legs and arms as (hip or shoulder, knee or elbow), ahead is positive."""

    left_leg: tuple[float, float]
    right_leg: tuple[float, float]
    left_arm: tuple[float, float]
    right_arm: tuple[float, float]
    lean: float = 2.0


@dataclass(frozen=True)
class Person:
    pose: Pose
    look: Look
    build: float = 1.0  # width of the trunk
    hem: float = -0.22  # of the coat, in lengths of the trunk from the hips
    bag: str = ""


_STRIDE = Pose((26, 4), (-20, 14), (-24, 12), (22, 24))
_PASSING = Pose((3, 4), (22, 52), (6, 16), (-8, 14))
_OTHER_STRIDE = Pose((-18, 16), (24, 5), (20, 22), (-22, 12))
_OTHER_PASSING = Pose((20, 56), (2, 3), (-10, 20), (10, 20))
_STANDING = Pose((2, 2), (-2, 2), (3, 10), (-2, 10), 0.0)
_WAITING = Pose((8, 14), (-3, 0), (4, 14), (12, 80), 0.0)

PEOPLE = (
    Person(_STRIDE, Look()),
    Person(_PASSING, Look(hair=(96, 82, 66)), 1.06, -0.12),
    Person(_OTHER_STRIDE, Look((205, 166, 142), (122, 92, 58), long=True), 0.90, -0.45, "shoulder"),
    Person(_STANDING, Look((150, 108, 84), (30, 26, 24)), 1.04, -0.20),
    Person(_WAITING, Look((200, 160, 138), (70, 48, 34), long=True), 0.92, -0.30, "hand"),
    Person(_OTHER_PASSING, Look(hair=(44, 36, 30)), 0.98, -0.14, "back"),
    Person(_STRIDE, Look((196, 154, 132), (150, 146, 140)), 1.08, -0.62),
    Person(_OTHER_STRIDE, Look((96, 68, 52), (24, 22, 22)), 1.0, -0.12, "hand"),
)
_HIP, _NECK = 0.93, 1.47  # heights of someone 1.75 m tall


class Pedestrian:
    """Someone on foot, `tall` metres high; `exemplar` in [0, 1) picks one of eight people."""

    reads = (
        Number("tall", 1.72, 0.3, 3.0),
        Number("exemplar", 0.0, 0.0, 1.0),
        Colour("colour", "charcoal"),
        Colour("trousers", "charcoal"),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        tall, exemplar, colour, trousers = self.reads
        size = tall.of(values)
        which = exemplar.pick(values, len(PEOPLE))
        body = _person(which, int(np.searchsorted(COARSER, distance)))
        at = placement(size=(size, size, size))
        return [
            Piece(body, at, colour.of(values), trousers.of(values)),
            contact_disc(0.0, 0.0, 0.26 * size),
        ]


@cache
def _person(which: int, level: int) -> Geometry:
    """1 high."""
    person = PEOPLE[which]
    pose, lean = person.pose, math.radians(person.pose.lean)
    hips = np.array([0.0, 0.0, _HIP])
    neck = hips + (_NECK - _HIP) * np.array([0.0, math.sin(lean), math.cos(lean)])
    parts = [trunk(hips, neck, person.build, person.hem, level), head(neck, person.look, level)]
    for side, bones, swing in (
        (-1, pose.left_leg, pose.left_arm),
        (1, pose.right_leg, pose.right_arm),
    ):
        parts += _leg(side, bones, level)
        shoulder = shoulder_at(hips, neck, side * person.build)
        parts.append(_arm(shoulder, side, swing, person.look, level))
    if person.bag:
        parts.append(_bag(person.bag, hips, neck))
    return smoothed(one_tall(darkened(joined(parts), (0.0, 0.5, 1.1), (0.72, 0.9, 1.0))), CREASE)


def one_tall(skin: Skin) -> Skin:
    """Scaled to a height of 1, standing on z = 0."""
    low, high = skin.corners[..., 2].min(), skin.corners[..., 2].max()
    corners = (skin.corners - np.array([0.0, 0.0, low])) / (high - low)
    return Skin(corners, skin.materials, skin.colours)


def trunk(hips: np.ndarray, neck: np.ndarray, build: float, hem: float, level: int) -> Skin:
    """A coat from its hem to the neck."""
    flare = max(-hem - 0.2, 0.0)
    rows = [(hem, 0.165 + 0.08 * flare, 0.125 + 0.30 * flare), (0.0, 0.165, 0.122),
            (0.32, 0.150, 0.110), (0.66, 0.178, 0.122), (0.86, 0.196, 0.104),
            (0.96, 0.125, 0.085), (1.01, 0.062, 0.066)]  # fmt: skip
    if level:
        rows = [rows[k] for k in (0, 2, 4, 6)]
    rows.insert(0, (hem + 0.02, 0.0, 0.0))  # closed below
    share, wide, deep = np.array(rows).T
    radii = np.column_stack([build * wide, deep])
    return tube(hips + share[:, None] * (neck - hips), radii, ROUND[level], lambda *_: COAT)


def shoulder_at(hips: np.ndarray, neck: np.ndarray, side: float) -> np.ndarray:
    """`side`: -1 the left one, 1 the right one, more where someone is broader."""
    return hips + 0.87 * (neck - hips) + np.array([side * 0.172, 0.0, 0.0])


def head(neck: np.ndarray, look: Look, level: int) -> Skin:
    """With the neck, its hair or its helmet."""
    skin = Coat(Material.PLAIN, look.skin)
    hair = Coat(Material.PLAIN, (60, 64, 70) if look.helmet else look.hair)
    rows = [(-0.02, 0.050, 0.050, 0.0), (0.07, 0.048, 0.052, 0.005), (0.09, 0.060, 0.078, 0.02),
            (0.15, 0.074, 0.094, 0.02), (0.20, 0.079, 0.101, 0.01), (0.25, 0.066, 0.084, 0.0),
            (0.285, 0.0, 0.0, 0.0)]  # fmt: skip
    if level:
        rows = [rows[k] for k in ((0, 1, 3, 4, 5, 6) if level == 1 else (0, 3, 4, 5, 6))]
    z, wide, deep, ahead = np.array(rows).T
    grown = 1.12 if look.helmet else 1.0
    radii = np.column_stack([wide, deep]) * np.where(z > 0.17, grown, 1.0)[:, None]
    path = neck + np.column_stack([0 * z, ahead, z])
    count = ROUND[level]

    def coat(row: int, column: int) -> Coat:
        back = math.sin((column + 0.5) * 2 * math.pi / count) > -0.2  # the tube turns to -y first
        top, low = 0.5 * (z[row] + z[row + 1]) > 0.21, z[row + 1] > 0.14
        return hair if top or (back and low and not look.helmet) else skin

    whole = tube(path, radii, count, coat)
    return joined([whole, _mane(neck, hair, level)]) if look.long else whole


def _mane(neck: np.ndarray, hair: Coat, level: int) -> Skin:
    """Long hair, down to the shoulders."""
    rows = [(-0.09, -0.07, 0.0, 0.0), (-0.085, -0.02, 0.080, 0.04), (-0.065, 0.12, 0.085, 0.055),
            (-0.05, 0.24, 0.055, 0.04)]  # fmt: skip
    y, z, wide, deep = np.array(rows).T
    radii = np.column_stack([wide, deep])
    return tube(neck + np.column_stack([0 * y, y, z]), radii, _LIMB[level], lambda *_: hair)


def _leg(side: int, bones: tuple[float, float], level: int) -> list[Skin]:
    """Leg and foot of someone whose hips are at the origin's height."""
    swing, bend = (math.radians(angle) for angle in bones)
    hip = np.array([side * 0.085, 0.0, _HIP])
    knee = hip + 0.43 * _hanging(swing)
    shin = swing - bend
    ankle = knee + 0.42 * _hanging(shin)
    pitch = 0.5 * shin if shin > 0 else 0.85 * shin
    return [leg(hip, knee, ankle, level), foot(ankle, pitch, level)]


def _hanging(swing: float) -> np.ndarray:
    """Direction of a bone that hangs down and swings ahead by radians."""
    return np.array([0.0, math.sin(swing), -math.cos(swing)])


def leg(hip: np.ndarray, knee: np.ndarray, ankle: np.ndarray, level: int) -> Skin:
    """A trouser leg."""
    thigh, calf = 0.5 * (hip + knee), 0.65 * knee + 0.35 * ankle
    cuff = ankle + 0.03 * (ankle - knee)
    rows = [(hip, 0.088, 0.095), (thigh, 0.078, 0.085), (knee, 0.060, 0.064),
            (calf, 0.057, 0.064), (cuff, 0.050, 0.058)]  # fmt: skip
    return _limb(rows, (0, 2, 4), level, lambda _: TROUSERS)


def foot(ankle: np.ndarray, pitch: float, level: int) -> Skin:
    """A shoe; `pitch`: radians, positive with the toes up."""
    rows = [(-0.075, 0.0, 0.035), (-0.07, 0.034, 0.035), (0.0, 0.041, 0.045), (0.10, 0.046, 0.034),
            (0.17, 0.036, 0.024), (0.19, 0.0, 0.020)]  # fmt: skip
    if level:
        rows = [rows[k] for k in (1, 2, 4)] if level == 1 else [rows[k] for k in (1, 4)]
    y, wide, deep = np.array(rows).T
    z = deep - 0.085
    c, s = math.cos(pitch), math.sin(pitch)
    path = ankle + np.column_stack([0 * y, c * y - s * z, s * y + c * z])
    radii = np.column_stack([wide, deep])
    return tube(path, radii, min(_LIMB[level], 6), lambda *_: SHOE)


def _arm(
    shoulder: np.ndarray, side: int, bones: tuple[float, float], look: Look, level: int
) -> Skin:
    swing, bend = (math.radians(angle) for angle in bones)
    out = np.array([side * 0.13, 0.0, 0.0])
    fore = swing + bend
    elbow = shoulder + 0.28 * (out + _hanging(swing))
    wrist = elbow + 0.25 * (0.4 * out + _hanging(fore))
    return arm(shoulder, elbow, wrist, look, level)


def arm(shoulder: np.ndarray, elbow: np.ndarray, wrist: np.ndarray, look: Look, level: int) -> Skin:
    """A sleeve and a hand."""
    hand = Coat(Material.PLAIN, look.skin)
    reach = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    top = shoulder + 0.11 * (shoulder - elbow) * (0.2, 1.0, 1.0)
    rows = [(top, 0.030, 0.040), (shoulder, 0.058, 0.062), (elbow, 0.047, 0.050),
            (wrist, 0.038, 0.042), (wrist + 0.08 * reach, 0.030, 0.042),
            (wrist + 0.15 * reach, 0.0, 0.0)]  # fmt: skip
    sleeve = 2 if level else 3  # its last row
    return _limb(rows, (1, 2, 3, 5), level, lambda row: COAT if row < sleeve else hand)


def _limb(
    rows: list[tuple[np.ndarray, float, float]],
    kept: tuple[int, ...],
    level: int,
    coat: Callable[[int], Coat],
) -> Skin:
    """A tube through joints, of which the coarser levels keep some."""
    if level:
        rows = [rows[k] for k in kept]
    path = np.array([row[0] for row in rows])
    radii = np.array([row[1:] for row in rows])
    return tube(path, radii, _LIMB[level], lambda row, _: coat(row))


def _bag(kind: str, hips: np.ndarray, neck: np.ndarray) -> Skin:
    """A rucksack, a shoulder bag or a shopping bag."""
    if kind == "back":
        return block((-0.14, -0.27, neck[2] - 0.44), (0.14, -0.09, neck[2] - 0.04), CANVAS)
    if kind == "shoulder":
        return mirrored(block((0.19, -0.15, hips[2] - 0.12), (0.27, 0.15, hips[2] + 0.12), LEATHER))
    return mirrored(block((0.19, -0.13, 0.44), (0.28, 0.17, 0.69), CANVAS))
