"""A small algebra of prior distributions: each can be sampled, asked for its support, and scored.

`log_prob` is a natural logarithm: of a density for continuous distributions, of a probability for
discrete ones; it is -inf exactly where `contains` is false. Values are floats, ints or strings in
the unit that the grammar writes.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

import numpy as np

Value = float | int | str

_ATOL = 1e-9  # a value that went through a unit and back may be off by rounding


@runtime_checkable
class Distribution(Protocol):
    """What a grammar may put behind an attribute or a repetition."""

    def sample(self, rng: np.random.Generator) -> Value: ...
    def contains(self, x: Value) -> bool: ...
    def log_prob(self, x: Value) -> float: ...


def _close(a: Value, b: Value) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=_ATOL)


def _is_whole(x: Value) -> bool:
    return not isinstance(x, str) and math.isfinite(x) and abs(x - round(x)) <= _ATOL


@dataclass(frozen=True)
class Constant:
    """Always `value`."""

    value: Value

    def sample(self, rng: np.random.Generator) -> Value:
        return self.value

    def contains(self, x: Value) -> bool:
        return _close(x, self.value)

    def log_prob(self, x: Value) -> float:
        return 0.0 if self.contains(x) else -math.inf

    def mean(self) -> float:
        return float(self.value)


@dataclass(frozen=True)
class Uniform:
    """Density 1 / (high - low) on [low, high]."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _require(math.isfinite(self.low) and math.isfinite(self.high), "bounds must be finite")
        _require(self.low < self.high, f"low {self.low:g} must be below high {self.high:g}")

    def sample(self, rng: np.random.Generator) -> float:
        return self.low + (self.high - self.low) * rng.random()

    def contains(self, x: Value) -> bool:
        return not isinstance(x, str) and self.low - _ATOL <= x <= self.high + _ATOL

    def log_prob(self, x: Value) -> float:
        return -math.log(self.high - self.low) if self.contains(x) else -math.inf

    def mean(self) -> float:
        return 0.5 * (self.low + self.high)


@dataclass(frozen=True)
class Spread:
    """Evenly spread siblings: the k-th of n lies uniformly in the k-th of n equal strata.

    `jitter` is the share of its stratum, about the middle, that a sibling may lie in: 1 is all of
    it, and a small one makes an even row. On its own (one sibling) it is one stratum; `at` gives
    the law of one sibling.
    """

    low: float
    high: float
    jitter: float = 1.0

    def __post_init__(self) -> None:
        Uniform(self.low, self.high)
        _require(1e-6 <= self.jitter <= 1, f"the jitter {self.jitter:g} must be in [0.000001, 1]")

    def at(self, k: int, n: int) -> Uniform:
        width = (self.high - self.low) / n
        margin = 0.5 * width * (1 - self.jitter)
        return Uniform(self.low + k * width + margin, self.low + (k + 1) * width - margin)

    def sample(self, rng: np.random.Generator) -> float:
        return self.at(0, 1).sample(rng)

    def contains(self, x: Value) -> bool:
        return self.at(0, 1).contains(x)

    def log_prob(self, x: Value) -> float:
        return self.at(0, 1).log_prob(x)

    def mean(self) -> float:
        return 0.5 * (self.low + self.high)


@dataclass(frozen=True)
class Normal:
    """Gaussian with standard deviation `std`."""

    mu: float
    std: float

    def __post_init__(self) -> None:
        _require(math.isfinite(self.mu), "the mean must be finite")
        _require(0 < self.std < math.inf, f"the standard deviation {self.std:g} must be positive")

    def sample(self, rng: np.random.Generator) -> float:
        return self.mu + self.std * rng.standard_normal()

    def contains(self, x: Value) -> bool:
        return not isinstance(x, str) and math.isfinite(x)

    def log_prob(self, x: Value) -> float:
        if isinstance(x, str) or not math.isfinite(x):
            return -math.inf
        z = (x - self.mu) / self.std
        squared = min(z * z, 1e300)  # it may overflow, and -inf would say that x is impossible
        return -0.5 * squared - math.log(self.std * math.sqrt(2 * math.pi))

    def cdf(self, x: float) -> float:
        return 0.5 * math.erfc((self.mu - x) / (self.std * math.sqrt(2)))

    def mean(self) -> float:
        return self.mu


@dataclass(frozen=True)
class Truncated:
    """A Normal restricted to [low, high] and renormalised."""

    base: Normal
    low: float
    high: float

    def __post_init__(self) -> None:
        Uniform(self.low, self.high)
        # Below this mass, rejection would spin; the author surely meant other bounds.
        _require(
            self._mass() > 1e-3, f"[{self.low:g}, {self.high:g}] holds almost none of the normal"
        )

    def _mass(self) -> float:
        return self.base.cdf(self.high) - self.base.cdf(self.low)

    def sample(self, rng: np.random.Generator) -> float:
        while True:
            x = self.base.sample(rng)
            if self.low <= x <= self.high:
                return x

    def contains(self, x: Value) -> bool:
        return not isinstance(x, str) and self.low - _ATOL <= x <= self.high + _ATOL

    def log_prob(self, x: Value) -> float:
        return self.base.log_prob(x) - math.log(self._mass()) if self.contains(x) else -math.inf

    def mean(self) -> float:
        density = [math.exp(self.base.log_prob(b)) for b in (self.low, self.high)]
        return self.base.mu + self.base.std**2 * (density[0] - density[1]) / self._mass()


@dataclass(frozen=True)
class Choice:
    """One of `values`, with relative `weights`."""

    values: tuple[Value, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        _require(len(self.values) > 0, "needs at least one value")
        _require(len(self.values) == len(self.weights), "needs one weight for each value")
        _require(
            all(math.isfinite(w) and w >= 0 for w in self.weights) and sum(self.weights) > 0,
            "weights must be finite, not negative, and not all zero",
        )
        _require(len(set(self.values)) == len(self.values), "names a value twice")

    def sample(self, rng: np.random.Generator) -> Value:
        return self.values[_pick(self.weights, rng)]

    def contains(self, x: Value) -> bool:
        return any(w > 0 and _close(x, v) for v, w in zip(self.values, self.weights, strict=True))

    def log_prob(self, x: Value) -> float:
        for value, weight in zip(self.values, self.weights, strict=True):
            if weight > 0 and _close(x, value):
                return math.log(weight / sum(self.weights))
        return -math.inf

    def mean(self) -> float:
        pairs = zip(self.values, self.weights, strict=True)
        return sum(float(v) * w for v, w in pairs) / sum(self.weights)


@dataclass(frozen=True)
class UniformInt:
    """Each whole number from `low` to `high`, both included, equally likely."""

    low: int
    high: int

    def __post_init__(self) -> None:
        _require(_is_whole(self.low) and _is_whole(self.high), "bounds must be whole numbers")
        _require(self.low <= self.high, f"low {self.low} must not be above high {self.high}")

    def sample(self, rng: np.random.Generator) -> int:
        return int(rng.integers(self.low, self.high + 1))

    def contains(self, x: Value) -> bool:
        return _is_whole(x) and self.low <= round(float(x)) <= self.high

    def log_prob(self, x: Value) -> float:
        return -math.log(self.high - self.low + 1) if self.contains(x) else -math.inf

    def mean(self) -> float:
        return 0.5 * (self.low + self.high)


@dataclass(frozen=True)
class Poisson:
    """Counts with mean `rate`."""

    rate: float

    def __post_init__(self) -> None:
        _require(0 < self.rate < math.inf, f"the rate {self.rate:g} must be positive")

    def sample(self, rng: np.random.Generator) -> int:
        return int(rng.poisson(self.rate))

    def contains(self, x: Value) -> bool:
        return _is_whole(x) and float(x) >= -_ATOL

    def log_prob(self, x: Value) -> float:
        if not self.contains(x):
            return -math.inf
        n = round(float(x))
        return n * math.log(self.rate) - self.rate - math.lgamma(n + 1)

    def mean(self) -> float:
        return self.rate


@dataclass(frozen=True)
class Mixture:
    """A component is drawn by its relative weight, then a value from the component."""

    components: tuple[Distribution, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        _require(len(self.components) > 0, "needs at least one component")
        _require(len(self.components) == len(self.weights), "needs one weight for each component")
        _require(
            all(math.isfinite(w) and w > 0 for w in self.weights),
            "weights must be finite and positive",
        )

    def sample(self, rng: np.random.Generator) -> Value:
        return self.components[_pick(self.weights, rng)].sample(rng)

    def contains(self, x: Value) -> bool:
        return any(c.contains(x) for c in self.components)

    def log_prob(self, x: Value) -> float:
        total = sum(self.weights)
        terms = [
            math.log(w / total) + c.log_prob(x)
            for c, w in zip(self.components, self.weights, strict=True)
        ]
        top = max(terms)
        if top == -math.inf:
            return -math.inf
        return top + math.log(sum(math.exp(t - top) for t in terms))

    def mean(self) -> float:
        pairs = zip(self.components, self.weights, strict=True)
        return sum(mean_of(c) * w for c, w in pairs) / sum(self.weights)


# The names that the scene language knows, with the class behind each.
BY_NAME: dict[str, type] = {
    "uniform": Uniform,
    "spread": Spread,
    "normal": Normal,
    "uniform_int": UniformInt,
    "poisson": Poisson,
}


def mean_of(distribution: Distribution) -> float:
    """Expected value; every distribution over numbers has one."""
    return distribution.mean()  # type: ignore[attr-defined]


def is_count(distribution: Distribution) -> bool:
    """True when every sample is a whole number from 0 up: what a repetition needs."""
    match distribution:
        case Constant(value):
            return _is_whole(value) and float(value) >= 0
        case UniformInt(low, _):
            return low >= 0
        case Poisson():
            return True
        case Choice(values, _):
            return all(_is_whole(v) and float(v) >= 0 for v in values)
        case Mixture(components, _):
            return all(is_count(c) for c in components)
        case _:
            return False


def largest(distribution: Distribution) -> float:
    """Upper end of the support; inf when there is none."""
    match distribution:
        case Constant(value):
            return float(value)
        case Uniform(_, high) | Spread(_, high) | UniformInt(_, high) | Truncated(_, _, high):
            return float(high)
        case Choice(values, weights):
            return max(float(v) for v, w in zip(values, weights, strict=True) if w > 0)
        case Mixture(components, _):
            return max(largest(c) for c in components)
        case _:
            return math.inf


def smallest(distribution: Distribution) -> float:
    """Lower end of the support; -inf when there is none."""
    match distribution:
        case Constant(value):
            return float(value)
        case Uniform(low, _) | Spread(low, _) | UniformInt(low, _) | Truncated(_, low, _):
            return float(low)
        case Poisson():
            return 0.0
        case Choice(values, weights):
            return min(float(v) for v, w in zip(values, weights, strict=True) if w > 0)
        case Mixture(components, _):
            return min(smallest(c) for c in components)
        case _:
            return -math.inf


def is_continuous(distribution: Distribution) -> bool:
    """True when the law has a density: no value of it has a probability of its own."""
    match distribution:
        case Uniform() | Spread() | Normal() | Truncated():
            return True
        case Mixture(components, _):
            return all(is_continuous(c) for c in components)
        case _:
            return False


def parts(distribution: Distribution) -> Iterator[Distribution]:
    """The distribution and everything inside it."""
    yield distribution
    for field in fields(distribution):  # type: ignore[arg-type]
        value = getattr(distribution, field.name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, Distribution):
                yield from parts(inner)


def _pick(weights: tuple[float, ...], rng: np.random.Generator) -> int:
    left = rng.random() * sum(weights)
    for k, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return k
    return max(k for k, weight in enumerate(weights) if weight > 0)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
