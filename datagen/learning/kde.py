"""Kernel density estimates of features, as Meta-Sim2's per-scene score (section 3.3)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """[M, D], [L, D] -> [M, L]."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()


def median_squared_distance(x: Tensor) -> float:
    """Median over pairs of different rows; the scale that bandwidths are multiples of."""
    rows, columns = torch.triu_indices(len(x), len(x), 1)
    return max(float(squared_distances(x, x)[rows, columns].median()), 1e-6)


def log_density(
    d2: Tensor, variance: float, log_weights: Tensor | None = None, *, leave_one_out: bool
) -> Tensor:
    """log of the mean kernel for squared distances d2 [M, L] -> [M], up to the kernel's constant.

    The constant is the same for q and p and cancels in their ratio. `log_weights` [L] weigh the
    samples. With `leave_one_out`, row j of d2 is measured to itself in column j, and that kernel is
    left out: its value 1 would punish scenes that are rare and right.
    """
    weights = torch.zeros(d2.shape[1]) if log_weights is None else log_weights
    total = weights.exp().sum()
    exponent = weights - d2 / (2 * variance)
    if leave_one_out:
        exponent = exponent.masked_fill(torch.eye(len(d2), dtype=torch.bool), -math.inf)
        total = total - weights.exp()
    return exponent.logsumexp(1) - torch.log(total)


def log_ratio(
    generated: Tensor,
    real: Tensor,
    variances: Sequence[float],
    clip: float,
    log_weights: Tensor | None = None,
) -> Tensor:
    """log q - log p at each generated feature, mean over bandwidths: [M, D], [L, D] -> [M].

    Each bandwidth's ratio is clipped to +-clip nats: far from all data it says only "far".
    `log_weights` [M] are of the generated samples.
    """
    within, across = squared_distances(generated, generated), squared_distances(generated, real)
    total = torch.zeros(len(generated))
    for variance in variances:
        q = log_density(within, variance, log_weights, leave_one_out=True)
        p = log_density(across, variance, leave_one_out=False)
        total += (q - p).clamp(-clip, clip)
    return total / len(variances)


def kernel_spread(generated: Tensor, real: Tensor, variance: float) -> float:
    """Standard deviation of the kernel values between the two sets.

    Near 0 every kernel has the same value, the score is linear in the features, and only their
    means are matched.
    """
    return float(torch.exp(-squared_distances(generated, real) / (2 * variance)).std())
