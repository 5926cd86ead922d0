"""Which photos show a class in a rare colour, so that they can be looked at more often."""

from dataclasses import dataclass

import numpy as np
from numpy.linalg import LinAlgError
from scipy.stats import gaussian_kde

from datagen.learning.appearance.pairs import Cache

_LEAST = 20  # px: a class with fewer tells no colour
_FEWEST = 16  # photos: of fewer, a density says nothing


@dataclass(frozen=True)
class Survey:
    """One look at all pairs."""

    colours: np.ndarray  # float64 [N, K, 3]: mean colour of a class in 0..1; nan where it is not
    pixels: np.ndarray  # int64 [K], over all pairs

    def largest(self, n: int) -> list[int]:
        """The `n` classes with the most pixels; 0 is none of them, as long as there are others."""
        order = [int(k) for k in np.argsort(-self.pixels, kind="stable") if self.pixels[k]]
        return ([k for k in order if k] or order)[:n]


def survey(pairs: Cache, classes: int) -> Survey:
    """Mean colours of the classes of each pair."""
    colours = np.full((len(pairs), classes, 3), np.nan)
    pixels = np.zeros(classes, np.int64)
    for k in range(len(pairs)):
        layout, photo = pairs.pair(k)
        flat = layout.ravel()
        counts = np.bincount(flat, minlength=classes)
        pixels += counts
        shown = counts >= _LEAST
        for channel in range(3):
            sums = np.bincount(flat, photo[..., channel].ravel() / 255, minlength=classes)
            colours[k, shown, channel] = sums[shown] / counts[shown]
    return Survey(colours, pixels)


def rarities(colours: np.ndarray, clip: float) -> np.ndarray:
    """float64 [N, K]: 1 / density of a class' colour, the median photo's being 1, at most `clip`.

    0 where the class is not shown. A class that few photos show is as rare as can be.
    """
    found = np.zeros(colours.shape[:2])
    for k in range(colours.shape[1]):
        rows = np.flatnonzero(~np.isnan(colours[:, k, 0]))
        if rows.size:
            found[rows, k] = _rarity(colours[rows, k], clip)
    return found


def _rarity(colours: np.ndarray, clip: float) -> np.ndarray:
    if len(colours) < _FEWEST:
        return np.full(len(colours), clip)
    try:
        scattered = 1 / np.maximum(gaussian_kde(colours.T)(colours.T), 1e-300)
    except LinAlgError:  # one colour for all, or colours on a plane: grey photos
        return np.ones(len(colours))
    return np.minimum(scattered / np.median(scattered), clip)


def balanced(
    rarity: np.ndarray, classes: list[int], count: int, rng: np.random.Generator
) -> np.ndarray:
    """int64 [count]: pairs, each class in turn choosing among those that show it by its rarity."""
    usable = [k for k in classes if rarity[:, k].any()]
    if not usable:
        return rng.integers(0, len(rarity), count)
    shares = [count // len(usable) + (i < count % len(usable)) for i in range(len(usable))]
    drawn = [
        rng.choice(len(rarity), share, p=rarity[:, k] / rarity[:, k].sum())
        for k, share in zip(usable, shares, strict=True)
    ]
    return rng.permutation(np.concatenate(drawn))


def masks(layouts: np.ndarray, rarity: np.ndarray) -> np.ndarray:
    """float32 [B, H, W]: each pixel's rarity over the largest in its picture, of rows [B, K]."""
    mask = np.stack([row[layout] for layout, row in zip(layouts, rarity, strict=True)])
    top = mask.max((1, 2), keepdims=True)
    return np.where(top > 0, mask / np.where(top > 0, top, 1), 1).astype(np.float32)
