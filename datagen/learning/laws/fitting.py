"""The law of the scene language that explains values best, among those that people can read."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from datagen.distributions import (
    Distribution,
    Mixture,
    Normal,
    Spread,
    Truncated,
    Uniform,
    parts,
)
from datagen.grammar import TURN, Attribute, Mutable
from datagen.learning.laws import circle
from datagen.learning.laws.normals import cut_normal, mixture
from datagen.learning.laws.pieces import piecewise
from datagen.learning.laws.rounding import places, rounded, shares
from datagen.learning.laws.values import Values

FEWEST = 20  # values; below, the prior stays
_USED = 4000  # values that mixtures are fitted to and laws are compared on
_PRICE = 0.005  # nats per value that each number of a law must be worth to its readers
_NARROWEST = 1e-4  # of the range: what spreads less is as good as constant
_OUTSIDE = 1e-3  # mass of a normal that may lie outside the range without being cut off


def fitted(found: Values, attribute: Attribute) -> Distribution:
    """The law of a mutable attribute after its values, within its range and in its unit.

    Candidates are the prior's law, uniforms, a normal, two or three normals, and histograms of
    few uniforms. The least cost wins: half the Bayesian information criterion (Schwarz, 1978) per
    value, plus a price for each number of the law, so that many values do not buy many digits.
    With fewer than 20 values the prior stays. A prior that spreads siblings evenly is kept as a
    whole or not at all: every other candidate is the law of one thing alone.
    """
    assert attribute.mutable is not None
    if len(found.value) < FEWEST:
        return attribute.distribution
    turn = circle.free_turn(attribute)
    line = replace(found, value=on_line(found.value, attribute))
    used = _thinned(line)
    fixed = [attribute.distribution, Uniform(attribute.mutable.low, attribute.mutable.high)]
    costs = [(_cost(law, used, turn, 0), law) for law in fixed]
    for law in _candidates(line.value, used.value, attribute.mutable, turn):
        costs.append((_cost(law, used, turn, _numbers(law)), law))
    return min(costs, key=lambda pair: pair[0])[1]


def on_line(x: np.ndarray, attribute: Attribute) -> np.ndarray:
    """float64 [V]: values within the attribute's range; of a free angle, about its middle.

    A free angle's circle is cut open where the fewest values are, so that no cluster is split.
    Other angles are turned into their range. What still lies outside it is moved to its end.
    """
    span = attribute.mutable
    assert span is not None
    if turn := circle.free_turn(attribute):
        x = circle.unrolled(x, turn)
        return x + circle.near(float(x.mean()), span.low, turn) - x.mean()
    if attribute.is_angle:
        turn = TURN[attribute.unit]
        middle = 0.5 * (span.low + span.high)
        x = middle + (x - middle + turn / 2) % turn - turn / 2
    return np.clip(x, span.low, span.high)


def _thinned(found: Values) -> Values:
    """At most 4000 of the values, taken evenly, but not in step with anything."""
    total = len(found.value)
    if total <= _USED:
        return found
    golden = (math.sqrt(5) - 1) / 2
    kept = np.sort((np.arange(_USED) * golden % 1.0 * total).astype(np.int64))
    return Values(found.value[kept], found.scene[kept], found.k[kept], found.n[kept])


def _cost(law: Distribution, used: Values, turn: float, estimated: int) -> float:
    """Nats per value, with `estimated` of the law's numbers taken from the values."""
    heights = density(law, used, turn)
    if not heights.all():
        return math.inf
    total = len(used.value)
    bic = estimated * math.log(total) / (2 * total) - float(np.log(heights).mean())
    return bic + _PRICE * _numbers(law)


def _numbers(law: Distribution) -> int:
    """Numbers that a reader of the law has to take in; a cut is the range's and known."""
    leaves = sum(isinstance(part, Normal | Uniform | Spread) for part in parts(law))
    weights = len(law.weights) if isinstance(law, Mixture) else 0
    return 2 * leaves + weights


# ------------------------------------------------------------------------------------- candidates


def _candidates(
    x: np.ndarray, used: np.ndarray, span: Mutable, turn: float
) -> Iterator[Distribution]:
    """Laws with parameters after the values x; those that take long are fitted to `used`."""
    least = _NARROWEST * (span.high - span.low)
    yield _one_normal(x, span, turn, least)
    if x.std() < least:
        return
    yield _uniform(float(x.min()), float(x.max()), span, turn, least)
    for count in (2, 3):
        weights, normals = mixture(used, count, least)
        laws = [_shown(normal, span, turn) for normal in normals]
        yield _mixed(laws, [round(1e6 * float(w)) for w in weights])
    for found in piecewise(x):
        laws = [_uniform(low, high, span, turn, least) for low, high, _ in found]
        yield _mixed(laws, [count for _, _, count in found])


def _one_normal(x: np.ndarray, span: Mutable, turn: float, least: float) -> Distribution:
    if turn:
        middle = circle.mean(x, span.low, turn)
        angles = (x - middle) * (2 * math.pi / turn)
        _, std = circle.moments(np.cos(angles).mean(), np.sin(angles).mean(), turn)
        return _shown(Normal(middle, max(float(std), least)), span, turn)
    normal = Normal(float(x.mean()), max(float(x.std()), least))
    if normal.std > least and _cut_off(normal, span):
        normal = cut_normal(x, span.low, span.high)
    return _shown(normal, span, turn)


def _cut_off(normal: Normal, span: Mutable) -> bool:
    return 1 - normal.cdf(span.high) + normal.cdf(span.low) > _OUTSIDE


def _shown(normal: Normal, span: Mutable, turn: float) -> Distribution:
    """The normal in few digits, cut to the range where it would pass it."""
    std = rounded(normal.std, normal.std)
    normal = Normal(rounded(normal.mu, std, digits=3), std)
    if turn or not _cut_off(normal, span):
        return normal
    return Truncated(normal, span.low, span.high)


def _uniform(low: float, high: float, span: Mutable, turn: float, least: float) -> Uniform:
    """The uniform in few digits, rounded outward but not past the range."""
    middle, width = 0.5 * (low + high), max(high - low, least)
    unit = 10.0 ** -places(width)
    # Within 1e-6 steps of a step, the value is on it but for rounding.
    low = math.floor((middle - width / 2) / unit + 1e-6) * unit
    high = math.ceil((middle + width / 2) / unit - 1e-6) * unit
    low, high = rounded(low, width), rounded(high, width)
    return Uniform(low, high) if turn else Uniform(max(low, span.low), min(high, span.high))


def _mixed(laws: Sequence[Distribution], counts: Sequence[int]) -> Distribution:
    kept = [(law, share) for law, share in zip(laws, shares(counts), strict=True) if share > 0]
    if len(kept) == 1:
        return kept[0][0]
    return Mixture(tuple(law for law, _ in kept), tuple(share for _, share in kept))


# ---------------------------------------------------------------------------------------- density


def density(law: Distribution, found: Values, turn: float = 0.0) -> np.ndarray:
    """float64 [V]: density of each value; with a turn, of angles within two turns of the law.

    Unlike `log_prob`, a value far out in a normal's tail has some density (1e-300).
    """
    if not turn:
        return _density(law, found)
    return sum(
        (_density(law, replace(found, value=found.value + k * turn)) for k in range(-2, 3)),
        start=np.zeros(len(found.value)),
    )


def _density(law: Distribution, found: Values) -> np.ndarray:
    x = found.value
    match law:
        case Normal(mu, std):
            heights = np.exp(-0.5 * ((x - mu) / std) ** 2) / (std * math.sqrt(2 * math.pi))
            return np.maximum(heights, 1e-300)
        case Truncated(base, low, high):
            mass = base.cdf(high) - base.cdf(low)
            return _density(base, found) / mass * _inside(x, low, high)
        case Spread(low, high, jitter):
            width = (high - low) / found.n
            margin = 0.5 * width * (1 - jitter)
            start = low + found.k * width
            return _inside(x, start + margin, start + width - margin) / (width * jitter)
        case Uniform(low, high):
            return _inside(x, low, high) / (high - low)
        case Mixture(components, weights):
            # Within a mixture, siblings are not spread but drawn each for itself.
            alone = replace(found, k=np.zeros_like(found.k), n=np.ones_like(found.n))
            terms = [w * _density(c, alone) for c, w in zip(components, weights, strict=True)]
            return np.sum(terms, axis=0) / sum(weights)
    raise TypeError(f"{law} has no density")


def _inside(x: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    """1 where a value lies in [low, high], up to rounding of units; else 0."""
    slack = 1e-9 * (1 + np.abs(x))
    return ((low - slack <= x) & (x <= high + slack)).astype(np.float64)
