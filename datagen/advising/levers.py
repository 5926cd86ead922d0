"""What can be moved in a grammar: the weights of alternatives, and the means of counts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import root_scalar

from datagen.advising.wishes import MOST
from datagen.distributions import (
    Choice,
    Constant,
    Distribution,
    Mixture,
    Poisson,
    UniformInt,
    largest,
    mean_of,
    smallest,
)
from datagen.grammar import Grammar, Repeat
from datagen.learning.laws.rounding import shares

_WAY = 0.5  # of the way to the end of its support that a mean may go: counts stay varied
_DIGITS = 8  # of weights before they are rounded to shares


@dataclass(frozen=True)
class Lever:
    """One number that the re-weighting may choose in [low, high]; at 0 nothing changes.

    Of a rule (its index): the log of its weight, before the weights of its symbol are made to sum
    to 1 again. Of a repetition (its symbol): the log of how many times its mean count is as large.
    """

    of: int | str
    low: float
    high: float


def levers(grammar: Grammar, wanted: frozenset[str]) -> list[Lever]:
    """Every lever above or beside the wanted symbols; the others would change nothing."""
    matter = above(grammar, wanted)
    half = math.log(MOST) / 2  # then no probability changes by more than MOST, up or down
    found: list[Lever] = []
    for name, rules in grammar.rules_of.items():
        if name in grammar.repeats or name not in matter:
            continue
        alive = [rule for rule in rules if rule.weight > 0]
        if len(alive) > 1:
            found += [Lever(rule.index, -half, half) for rule in alive]
        for child in dict.fromkeys(child for rule in alive for child in rule.children):
            repeat = grammar.repeats.get(child)
            if repeat is not None and repeat.item in matter:
                found += _of_count(repeat)
    return found


def above(grammar: Grammar, wanted: frozenset[str]) -> set[str]:
    """The wanted symbols and all from which one of them can come."""
    found = set(wanted)
    while True:
        more = {
            rule.lhs
            for rule in grammar.rules
            if rule.weight > 0 and rule.lhs not in found and not found.isdisjoint(rule.children)
        }
        if not more:
            return found
        found |= more


def _of_count(repeat: Repeat) -> Iterator[Lever]:
    mean = mean_of(repeat.count)
    if mean <= 0:
        return
    end = largest(repeat.count)
    end = end if repeat.most is None else min(end, repeat.most)
    top = min(MOST * mean, max(mean, mean + _WAY * (end - mean)))
    bottom = max(mean / MOST, mean - _WAY * (mean - smallest(repeat.count)))
    low, high = math.log(bottom / mean), math.log(top / mean)
    if high - low > 1e-6:
        yield Lever(repeat.symbol, low, high)


def moved(grammar: Grammar, values: Mapping[int | str, float]) -> Grammar:
    """The grammar with its levers at these values."""
    rules, repeats = list(grammar.rules), dict(grammar.repeats)
    for alternatives in grammar.rules_of.values():
        if any(values.get(rule.index) for rule in alternatives):
            raised = [r.weight * math.exp(values.get(r.index, 0.0)) for r in alternatives]
            for rule, weight in zip(alternatives, _shares(raised), strict=True):
                rules[rule.index] = replace(rule, weight=weight)
    for symbol, repeat in grammar.repeats.items():
        if values.get(symbol):
            mean = mean_of(repeat.count) * math.exp(values[symbol])
            repeats[symbol] = replace(repeat, count=with_mean(repeat.count, mean))
    return replace(grammar, rules=tuple(rules), repeats=repeats, digest="")


def _shares(weights: Sequence[float]) -> list[float]:
    """Weights that sum to 1, with few digits unless one of them would vanish."""
    total = sum(weights)
    found = shares([round(w / total * 10**_DIGITS) for w in weights])
    lost = any(w > 0 and share == 0 for w, share in zip(weights, found, strict=True))
    return [w / total for w in weights] if lost else found


def with_mean(count: Distribution, mean: float) -> Distribution:
    """The law of the same support with this mean that is nearest to `count` (by its KL divergence).

    That is p(n) exp(t n), made to sum to 1. A mean at or beyond the end of the support is none.
    """
    assert smallest(count) < mean < largest(count), (count, mean)
    found = root_scalar(
        lambda t: mean_of(_tilted(count, t)[0]) - mean, bracket=(-40.0, 40.0), xtol=1e-10
    )
    return _readable(_tilted(count, float(found.root))[0])


def _tilted(law: Distribution, t: float) -> tuple[Distribution, float]:
    """The law times exp(t n), and the log of what it sums to before it is normalised."""
    match law:
        case Poisson(rate):
            return Poisson(rate * math.exp(t)), rate * math.expm1(t)
        case Mixture(components, weights):
            parts, logs = zip(*(_tilted(c, t) for c in components), strict=True)
            raised, log = _normalised(np.log(weights) - math.log(sum(weights)) + np.array(logs))
            return Mixture(parts, raised), log
        case _:
            values, chances = _finite(law)
            raised, log = _normalised(np.log(chances) + t * np.array(values))
            return (law if len(values) == 1 else Choice(values, raised)), log


def _normalised(logs: np.ndarray) -> tuple[tuple[float, ...], float]:
    top = float(logs.max())
    raised = np.exp(logs - top)
    total = float(raised.sum())
    # The least positive number stands for what underflows: the support stays as it is.
    return tuple(np.maximum(raised / total, 1e-12).tolist()), top + math.log(total)


def _finite(law: Distribution) -> tuple[tuple[int, ...], np.ndarray]:
    """Counts in rising order and their probabilities, of a law with finitely many."""
    match law:
        case Constant(value):
            pairs = {int(value): 1.0}
        case UniformInt(low, high):
            pairs = dict.fromkeys(range(int(low), int(high) + 1), 1.0)
        case Choice(values, weights):
            pairs = {int(v): w for v, w in zip(values, weights, strict=True) if w > 0}
        case _:
            raise AssertionError(f"{law} is no law of counts")
    counts = tuple(sorted(pairs))
    chances = np.array([pairs[n] for n in counts])
    return counts, chances / chances.sum()


def _readable(law: Distribution) -> Distribution:
    """With four digits, as a person would write it."""
    match law:
        case Poisson(rate):
            return Poisson(_short(rate))
        case Choice(values, weights):
            return Choice(values, tuple(map(_short, weights)))
        case Mixture(components, weights):
            return Mixture(tuple(map(_readable, components)), tuple(map(_short, weights)))
    return law


def _short(x: float) -> float:
    return float(f"{x:.4g}")
