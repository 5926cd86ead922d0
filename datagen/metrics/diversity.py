"""How differently one layout is drawn: the mean perceptual distance of pairs of its pictures.

The distance is the one that LPIPS starts from (Zhang et al., 2018), without the weights that it
learned from people's judgements. It is not LPIPS, and no figure of a paper can be set beside it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from datagen.errors import InputError
from datagen.metrics.pairs import random_pairs

# Pictures float [N, 3, H, W] in 0..1 -> maps float [N, C, h, w], one or several.
Trunk = Callable[[Tensor], Sequence[Tensor]]
PAIRS = 40  # of a layout, as in conditional IMLE, which took 100 layouts
_CHUNK = 16  # pictures at once


@dataclass(frozen=True)
class Diversity:
    """Mean distance of pairs, 0 for one picture again and again.

    More is not better: set the value of the true pictures beside it where it is known.
    """

    mean: float
    error: float  # standard error over the layouts
    layouts: int
    pairs: int  # of a layout


def diversity(
    outputs: Iterable[np.ndarray], trunk: Trunk, rng: np.random.Generator, pairs: int = PAIRS
) -> Diversity:
    """`outputs` holds for each layout the pictures that were drawn of it, uint8 [M, H, W, 3]."""
    means = np.array([_of_layout(images, trunk, rng, pairs) for images in outputs])
    if len(means) == 0:
        raise InputError("diversity: no layouts; give the pictures of one at least")
    error = float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else float("nan")
    return Diversity(float(means.mean()), error, len(means), pairs)


def perceptual_distances(a: np.ndarray, b: np.ndarray, trunk: Trunk) -> np.ndarray:
    """float64 [N]: of each pair of pictures uint8 [N, H, W, 3]."""
    return _between(_unit_maps(a, trunk), _unit_maps(b, trunk))


def _of_layout(images: np.ndarray, trunk: Trunk, rng: np.random.Generator, pairs: int) -> float:
    first, second = random_pairs(len(images), pairs, rng).T
    maps = _unit_maps(images, trunk)
    # Pair by pair: maps of all of them at once are many times those of the pictures.
    found = [
        _between([m[i : i + 1] for m in maps], [m[j : j + 1] for m in maps])
        for i, j in zip(first, second, strict=True)
    ]
    return float(np.mean(found))


def _unit_maps(images: np.ndarray, trunk: Trunk) -> list[Tensor]:
    """Maps whose channels have length 1 at every place (0 where none answers)."""
    chunks = [images[k : k + _CHUNK] for k in range(0, len(images), _CHUNK)]
    with torch.inference_mode():
        parts = [trunk(torch.tensor(chunk).permute(0, 3, 1, 2) / 255) for chunk in chunks]
        layers = zip(*parts, strict=True)
        return [normalize(torch.cat(layer).float(), dim=1, eps=1e-10) for layer in layers]


def _between(a: list[Tensor], b: list[Tensor]) -> np.ndarray:
    """float64 [N]: squared distances, meant over the places of a map, then over the maps."""
    layers = [(x - y).square().sum(1).mean((1, 2)) for x, y in zip(a, b, strict=True)]
    return torch.stack(layers).mean(0).double().numpy()
