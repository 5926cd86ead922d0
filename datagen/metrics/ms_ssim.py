"""How alike the pictures of one set are: MS-SSIM of random pairs (Odena et al., 2017)."""

from dataclasses import dataclass

import numpy as np
import torch
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from datagen.errors import InputError
from datagen.metrics.pairs import random_pairs

# Of the scales from the finest (Wang, Simoncelli and Bovik, 2003).
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11  # pixels a side, at every scale
_CHUNK = 64  # pairs at once


@dataclass(frozen=True)
class Likeness:
    """Mean MS-SSIM of pairs: 1 where all pictures are equal; low where they are diverse, or noise.

    Set the value of real pictures beside it: below that is no better than above.
    """

    mean: float
    error: float  # standard error, as if no two pairs shared a picture
    pairs: int
    scales: int  # readings of other numbers of scales cannot be compared


def likeness(images: np.ndarray, rng: np.random.Generator, pairs: int = 1000) -> Likeness:
    """Of random pairs of images uint8 [N, H, W, 3]."""
    chosen = random_pairs(len(images), pairs, rng)
    values = ms_ssim(images[chosen[:, 0]], images[chosen[:, 1]])
    error = float(values.std(ddof=1) / np.sqrt(pairs)) if pairs > 1 else float("nan")
    return Likeness(float(values.mean()), error, pairs, scales_for(*images.shape[1:3]))


def ms_ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """float64 [N]: of each pair of images uint8 [N, H, W, 3], on as many scales as they hold."""
    if a.dtype != np.uint8 or a.ndim != 4 or (a.shape, a.dtype) != (b.shape, b.dtype):
        raise InputError(
            f"ms_ssim: images are {a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)}; "
            "give uint8 [N, H, W, 3] on either side"
        )
    used = WEIGHTS[: scales_for(*a.shape[1:3])]
    betas = tuple(weight / sum(used) for weight in used)
    return np.concatenate([_values(*pairs, betas) for pairs in _chunks(a, b)])


def scales_for(height: int, width: int) -> int:
    """How many of the five scales fit: 5 from 176 px a side, 4 from 99, 3 from 44, 2 from 22.

    The window must fit at the coarsest; torchmetrics asks for more at the fourth.
    """
    side = min(height, width)
    fitting = [
        scales
        for scales in range(1, len(WEIGHTS) + 1)
        if min(side >> (scales - 1), side // max(1, scales - 1) ** 2) >= WINDOW
    ]
    if not fitting:
        raise InputError(f"ms_ssim: pictures of {width} x {height} px; it needs {WINDOW} px a side")
    return fitting[-1]


def _chunks(a: np.ndarray, b: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(a[k : k + _CHUNK], b[k : k + _CHUNK]) for k in range(0, len(a), _CHUNK)]


def _values(a: np.ndarray, b: np.ndarray, betas: tuple[float, ...]) -> np.ndarray:
    x, y = (torch.tensor(side).permute(0, 3, 1, 2) / 255 for side in (a, b))
    # "relu": a negative likeness has no real power; it counts as none.
    found = multiscale_structural_similarity_index_measure(
        x, y, kernel_size=WINDOW, data_range=1.0, betas=betas, normalize="relu", reduction="none"
    )
    return found.double().numpy()
