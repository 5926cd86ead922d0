"""Pictures of trees from the side: bare ones, leafy ones, conifers and shrubs."""

import math
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from ._textures import Picture, grain_rng

KINDS = ("bare", "leafy", "conifer", "shrub")
VARIANTS = 8  # of each kind
_HEIGHT, _WIDTH = 240, 200  # texels
_FINE = 3  # drawn this much larger, then averaged
ASPECT = _WIDTH / _HEIGHT


@cache
def tree(kind: str, variant: int) -> Picture:
    """Light of wood, light of leaves, nothing, and coverage: see _billboards."""
    rng = grain_rng(3000 + 100 * KINDS.index(kind) + variant)
    canvas = np.zeros((_HEIGHT * _FINE, _WIDTH * _FINE, 4), np.uint8)
    _GROWN[kind](canvas, rng)
    small = cv2.resize(canvas, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    small[:2], small[:, :2], small[:, -2:] = 0, 0, 0
    return Picture(small)


def _bare(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Branches that fork, and fork again, until they are twigs."""
    h, w = canvas.shape[:2]
    thick = 0.026 * h * rng.uniform(0.8, 1.2)
    limbs = [_Limb(w / 2, h - 1.0, -math.pi / 2 + rng.normal(0, 0.03), 0.26 * h, thick, 0)]
    grown: list[_Limb] = []
    while limbs:
        limb = limbs.pop()
        grown.append(limb)
        if limb.depth == _DEEPEST:
            continue
        forks = 3 if limb.depth in (0, 1, 3, 5) else 2
        for k in range(forks):
            spread = (k - (forks - 1) / 2) * rng.uniform(0.35, 0.7) + rng.normal(0, 0.15)
            aim = limb.angle + spread - 0.16 * math.cos(limb.angle)  # up again
            limbs.append(limb.fork(aim, rng.uniform(0.66, 0.84), 0.6))
    reach = max(max(abs(limb.end[0] - w / 2) for limb in grown) / (0.48 * w),
                (h - min(limb.end[1] for limb in grown)) / (0.97 * h))  # fmt: skip
    for limb in sorted(grown, key=lambda limb: -limb.depth):
        shade = round((112 + 16 * min(limb.depth, 4)) * rng.uniform(0.85, 1.1))
        ends = [
            (round((w / 2 + (x - w / 2) / reach) * 16), round((h - (h - y) / reach) * 16))
            for x, y in ((limb.x, limb.y), limb.end)
        ]
        width = max(1, round(limb.thick / reach))
        cv2.line(canvas, ends[0], ends[1], (shade, 0, 0, 255), width, cv2.LINE_8, 4)


_DEEPEST = 8  # forks from the trunk to the last twig


@dataclass(frozen=True)
class _Limb:
    """A straight piece of wood from (x, y); fine texels, and radians from x towards y."""

    x: float
    y: float
    angle: float
    length: float
    thick: float
    depth: int

    @property
    def end(self) -> tuple[float, float]:
        along = self.length * math.cos(self.angle), self.length * math.sin(self.angle)
        return self.x + along[0], self.y + along[1]

    def fork(self, angle: float, shorter: float, thinner: float) -> "_Limb":
        long, thick = self.length * shorter, self.thick * thinner
        return _Limb(*self.end, angle, long, thick, self.depth + 1)


def _leafy(canvas: np.ndarray, rng: np.random.Generator) -> None:
    h, w = canvas.shape[:2]
    _trunk(canvas, 0.03 * h, 0.45 * h)
    for _ in range(7):
        x, y = w * rng.uniform(0.34, 0.66), h * rng.uniform(0.22, 0.52)
        _leaves(canvas, rng, (x, y), (0.20 * w, 0.16 * h), 90)


def _shrub(canvas: np.ndarray, rng: np.random.Generator) -> None:
    h, w = canvas.shape[:2]
    for _ in range(8):
        x, y = w * rng.uniform(0.25, 0.75), h * rng.uniform(0.55, 0.86)
        _leaves(canvas, rng, (x, y), (0.18 * w, 0.14 * h), 90)


def _conifer(canvas: np.ndarray, rng: np.random.Generator) -> None:
    h, w = canvas.shape[:2]
    _trunk(canvas, 0.03 * h, 0.2 * h)
    wide = rng.uniform(0.20, 0.30)
    for k in range(700):
        t = math.sqrt((k + rng.random()) / 700)  # 0 at the tip
        reach = wide * w * t * (0.85 + 0.3 * rng.random())
        x, y = w / 2 + rng.uniform(-1, 1) * reach, 0.03 * h + 0.90 * h * t
        shade = round(min(max(170 - 100 * (x - w / 2) / w - 70 * rng.random(), 40), 255))
        axes = (round(0.020 * w * (0.5 + t)), round(0.012 * h * (0.5 + t)))
        turn = 25 if x > w / 2 else -25
        cv2.ellipse(canvas, (round(x), round(y)), axes, turn, 0, 360, (0, shade, 0, 255), -1)


def _trunk(canvas: np.ndarray, thick: float, tall: float) -> None:
    h, w = canvas.shape[:2]
    left, right = round(w / 2 - thick / 2), round(w / 2 + thick / 2)
    canvas[round(h - tall) :, left:right] = (110, 0, 0, 255)


def _leaves(
    canvas: np.ndarray,
    rng: np.random.Generator,
    centre: tuple[float, float],
    radii: tuple[float, float],
    count: int,
) -> None:
    """A cloud of small leaves that is lit from the upper left, ragged at its edge."""
    angle, far = rng.uniform(0, 2 * math.pi, count), rng.random(count) ** 0.6
    dx, dy = far * np.cos(angle), far * np.sin(angle)
    places = np.rint(np.stack([dx, dy], axis=1) * radii + centre).astype(int).tolist()
    light = 115 - 45 * dx - 70 * dy + 25 * rng.standard_normal(count)
    shades = light.clip(35, 250).round().astype(int).tolist()
    for k in np.argsort(light).tolist():
        size = round(0.14 * radii[0] * rng.uniform(0.7, 1.8))
        cv2.circle(canvas, places[k], size, (0, shades[k], 0, 255), -1)


_GROWN = {"bare": _bare, "leafy": _leafy, "conifer": _conifer, "shrub": _shrub}
