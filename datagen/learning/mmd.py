"""Maximum mean discrepancy with a sum of Gaussian kernels, and its witness function.

Gretton et al., "A Kernel Two-Sample Test", JMLR 2012: equation (3) and section 2.3.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def squared(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances of rows: [M, D], [L, D] -> [M, L].

    By a matrix product, because feature maps have many thousand columns; centred, because the
    product cancels badly far from the origin.
    """
    centre = b.mean(0)
    x, y = a - centre, b - centre
    return (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T).clamp_min(0)


def kernel(d2: Tensor, variances: Sequence[float]) -> Tensor:
    """Mean over variances of the Gaussian kernel of squared distances."""
    return torch.stack([(-d2 / (2 * v)).exp() for v in variances]).mean(0)


def median_variances(d2: Tensor, multiples: Sequence[float]) -> list[float]:
    """Kernel variances as multiples of the median squared distance."""
    median = max(float(d2.median()), 1e-12)
    return [m * median for m in multiples]


def witness(
    to_generated: Tensor, to_real: Tensor, own: Tensor, variances: Sequence[float]
) -> Tensor:
    """How much denser the generated samples are than the real ones at P points: [P].

    From squared distances [P, M] to the generated and [P, L] to the real samples; `own`,
    bool [P, M], is true where a point is a version of a sample, which is then left out. The
    derivative of the unbiased MMD^2 by sample i of M is 2 / M times the witness's at that sample.
    """
    near = kernel(to_generated, variances).masked_fill(own, 0).sum(1)
    return near / (~own).sum(1) - kernel(to_real, variances).mean(1)


def contributions(within: Tensor, across: Tensor, variances: Sequence[float]) -> Tensor:
    """What each generated sample adds to the unbiased MMD^2: [M], from [M, M] and [M, L].

    Their mean is MMD^2 without the term of the real samples among themselves.
    """
    k = kernel(within, variances)
    return (k.sum(1) - k.diagonal()) / (len(k) - 1) - 2 * kernel(across, variances).mean(1)


def mmd2(within: Tensor, across: Tensor, real: Tensor, variances: Sequence[float]) -> float:
    """Unbiased MMD^2 of squared distances [M, M], [M, L] and [L, L]; noise may push it below 0."""
    among_real = mean_of_pairs(kernel(real, variances))
    return float(contributions(within, across, variances).mean()) + among_real


def mean_of_pairs(k: Tensor) -> float:
    """Mean over pairs of different rows of a kernel matrix [N, N]."""
    n = len(k)
    return float((k.sum() - k.diagonal().sum()) / (n * (n - 1)))
