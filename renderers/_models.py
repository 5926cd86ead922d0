"""Pictures of cars, trees and roads from above, drawn once at a high resolution."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from ._colours import RGB, shade
from ._textures import GRAINS, grain, grain_rng

_FINE = 4  # drawn this much larger, then averaged

CAR = (96, 48)  # texels of a car's length and width

_GLASS: RGB = (38, 50, 66)
_HEADLIGHT: RGB = (255, 250, 214)
_TAILLIGHT: RGB = (196, 24, 30)

Side = Sequence[tuple[float, float]]

# Outlines in texels from the car's centre, front at +x; one side, mirrored to the other.
_BODY: Side = [(-46, 18), (-43, 22), (-30, 23), (24, 23), (38, 21), (45, 15), (48, 6)]
_CABIN: Side = [(-33, 17), (-27, 20), (10, 20), (20, 16)]
_WINDSCREEN: Side = [(9, 16.5), (20, 15)]
_REAR_WINDOW: Side = [(-32, 15), (-25, 16.5)]
_ROOF: Side = [(-24, 15.5), (8, 15.5)]


def car_picture(colour: RGB) -> np.ndarray:
    """Ink and coverage uint8 [48, 96, 4], premultiplied."""
    columns, rows = CAR
    middle = np.array([columns / 2, rows / 2])
    ink = np.zeros((rows * _FINE, columns * _FINE, 4), np.uint8)

    def fill(points: Side, rgb: RGB) -> None:
        corners = (np.array(points) + middle) * _FINE - 0.5
        cv2.fillPoly(ink, [np.rint(corners * 256).astype(np.int32)], (*rgb, 255), cv2.LINE_8, 8)

    fill(_mirrored(_BODY), colour)
    fill(_mirrored([(24, 19), (44, 13)]), shade(colour, 1.10))  # bonnet
    fill(_mirrored(_CABIN), _GLASS)
    fill(_mirrored(_WINDSCREEN), shade(_GLASS, 1.5))
    fill(_mirrored(_REAR_WINDOW), shade(_GLASS, 1.3))
    fill(_mirrored(_ROOF), shade(colour, 0.92))
    fill(_mirrored([(-20, 11), (4, 11)]), shade(colour, 1.06))
    for side in (-1, 1):
        fill([(40, 11 * side), (46, 8 * side), (43, 18 * side), (38, 19 * side)], _HEADLIGHT)
        fill([(-46, 9 * side), (-42, 9 * side), (-42, 19 * side), (-46, 18 * side)], _TAILLIGHT)
    return cv2.resize(ink, CAR, interpolation=cv2.INTER_AREA)


def _mirrored(side: Side) -> Side:
    return [*side, *((x, -y) for x, y in reversed(side))]


TREES = 24  # kinds of canopy
_CANOPY = 64  # texels


def tree_picture(kind: int, colour: RGB) -> np.ndarray:
    """Ink and coverage uint8 [64, 64, 4], premultiplied: leaf clumps, lit from the upper left."""
    rng = grain_rng(100 + kind)
    size, middle = _CANOPY * _FINE, _CANOPY * _FINE / 2
    outline = _blob(rng, 0.88 * middle) + middle
    cover = np.zeros((size, size), np.uint8)
    cv2.fillPoly(cover, [np.rint(outline).astype(np.int32)], (255,))
    leaves = np.full((size, size, 3), shade(colour, 0.66), np.uint8)
    for radius, light in ((0.34, 0.80), (0.26, 0.96), (0.18, 1.12), (0.10, 1.28)):
        for _ in range(9):
            # Brighter clumps crowd towards the light.
            angle, far = rng.uniform(0, 2 * math.pi), middle * 0.62 * math.sqrt(rng.random())
            lean = middle * 0.28 * (light - 0.8)
            at = middle + far * np.array([math.cos(angle), math.sin(angle)]) - lean
            clump = _blob(rng, radius * middle) + at
            tone = shade(colour, light * rng.uniform(0.94, 1.06))
            cv2.fillPoly(leaves, [np.rint(clump).astype(np.int32)], tone)
    ink = cv2.multiply(leaves, cv2.cvtColor(cover, cv2.COLOR_GRAY2RGB), scale=1 / 255)
    whole = np.dstack([ink, cover])
    return cv2.resize(whole, (_CANOPY, _CANOPY), interpolation=cv2.INTER_AREA)


def _blob(rng: np.random.Generator, radius: float) -> np.ndarray:
    """A wavy circle around the origin, float [48, 2], nowhere farther than 1.12 `radius`."""
    angle = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    wave = np.zeros(48)
    for k, swing in ((2, 0.05), (3, 0.04), (5, 0.03)):
        wave += rng.uniform(0.2, 1) * swing * np.cos(k * angle + rng.uniform(0, 2 * math.pi))
    return (radius * (1 + wave))[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


_ROAD_FINE = 2
_KERB: RGB = (168, 166, 160)
_PAINT: RGB = (226, 226, 218)


def road_picture(width: int, height: int, lanes: int) -> np.ndarray:
    """uint8 [2 (height + 4), 2 (width + 4), 3]: the road with 2 px more on every side."""
    columns, rows = (width + 4) * _ROAD_FINE, (height + 4) * _ROAD_FINE
    asphalt = grain(GRAINS["asphalt"], rows, columns, grain_rng(50))
    kerb, line = _ROAD_FINE, max(1, round(height / 14))
    edge = 2 * _ROAD_FINE
    for start, stop in ((0, edge + kerb), (rows - edge - kerb, rows)):
        asphalt[start:stop] = _KERB
    lane = (height - 2) / lanes * _ROAD_FINE
    dash = max(4, round(lane * 0.8))
    for k in range(1, lanes):
        row = round(edge + kerb + k * lane - line / 2)
        for column in range(dash // 2, columns, round(dash * 2.2)):
            asphalt[row : row + line, column : column + dash] = _PAINT
    return asphalt
