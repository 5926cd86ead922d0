"""Sliced Wasserstein distance of image patches (Rabin et al., 2011; Karras et al., 2018)."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from datagen.errors import InputError

PATCH = 7  # pixels a side
LEAST = 16  # pixels: no level has a shorter side
# Grey levels. What varies less is flat: it is divided by this and not blown up, for a class that is
# missing, or a patch inside a flat shape, would else be 0/0 or rounding errors at full size.
FLAT = 0.01
_BLOCK = 1 << 24  # numbers projected at once


@dataclass(frozen=True)
class Slicing:
    """How much is looked at. Readings of different slicings cannot be compared."""

    patches: int = 32  # of an image and level, at random places
    directions: int = 128  # of a level


KARRAS = Slicing(128, 4 * 128)  # of 8192 images (Karras et al., 2018)
TF_GAN = Slicing(64, 147)  # TF-GAN's and ashpy's, which SemGAN is measured with


@dataclass(frozen=True)
class SwdLevel:
    """The distance at one level of the pyramid, times 1000, under both normalisations."""

    side: int  # px, the level's shorter one
    whole_set: float
    per_patch: float


def swd(
    a: np.ndarray, b: np.ndarray, rng: np.random.Generator, slicing: Slicing | None = None
) -> tuple[SwdLevel, ...]:
    """Sliced Wasserstein distances of images uint8 [N, H, W, 3], from the finest level down.

    Levels are those of a Laplacian pyramid: what is lost at half the resolution, and at the last
    the small image itself. `whole_set`: each set's patches are normalised channel by channel over
    all of them, so a set's mean colour and contrast are not seen. `per_patch`: each patch by its
    own mean and deviation, so noise that no eye sees counts as much as an edge.

    Equal sets in equal order are at 0, for places and directions are the same for both. Two samples
    of one law are above 0 by a floor that falls with N: set it beside every value.
    """
    _check(a, b)
    slicing = slicing or Slicing()
    count = slicing.patches
    return tuple(_distances(x, y, rng, count, slicing.directions) for x, y in _levels(a, b))


def _check(a: np.ndarray, b: np.ndarray) -> None:
    for images in (a, b):
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise InputError(
                f"swd: images are {images.dtype} {list(images.shape)}; give uint8 [N, H, W, 3]"
            )
    if a.shape != b.shape or len(a) == 0:
        raise InputError(
            f"swd: sets of {list(a.shape)} and {list(b.shape)}; give as many images of one size "
            "on either side, for the distance falls with their number"
        )
    if min(a.shape[1:3]) < LEAST:
        raise InputError(f"swd: images of {a.shape[2]} x {a.shape[1]} px; it needs {LEAST} a side")


def _levels(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return zip(laplacian_pyramid(a), laplacian_pyramid(b), strict=True)


def laplacian_pyramid(images: np.ndarray) -> Iterator[np.ndarray]:
    """float32 [N, h, w, 3] for each level, in grey levels (Burt and Adelson, 1983)."""
    fine = images.astype(np.float32)
    while min(fine.shape[1:3]) >= 2 * LEAST:
        shape = fine.shape[2], fine.shape[1]
        coarse = np.stack([cv2.pyrDown(image) for image in fine])
        yield fine - np.stack([cv2.pyrUp(image, dstsize=shape) for image in coarse])
        fine = coarse
    yield fine


def _distances(
    a: np.ndarray, b: np.ndarray, rng: np.random.Generator, patches: int, directions: int
) -> SwdLevel:
    """Of one level, float32 [N, h, w, 3]."""
    count, height, width = a.shape[:3]
    rows = rng.integers(height - PATCH + 1, size=(count, patches))
    columns = rng.integers(width - PATCH + 1, size=(count, patches))
    slices = rng.normal(size=(directions, 3 * PATCH * PATCH))
    slices = (slices / np.linalg.norm(slices, axis=1, keepdims=True)).astype(np.float32)
    x, y = (_patches(level, rows, columns) for level in (a, b))
    whole_set = sliced_wasserstein(by_set(x), by_set(y), slices)
    per_patch = sliced_wasserstein(by_patch(x), by_patch(y), slices)
    return SwdLevel(min(height, width), 1000 * whole_set, 1000 * per_patch)


def _patches(level: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """float32 [N * patches, 3, 7, 7], whose upper left corners are at `rows`, `columns`."""
    windows = np.lib.stride_tricks.sliding_window_view(level, (PATCH, PATCH), (1, 2))
    numbers = np.arange(len(level))[:, None]
    return windows[numbers, rows, columns].reshape(-1, 3, PATCH, PATCH)


def by_set(patches: np.ndarray) -> np.ndarray:
    """Each channel less its mean over all patches, by its deviation over all of them."""
    return _normalised(patches, (0, 2, 3))


def by_patch(patches: np.ndarray) -> np.ndarray:
    """Each patch less its own mean, by its own deviation, of all channels together."""
    return _normalised(patches, (1, 2, 3))


def _normalised(patches: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    # Millions of numbers: float32 sums of them would err in the fourth digit.
    mean = patches.mean(axes, dtype=np.float64, keepdims=True)
    centred = patches - mean.astype(np.float32)
    deviation = np.sqrt(np.square(centred).mean(axes, dtype=np.float64, keepdims=True))
    return centred / np.maximum(deviation, FLAT).astype(np.float32)


def sliced_wasserstein(a: np.ndarray, b: np.ndarray, slices: np.ndarray) -> float:
    """Mean over unit vectors `slices` [S, D] of the earth mover's distance of rows [N, ...]."""
    x, y = (rows.reshape(len(rows), -1).T for rows in (a, b))
    step = max(1, _BLOCK // len(a))
    total = 0.0
    for k in range(0, len(slices), step):
        ordered = [np.sort(slices[k : k + step] @ rows, axis=1) for rows in (x, y)]
        total += float(np.abs(ordered[0] - ordered[1]).mean(1, dtype=np.float64).sum())
    return total / len(slices)
