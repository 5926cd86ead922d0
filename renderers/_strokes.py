"""The built-in digits: pen strokes of our own, each copy with its own hand."""

import math

import cv2
import numpy as np

from datagen.rng import Stream, rng_for

SIZE = 28  # px
COPIES = 100  # per digit
_FINE = 6  # drawn this much larger, then averaged

Stroke = list[tuple[float, float]]

# Ways to write each digit: strokes of points in the unit box, x right, y down. Strokes of three
# and more points are smoothed; a repeated point makes a corner.
_WAYS: tuple[list[list[Stroke]], ...] = (
    [[[(0.5, 0), (0.12, 0.2), (0.06, 0.6), (0.3, 0.97), (0.7, 0.97), (0.94, 0.6), (0.86, 0.18),
       (0.5, 0)]]],
    [[[(0.5, 0), (0.5, 1)]],
     [[(0.22, 0.24), (0.55, 0)], [(0.55, 0), (0.52, 1)]],
     [[(0.24, 0.22), (0.52, 0)], [(0.52, 0), (0.52, 1)], [(0.2, 1), (0.84, 1)]]],
    [[[(0.1, 0.24), (0.32, 0.02), (0.72, 0.03), (0.88, 0.28), (0.6, 0.62), (0.1, 1)],
      [(0.1, 1), (0.95, 0.97)]],
     [[(0.1, 0.2), (0.45, 0), (0.85, 0.18), (0.72, 0.55), (0.3, 0.92), (0.1, 0.9), (0.25, 0.78),
       (0.6, 0.94), (0.98, 0.96)]]],
    [[[(0.12, 0.1), (0.5, 0), (0.86, 0.2), (0.72, 0.42), (0.38, 0.47)],
      [(0.38, 0.47), (0.78, 0.55), (0.9, 0.78), (0.52, 1), (0.08, 0.88)]],
     [[(0.1, 0.02), (0.85, 0.02)], [(0.85, 0.02), (0.42, 0.42)],
      [(0.42, 0.42), (0.82, 0.5), (0.88, 0.8), (0.5, 1), (0.08, 0.9)]]],
    [[[(0.2, 0), (0.1, 0.55)], [(0.1, 0.55), (0.95, 0.55)], [(0.72, 0.12), (0.68, 1)]],
     [[(0.66, 0), (0.06, 0.66)], [(0.06, 0.66), (0.96, 0.66)], [(0.66, 0), (0.66, 1)]]],
    [[[(0.85, 0.02), (0.22, 0.02)], [(0.22, 0.02), (0.16, 0.44)],
      [(0.16, 0.44), (0.58, 0.38), (0.9, 0.66), (0.6, 0.98), (0.1, 0.9)]]],
    [[[(0.72, 0.0), (0.36, 0.24), (0.12, 0.64), (0.32, 0.97), (0.72, 0.96), (0.88, 0.7),
       (0.6, 0.52), (0.16, 0.7)]]],
    [[[(0.08, 0.04), (0.9, 0.04)], [(0.9, 0.04), (0.58, 0.5), (0.42, 1)]],
     [[(0.08, 0.04), (0.9, 0.04)], [(0.9, 0.04), (0.4, 1)], [(0.32, 0.5), (0.82, 0.5)]]],
    [[[(0.5, 0.47), (0.2, 0.24), (0.5, 0), (0.8, 0.24), (0.5, 0.47), (0.12, 0.76), (0.5, 1),
       (0.88, 0.76), (0.5, 0.47)]]],
    [[[(0.84, 0.26), (0.6, 0.5), (0.24, 0.42), (0.2, 0.12), (0.56, 0), (0.84, 0.22),
       (0.8, 0.6), (0.62, 1)]],
     [[(0.8, 0.28), (0.5, 0.5), (0.16, 0.3), (0.48, 0), (0.8, 0.2)], [(0.8, 0.2), (0.78, 1)]]],
)  # fmt: skip


def digits() -> dict[str, list[np.ndarray]]:
    """Label -> COPIES pictures uint8 [28, 28], ink bright."""
    return {str(k): _copies(k) for k in range(10)}


def _copies(digit: int) -> list[np.ndarray]:
    rng = rng_for(0, digit, Stream.SPRITES)
    ways = _WAYS[digit]
    return [_written(ways[int(rng.integers(len(ways)))], rng) for _ in range(COPIES)]


def _written(strokes: list[Stroke], rng: np.random.Generator) -> np.ndarray:
    height = rng.uniform(18.5, 21.0)
    width = height * rng.uniform(0.58, 0.80)
    slant, turn = rng.normal(0.10, 0.12), rng.normal(0.0, 0.06)
    bend = {p: rng.normal(0, 0.028, 2) for stroke in strokes for p in stroke}  # joints stay joined
    lines = [_smooth(np.array([np.add(p, bend[p]) - 0.5 for p in stroke])) for stroke in strokes]
    c, s = math.cos(turn), math.sin(turn)
    hand = np.array([[width, 0.0], [-slant * height, height]]) @ np.array([[c, s], [-s, c]])
    lines = [line @ hand for line in lines]
    points = np.concatenate(lines)
    centre = (points.max(axis=0) + points.min(axis=0)) / 2
    pen = round(rng.uniform(2.0, 3.3) * _FINE)
    page = np.zeros((SIZE * _FINE, SIZE * _FINE), np.uint8)
    for line in lines:
        ink = (line - centre + SIZE / 2) * _FINE - 0.5
        cv2.polylines(page, [np.rint(ink * 16).astype(np.int32)], False, (255,), pen, shift=4)
    return cv2.resize(page, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def _smooth(points: np.ndarray) -> np.ndarray:
    """A Catmull-Rom curve through the points, float [n, 2] -> [8 (n - 1) + 1, 2]."""
    if len(points) == 2:
        return points
    closed = np.allclose(points[0], points[-1])
    before = points[-2] if closed else 2 * points[0] - points[1]
    after = points[1] if closed else 2 * points[-1] - points[-2]
    p = np.vstack([before, points, after])
    t = np.arange(8)[:, None] / 8
    pieces = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        bent = (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
        pieces.append(b + 0.5 * ((c - a) * t + bent))
    return np.vstack([*pieces, points[-1:]])
