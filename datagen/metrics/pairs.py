"""Random pairs among equals."""

import numpy as np

from datagen.errors import InputError


def random_pairs(count: int, pairs: int, rng: np.random.Generator) -> np.ndarray:
    """int64 [pairs, 2]: numbers below `count`, the two of a pair never the same."""
    if count < 2:
        raise InputError(f"pairs need at least 2 pictures, found {count}")
    first = rng.integers(count, size=pairs)
    return np.stack([first, (first + rng.integers(1, count, pairs)) % count], 1)
