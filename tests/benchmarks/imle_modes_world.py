"""A street of 48 px that looks four ways: layouts, their pictures, and who tells the ways apart.

A layout has one building's windows where its walls are, so that they could be learned exactly;
everything else of a picture is decided by its mode, a jitter of the palette and noise.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from datagen.rng import Stream, rng_for

SIDE = 48  # px
SKY, ROAD, BUILDING, CAR, GRASS = 1, 2, 3, 4, 5
CLASSES = 6  # with 0 for nothing, which these layouts do not have
MODES = ("day", "dusk", "overcast", "night")
LAW = np.array([0.5, 0.3, 0.15, 0.05])
JITTER = 0.02  # standard deviation of a class' colour
# Rows: sky, road, building, car, grass, windows.
PALETTES = {
    "day": "56a5ee 7b7b80 c79a77 d02a2a 4c9a3c 5a6b80",
    "dusk": "e8885a 4f4455 8a5a58 7c2238 5d5530 4a3440",
    "overcast": "b9bdc2 57595c 8d8a86 6f7d8c 66755a 55595e",
    "night": "0b1030 16161e 252234 3a2034 0e1f16 e8c860",
}
GRAIN = np.array([0, 0.015, 0.05, 0.03, 0.02, 0.06])  # standard deviation of noise, by class
_WORLD = 20  # seed of everything here
_HIT = 0.08  # of a class' colour, mean over the classes: half of what the two nearest modes differ


@dataclass(frozen=True)
class Place:
    """A layout, and where its windows are."""

    layout: np.ndarray  # uint8 [SIDE, SIDE]
    windows: np.ndarray  # bool [SIDE, SIDE]


def place(rng: np.random.Generator) -> Place:
    """Sky, grass, a road that narrows to the horizon, two or three buildings, up to three cars."""
    layout = np.full((SIDE, SIDE), SKY, np.uint8)
    windows = np.zeros((SIDE, SIDE), bool)
    horizon = int(rng.integers(24, 31))
    layout[horizon:] = GRASS
    middle, left = rng.uniform(16, 32), int(rng.integers(-2, 4))
    rows = np.arange(horizon, SIDE)
    half = 2 + (rows - horizon) * rng.uniform(0.55, 0.95)
    columns = np.arange(SIDE)
    layout[horizon:][np.abs(columns[None] - middle) < half[:, None]] = ROAD
    for _ in range(int(rng.integers(2, 4))):
        width, top = int(rng.integers(10, 17)), int(rng.integers(4, 17))
        x0, x1 = max(left, 0), min(left + width, SIDE)
        if x1 - x0 > 4:
            box = np.s_[top:horizon, x0:x1]
            layout[box] = BUILDING
            down, across = np.arange(horizon - top)[:, None], np.arange(x1 - x0)[None]
            windows[box] = (down % 5 >= 2) & (across % 5 >= 2) & (down < horizon - top - 1)
        left += width + int(rng.integers(1, 5))
    for _ in range(int(rng.integers(0, 4))):
        y = int(rng.integers(horizon + 2, SIDE - 6))
        size = 4 + (y - horizon) // 3
        x = int(np.clip(middle + rng.uniform(-0.7, 0.7) * (y - horizon) - size, 0, SIDE - 2 * size))
        layout[y : y + size, x : x + 2 * size] = CAR
        windows[y : y + size, x : x + 2 * size] = False
    return Place(layout, windows)


@cache
def palette(mode: int) -> np.ndarray:
    """float64 [7, 3]: by class, with windows after the last."""
    found = [
        [int(text[k : k + 2], 16) / 255 for k in (0, 2, 4)]
        for text in PALETTES[MODES[mode]].split()
    ]
    return np.array([[0, 0, 0], *found])


def clean(at: Place, mode: int) -> np.ndarray:
    """float64 [SIDE, SIDE, 3] without jitter and noise."""
    return palette(mode)[np.where(at.windows, CLASSES, at.layout)]


def picture(at: Place, mode: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 [SIDE, SIDE, 3]"""
    colours = palette(mode) + rng.normal(0, JITTER, (CLASSES + 1, 3))
    image = colours[np.where(at.windows, CLASSES, at.layout)]
    image = image + rng.normal(size=(SIDE, SIDE, 1)) * GRAIN[at.layout][..., None]
    return np.rint(255 * image.clip(0, 1)).astype(np.uint8)


@dataclass(frozen=True)
class World:
    """Pairs, one picture for each layout; `first` is the number of the first."""

    count: int
    first: int = 0
    classes: int = CLASSES
    size: tuple[int, int] = (SIDE, SIDE)

    def __len__(self) -> int:
        return self.count

    def place(self, k: int) -> Place:
        return place(rng_for(_WORLD, self.first + k, Stream.SCENE))

    def mode(self, k: int) -> int:
        return int(rng_for(_WORLD, self.first + k, Stream.PICTURES).choice(len(MODES), p=LAW))

    def class_map(self, k: int) -> np.ndarray:
        return self.place(k).layout

    def image(self, k: int) -> np.ndarray:
        rng = rng_for(_WORLD, self.first + k, Stream.RENDER)
        return picture(self.place(k), self.mode(k), rng)


def class_colours(image: np.ndarray, layout: np.ndarray) -> np.ndarray:
    """float64 [..., CLASSES, 3] of images [..., SIDE, SIDE, 3] in 0..1; nan: not there."""
    found = np.full((*image.shape[:-3], CLASSES, 3), np.nan)
    for k in np.unique(layout):
        found[..., k, :] = image[..., layout == k, :].mean(-2)
    return found


def judged(images: np.ndarray, at: Place) -> np.ndarray:
    """int [N] of images [N, SIDE, SIDE, 3] in 0..1: the mode that each shows, -1 for none."""
    colours = class_colours(images, at.layout)[:, None]
    references = class_colours(np.stack([clean(at, m) for m in range(len(MODES))]), at.layout)
    apart = np.nanmean(np.abs(colours - references[None]).mean(-1), -1)  # N, modes
    return np.where(apart.min(1) <= _HIT, apart.argmin(1), -1)


def window_contrast(images: np.ndarray, at: Place) -> np.ndarray:
    """[N]: correlation, without its sign, of brightness with the true windows, on buildings."""
    walls = at.layout == BUILDING
    if not walls.any() or not at.windows[walls].any():
        return np.full(len(images), np.nan)
    bright, true = images[:, walls].mean(-1), at.windows[walls].astype(float)
    bright, true = bright - bright.mean(1, keepdims=True), true - true.mean()
    norms = np.linalg.norm(bright, axis=1) * np.linalg.norm(true)
    return np.abs(bright @ true) / np.maximum(norms, 1e-9)
