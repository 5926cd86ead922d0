"""Measures of the kinds of cars; metres, the middle of the car at y = 0, its front ahead."""

from dataclasses import dataclass

import numpy as np

Knots = tuple[tuple[float, float], ...]  # (y, z) from the rear to the front
Span = tuple[float, float]


@dataclass(frozen=True)
class Cabin:
    """What stands on the body: glass, pillars and roof."""

    foot: Span  # rear and front end at the belt
    roof: Span
    line: Knots  # height of the roof's edge
    half: Span  # half width at the foot and at the roof
    glazed: float  # the side has windows ahead of this
    pillars: tuple[Span, ...]  # of the side, from the front
    sill: float = 0.06  # share of the height where the windows begin
    head: float = 0.85
    crown: float = 0.045
    round_front: Span = (0.32, 0.16)  # how far the corners go back, at the foot and the roof
    round_rear: Span = (0.20, 0.12)


@dataclass(frozen=True)
class Car:
    length: float
    width: float
    wheel: float  # radius
    axles: Span  # rear and front
    belt: Knots  # height of the body's upper edge
    low: float  # of the body above the ground
    nose: tuple[float, ...]  # how far each row of the body stays behind the front, from below
    tail: tuple[float, ...]
    seams: tuple[float, ...]  # y of the doors' edges
    bends: tuple[float, ...]  # y where the belt bends: columns of a coarse body
    cabin: Cabin
    shoulder: float = 0.93  # width at the belt
    corners: Span = (0.40, 0.26)  # how far the body's corners go back, at its front and rear
    cladding: int = 1  # rows of the body from below that are plastic
    rise: tuple[float, ...] = (0.0, 0.08, 0.23, 0.38)  # of the lower rows above the lowest


def height_at(knots: Knots, y: np.ndarray | float) -> np.ndarray:
    return np.asarray(np.interp(y, [knot[0] for knot in knots], [knot[1] for knot in knots]))


CARS: dict[str, Car] = {
    "hatchback": Car(
        4.10, 1.75, 0.31, (-1.24, 1.26),
        ((-2.05, 0.97), (-0.6, 0.95), (0.95, 0.92), (1.5, 0.82), (1.9, 0.69), (2.05, 0.66)),
        0.19, (0.06, 0.02, 0.0, 0.015, 0.06, 0.15), (0.07, 0.03, 0.0, 0.02, 0.07, 0.12),
        (0.80, -0.28), (1.45, 0.85),
        Cabin((-1.88, 1.06), (-1.50, 0.22),
              ((-1.50, 1.36), (-0.9, 1.42), (-0.2, 1.44), (0.22, 1.40)), (0.77, 0.565),
              -1.32, ((-0.22, -0.34), (-1.06, -1.12))),
    ),
    "saloon": Car(
        4.60, 1.78, 0.315, (-1.34, 1.38),
        ((-2.30, 0.96), (-1.7, 0.985), (-0.6, 0.94), (0.95, 0.91), (1.6, 0.82), (2.1, 0.70),
         (2.30, 0.66)),
        0.19, (0.06, 0.02, 0.0, 0.015, 0.07, 0.17), (0.07, 0.02, 0.0, 0.02, 0.05, 0.09),
        (0.86, -0.20), (1.60, 0.90, -1.60),
        Cabin((-1.72, 1.12), (-1.02, 0.25),
              ((-1.02, 1.36), (-0.6, 1.40), (-0.1, 1.41), (0.25, 1.375)), (0.78, 0.56),
              -1.22, ((-0.14, -0.26), (-0.96, -1.01))),
    ),
    "estate": Car(
        4.70, 1.78, 0.315, (-1.34, 1.40),
        ((-2.35, 0.97), (-0.6, 0.94), (0.95, 0.91), (1.6, 0.82), (2.1, 0.70), (2.35, 0.66)),
        0.19, (0.06, 0.02, 0.0, 0.015, 0.07, 0.17), (0.07, 0.03, 0.0, 0.02, 0.05, 0.08),
        (0.86, -0.20), (1.60, 0.90),
        Cabin((-2.24, 1.12), (-1.84, 0.25),
              ((-1.84, 1.37), (-1.0, 1.415), (-0.2, 1.42), (0.25, 1.38)), (0.78, 0.58),
              -1.98, ((-0.14, -0.26), (-1.04, -1.14))),
    ),
    "offroad": Car(
        4.40, 1.82, 0.365, (-1.28, 1.32),
        ((-2.20, 1.10), (-0.6, 1.09), (1.0, 1.07), (1.6, 1.02), (2.0, 0.93), (2.20, 0.90)),
        0.28, (0.05, 0.02, 0.0, 0.01, 0.03, 0.10), (0.06, 0.02, 0.0, 0.01, 0.04, 0.06),
        (0.80, -0.24), (1.60, 0.90),
        Cabin((-2.12, 1.06), (-1.94, 0.42),
              ((-1.94, 1.62), (-1.0, 1.66), (-0.1, 1.67), (0.42, 1.62)), (0.80, 0.655),
              -1.96, ((-0.16, -0.28), (-1.10, -1.24))),
        corners=(0.30, 0.20), cladding=2,
    ),
    "van": Car(
        4.90, 1.92, 0.335, (-1.42, 1.62),
        ((-2.45, 1.10), (0.6, 1.10), (1.5, 1.08), (1.9, 1.00), (2.25, 0.86), (2.45, 0.80)),
        0.22, (0.05, 0.02, 0.0, 0.015, 0.06, 0.15), (0.05, 0.02, 0.0, 0.0, 0.0, 0.01),
        (1.16, 0.14), (1.85, 1.40),
        Cabin((-2.435, 1.86), (-2.38, 0.98),
              ((-2.38, 1.84), (-1.0, 1.88), (0.4, 1.89), (0.98, 1.84)), (0.885, 0.77),
              0.16, ((0.20, 0.16),), crown=0.06, head=0.80, round_rear=(0.12, 0.12)),
        shoulder=0.965, corners=(0.36, 0.12),
    ),
}  # fmt: skip
