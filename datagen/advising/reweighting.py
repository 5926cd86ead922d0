"""The smallest change of weights and counts whose scenes come closest to what is wished."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from datagen.advising.amounts import SYMBOL, Amounts, Key, amounts
from datagen.advising.levers import levers, moved
from datagen.derivation import outgrown, parse_tree, sample_prior
from datagen.grammar import Grammar
from datagen.language import expected_counts, growth
from datagen.rng import Stream, rng_for

_EFFORT = 0.02  # cost of moving a lever, beside missing a wish by as much (both as squared logs)
_BESIDE = 0.5  # weight of a wish by rule, beside 1 for a symbol's
_NOTHING = 0.03  # a lever moved by less is left alone: 3 % is not worth a line in the diff
_HALVINGS = 6
_TOO_OFTEN = 0.05  # of scenes may come to outgrow the caps
DRAWS = 1000  # scenes that are counted where caps cut some off


@dataclass(frozen=True)
class Proposal:
    """A grammar and the one proposed instead, with nodes of each symbol in a scene of each."""

    before: Grammar
    after: Grammar
    made: Mapping[str, float]
    made_after: Mapping[str, float]
    exact: bool  # else both are means over sampled scenes
    held_back: float  # share of the change that the grammar's caps let through, 1: all


def reweighted(grammar: Grammar, factors: Mapping[Key, float]) -> Proposal:
    """`factors`: how many times as many there should be; symbols that are not named stay."""
    wanted = {key: math.log(factor) for key, factor in factors.items()}
    # One symbol's share of the wish counts in full. Cuts by rule overlap, and those that are found
    # well ask for nothing: what is missed within them may still grow.
    wanted = {key: log for key, log in wanted.items() if key.factor == SYMBOL or log > 0}
    numbers = amounts(grammar)  # down to max_depth: what would lie deeper is in no scene
    for name, symbol in grammar.symbols.items():
        if symbol.category is not None and numbers[Key(SYMBOL, name)] > 0:
            wanted.setdefault(Key(SYMBOL, name), 0.0)
    values = _solved(grammar, wanted) if any(wanted.values()) else {}
    after, share = _within_caps(grammar, values)
    exact = not outgrown(grammar) and not outgrown(after)
    made, made_after = (counted(one, exact=exact) for one in (grammar, after))
    return Proposal(grammar, after, made, made_after, exact, share)


def counted(grammar: Grammar, *, exact: bool) -> dict[str, float]:
    """Symbol -> nodes of it in a scene on average, by calculation or from sampled scenes."""
    if exact:
        return expected_counts(grammar)
    found = dict.fromkeys(grammar.symbols, 0.0)
    for k in range(DRAWS):
        derivation = sample_prior(grammar, rng_for(0, k, Stream.SCENE))
        for node in parse_tree(grammar, derivation):
            found[node.symbol] += 1 / DRAWS
    return found


def _solved(grammar: Grammar, wanted: Mapping[Key, float]) -> dict[int | str, float]:
    """Lever -> its value, by least squares; only those that moved."""
    things = {name for name, symbol in grammar.symbols.items() if symbol.category is not None}
    named = {key.label for key in wanted if key.factor == SYMBOL}
    free = levers(grammar, frozenset(things | named))
    if not free:
        return {}
    law = Amounts(grammar, {lever.of: k for k, lever in enumerate(free)})
    keys = [*wanted]
    weights = np.array([1.0 if key.factor == SYMBOL else _BESIDE for key in keys])
    targets, before = np.array([*wanted.values()]), law.of(keys)

    def residuals(values: np.ndarray) -> np.ndarray:
        reached = np.log(law.of(keys, values) / before)
        return np.concatenate([weights * (reached - targets), math.sqrt(_EFFORT) * values])

    bounds = ([one.low for one in free], [one.high for one in free])
    found = least_squares(residuals, np.zeros(len(free)), bounds=bounds, max_nfev=200)
    pairs = zip(free, found.x.tolist(), strict=True)
    return {lever.of: value for lever, value in pairs if abs(value) >= _NOTHING}


def _within_caps(grammar: Grammar, values: Mapping[int | str, float]) -> tuple[Grammar, float]:
    """The grammar with its levers moved as far as its caps let them, and the share of the way."""
    for k in range(_HALVINGS):
        share = 0.5**k
        after = moved(grammar, {of: value * share for of, value in values.items()})
        if _fits(grammar, after):
            return after, share
    return grammar, 0.0


def _fits(before: Grammar, after: Grammar) -> bool:
    """Do scenes still end, and stay as large as the caps let them be?"""
    if growth(after) >= 1 > growth(before):
        return False
    if growth(after) < 1 and sum(expected_counts(after).values()) > after.max_nodes:
        return False
    cut = sum(outgrown(after).values())
    return cut <= sum(outgrown(before).values()) + _TOO_OFTEN
