"""Normal laws fitted by maximum likelihood: whole, cut to a range, and several in a mixture."""

import math

import numpy as np
from scipy.optimize import minimize

from datagen.distributions import Normal

_STEPS = 200  # of EM, at most
_SETTLED = 1e-5  # nats per value between two steps
_LOST = 1e-6  # share of the values, below which a component has none
# Where the sorted values are split into first components, as fractions; EM keeps the best start.
_STARTS = {2: ((0.5,), (0.2,), (0.8,)), 3: ((1 / 3, 2 / 3), (0.15, 0.5), (0.5, 0.85))}


def cut_normal(x: np.ndarray, low: float, high: float) -> Normal:
    """The normal that, cut to [low, high], makes the values (in [low, high]) most likely.

    Its mean may lie outside, but no farther than the range is long: values that fall off from one
    end would send it to infinity.
    """
    mean, std, span = float(x.mean()), float(x.std()), high - low

    def cost(parameters: np.ndarray) -> float:
        mu, sigma = float(parameters[0]), math.exp(min(float(parameters[1]), 50.0))
        if not (low - span <= mu <= high + span and sigma <= 3 * span):
            return math.inf
        law = Normal(mu, sigma)
        mass = law.cdf(high) - law.cdf(low)
        if mass < 1e-2:
            return math.inf
        squared = ((mean - mu) ** 2 + std**2) / sigma**2
        return 0.5 * squared + math.log(sigma) + math.log(mass)

    found = minimize(cost, np.array([mean, math.log(std)]), method="Nelder-Mead")
    return Normal(float(found.x[0]), math.exp(float(found.x[1])))


def mixture(x: np.ndarray, count: int, least: float) -> tuple[np.ndarray, list[Normal]]:
    """Shares and normals of the likeliest mixture that EM finds, at most `count` of them.

    None spreads less than `least`; those that lose their values on the way are left out.
    EM for Gaussian mixtures (Dempster, Laird and Rubin, 1977) from a few fixed starts.
    """
    runs = [_em(x, np.quantile(x, start), least) for start in _STARTS[count]]
    _, weights, mus, stds = max(runs, key=lambda run: run[0])
    order = [k for k in np.argsort(mus) if weights[k] > _LOST]
    return weights[order], [Normal(float(mus[k]), float(stds[k])) for k in order]


def _em(
    x: np.ndarray, splits: np.ndarray, least: float
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """(log-likelihood per value, weights, means, stds) from a first split of the values."""
    part = np.searchsorted(splits, x)
    shares = np.eye(len(splits) + 1)[part]  # n, K
    likelihood = -math.inf
    mus = stds = weights = np.zeros(len(splits) + 1)
    for _ in range(_STEPS):
        total = np.maximum(shares.sum(0), 1e-9)  # a component may lose all its values
        mus = shares.T @ x / total
        variance = (shares * (x[:, None] - mus) ** 2).sum(0) / total
        stds = np.sqrt(np.maximum(variance, least**2))
        weights = total / total.sum()
        logs = np.log(weights / stds) - 0.5 * ((x[:, None] - mus) / stds) ** 2  # n, K
        top = logs.max(1, keepdims=True)
        shares = np.exp(logs - top)
        sums = shares.sum(1, keepdims=True)
        shares /= sums
        before, likelihood = likelihood, float((top + np.log(sums)).mean())
        if likelihood - before < _SETTLED:
            break
    return likelihood, weights, mus, stds
