"""Distances between two sets of rows, one number each; float64 throughout."""

import numpy as np
import torch
from torch import Tensor

from datagen.learning.kde import squared_distances

# Kernel variances as multiples of the median squared distance between target rows. The narrow ones
# see the shape of a histogram, the wide one sees means; together they miss little.
SCALES = (0.02, 0.1, 0.5, 2.5)
BLOCK = 1000  # rows; memory grows with its square


def energy_distance(a: np.ndarray, b: np.ndarray) -> float:
    """2 E|X-Y| - E|X-X'| - E|Y-Y'| of rows [N, D], unbiased (Szekely and Rizzo, 2013).

    Zero in expectation for two samples of one law, so a reading may be slightly negative.
    """
    return _unbiased(*(-d2.sqrt() for d2 in _all_pairs(*_rows(a, b))))


def mmd2(a: np.ndarray, b: np.ndarray, scales: tuple[float, ...] = SCALES) -> float:
    """Squared maximum mean discrepancy of rows [N, D], unbiased (Gretton et al., 2012).

    The kernel is the mean of Gaussians whose variances are `scales` times the median squared
    distance between the rows of `b`, the target.
    """
    x, y = _rows(a, b)
    unit = typical_squared_distance(squared_distances(y, y))
    return _unbiased(*(gaussians(d2, unit, scales) for d2 in _all_pairs(x, y)))


def kernel_distance(a: np.ndarray, b: np.ndarray, block: int = BLOCK) -> float:
    """Squared MMD with the kernel (x'y / D + 1)^3, unbiased: KID's (Binkowski et al., 2018).

    The mean over blocks of at most `block` rows, which takes nothing from its being unbiased. It
    is KID for the features of Inception only. It compares the first three moments and no more.
    """
    x, y = _rows(a, b)
    count = -(-max(len(x), len(y)) // block)
    count = min(count, len(x) // 2, len(y) // 2)  # at least two rows in each
    parts = zip(x.tensor_split(count), y.tensor_split(count), strict=True)
    readings = [_unbiased(*(cubic(p @ q.T, p.shape[1]) for p, q in _pairs(*xy))) for xy in parts]
    return float(np.mean(readings))


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|m - n|^2 + tr(S + T - 2 (S T)^(1/2)) of Gaussians fitted to rows [N, D].

    Dowson and Landau (1982); FID (Heusel et al., 2017) for the features of Inception only. It is
    biased upwards by an amount that grows with D / N, so readings are comparable only at equal N;
    with fewer rows than columns the bias is most of the value. What is not Gaussian it sees only
    by its mean and covariance.
    """
    x, y = _rows(a, b)
    return frechet(x, y)


def wasserstein(a: np.ndarray, b: np.ndarray) -> float:
    """Earth mover's distance between two sets of numbers [N], [M], in their unit."""
    grid = np.unique(np.concatenate([a, b]).astype(float))
    below = [np.searchsorted(np.sort(v.astype(float)), grid, "right") / len(v) for v in (a, b)]
    return float(np.abs(below[0] - below[1])[:-1] @ np.diff(grid))


def total_variation(a: np.ndarray, b: np.ndarray) -> float:
    """Half the L1 distance of two histograms; each is normalised, the shorter is padded with 0."""
    size = max(len(a), len(b))
    p = np.pad(a.astype(float), (0, size - len(a)))
    q = np.pad(b.astype(float), (0, size - len(b)))
    return float(0.5 * np.abs(p / p.sum() - q / q.sum()).sum())


# --------------------------------------------------------------------------------------- kernels


def gaussians(d2: Tensor, unit: float, scales: tuple[float, ...]) -> Tensor:
    """Mean of exp(-d2 / (2 scale unit)) over the scales."""
    total = torch.zeros_like(d2)
    for scale in scales:
        total += torch.exp(d2 * (-0.5 / (scale * unit)))
    return total.div_(len(scales))


def cubic(products: Tensor, columns: int) -> Tensor:
    """KID's kernel of inner products."""
    return (products / columns + 1) ** 3


def typical_squared_distance(d2: Tensor) -> float:
    """Median over pairs of different rows of a set; over those apart where most rows are equal."""
    rows, columns = torch.triu_indices(len(d2), len(d2), 1)
    apart = d2[rows, columns]
    if float(apart.median()) <= 0:
        apart = apart[apart > 0]
    return float(apart.median()) if len(apart) else 1.0


# --------------------------------------------------------------------------------------- Gaussians


def frechet(x: Tensor, y: Tensor) -> float:
    """`frechet_distance` of float64 rows [M, D] and [N, D]."""
    x0, y0 = x - x.mean(0), y - y.mean(0)
    shift = (x.mean(0) - y.mean(0)).square().sum()
    spread = x0.square().sum() / (len(x) - 1) + y0.square().sum() / (len(y) - 1)
    return max(0.0, float(shift + spread - 2 * _root_trace(x0, y0)))


def _root_trace(x0: Tensor, y0: Tensor) -> Tensor:
    """tr (S T)^(1/2) of the covariances of centred rows: the sum of its root's eigenvalues.

    S T has the eigenvalues of the symmetric R T R, R = S^(1/2), which no rounding makes complex;
    those below 0 are rounding. With fewer rows than columns the same numbers are the singular
    values of x0 y0', a smaller matrix: nothing has to be added to singular covariances.
    """
    m, n = len(x0) - 1, len(y0) - 1
    if min(m, n) < x0.shape[1]:
        across = x0 @ y0.T / (m * n) ** 0.5
        product = across @ across.T if m <= n else across.T @ across
    else:
        values, vectors = torch.linalg.eigh(x0.T @ x0 / m)
        half = y0 @ (vectors * values.clamp_min(0).sqrt())
        product = half.T @ half / n
    return torch.linalg.eigvalsh(product).clamp_min(0).sqrt().sum()


# --------------------------------------------------------------------------------------- pairs


def _rows(a: np.ndarray, b: np.ndarray) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(a).double(), torch.from_numpy(b).double()


def _pairs(x: Tensor, y: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    return (x, x), (y, y), (x, y)


def _all_pairs(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    return tuple(squared_distances(p, q) for p, q in _pairs(x, y))


def _unbiased(xx: Tensor, yy: Tensor, xy: Tensor) -> float:
    """E k(X, X') + E k(Y, Y') - 2 E k(X, Y); a row is never paired with itself."""
    return float(_off_diagonal(xx) + _off_diagonal(yy) - 2 * xy.mean())


def _off_diagonal(k: Tensor) -> Tensor:
    n = len(k)
    return (k.sum() - k.trace()) / (n * (n - 1))
