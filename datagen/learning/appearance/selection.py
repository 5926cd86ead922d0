"""Candidates: fresh noise for a layout, and which of it makes the picture nearest to the photo."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from datagen.learning.appearance.distance import Distance
from datagen.models.imle import Generator, Noise, Sizes
from datagen.rng import Stream, rng_for

_ROWS = 48  # pictures made at once


def noise_from(rngs: Sequence[np.random.Generator], sizes: Sizes) -> Noise:
    """Standard normal noise, one picture's from each rng: first its style, then its grain."""
    shape = (sizes.grain, sizes.height, sizes.width)
    styles = np.zeros((len(rngs), sizes.style), np.float32)
    grains = np.zeros((len(rngs), *shape), np.float32)
    for k, rng in enumerate(rngs):
        rng.standard_normal(out=styles[k], dtype=np.float32)
        rng.standard_normal(out=grains[k], dtype=np.float32)
    return Noise(torch.from_numpy(styles), torch.from_numpy(grains))


def numbered(seed: int, numbers: Sequence[int] | np.ndarray, sizes: Sizes) -> Noise:
    """The noise of candidates by their numbers, whatever was drawn before."""
    return noise_from([rng_for(seed, int(n), Stream.CANDIDATE) for n in numbers], sizes)


def candidates(seed: int, numbers: np.ndarray, sizes: Sizes) -> Noise:
    """Noise of `numbers` [pairs, m], pair by pair: styles differ, the grain of a pair is one.

    Only a style is chosen. Of a few grains none fits a photo; one that was chosen all the same, and
    learned from several times, taught the generator to draw speckle in the place of texture.
    """
    m = numbers.shape[1]
    noise = numbered(seed, numbers.ravel(), sizes)
    return Noise(noise.style, noise.grain[::m].repeat_interleave(m, 0))


def candidate_distances(
    net: Generator,
    distance: Distance,
    layouts: Tensor,
    views: Sequence[Tensor],
    noise: Noise,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Distances [B, m] of m candidates for each of B layouts to its photo, and [B] between two.

    `noise` has B * m rows, those of the first layout first. The second result is the distance of
    the first two candidates of a layout: 0 where noise does not reach the pictures.
    """
    m = len(noise.style) // len(layouts)
    at_once = max(1, _ROWS // m)
    distances, spreads = [], []
    for start in range(0, len(layouts), at_once):
        some = slice(start, start + at_once)
        rows = slice(start * m, (start + at_once) * m)
        pictures = distance.views(net(layouts[some].repeat_interleave(m, 0), noise[rows]))
        photos = [view[some].repeat_interleave(m, 0) for view in views]
        weights = None if mask is None else mask[some].repeat_interleave(m, 0)
        distances.append(distance.between(pictures, photos, weights).view(-1, m))
        if m > 1:
            first, second = [p[::m] for p in pictures], [p[1::m] for p in pictures]
            spreads.append(distance.between(first, second))
    found = torch.cat(distances)
    return found, torch.cat(spreads) if spreads else found.new_zeros(len(found))
