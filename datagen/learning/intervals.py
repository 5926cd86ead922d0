"""How sure the numbers of a projected grammar are: percentile bootstrap over scenes.

Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from datagen.derivation import Derivation
from datagen.grammar import Attribute, Grammar
from datagen.language.intervals import Interval, Intervals
from datagen.learning.laws import circle
from datagen.learning.laws.fitting import FEWEST, on_line
from datagen.learning.laws.values import Key, Values, mutable_values
from datagen.learning.projection import run_lengths
from datagen.rng import Stream, rng_for
from datagen.scene import Scene

REPLICATES = 1000
_ENDS = (2.5, 97.5)  # percentiles

_Column = tuple[str, int]  # a symbol, and its rule or the length of its run


@dataclass(frozen=True)
class Sample:
    """What one model was seen to make."""

    derivations: Sequence[Derivation]
    scenes: Sequence[Scene] = ()  # with attributes; may be fewer, or none


def bootstrapped(
    grammar: Grammar, samples: Sequence[Sample], seed: int, replicates: int = REPLICATES
) -> Intervals:
    """95 % intervals of every number that the projection of the samples has.

    With one sample they cover what it means that only so many scenes were drawn from the model,
    and nothing else: not the learning, which with another seed or other target pictures would
    have come out elsewhere, and not the distance between the model and the pictures. With samples
    of several models (other seeds, say) models are drawn again, too, and the intervals cover how
    runs of learning differ; of 2 or 3 models that is a rough guess, and mostly too narrow. A count
    that no scene shows has no interval. Shares near 0 or 1 have somewhat narrow ones.
    """
    rules, counts, lengths = _structure(grammar, samples, seed, replicates)
    means, spreads = _attributes(grammar, samples, seed, replicates)
    return Intervals(rules, counts, lengths, means, spreads)


def caveat(models: int) -> str:
    """What a reader of the intervals must know, for the report and the learned grammar."""
    what = "Brackets hold 95 % intervals, by bootstrap over scenes drawn from the learned model"
    if models > 1:
        return (
            f"{what}s of {models} runs, and over the runs; of so few runs they are a rough guess."
        )
    return f"{what}; how the learning itself would vary from run to run is not in them."


def _interval(values: np.ndarray) -> Interval:
    """The first value is the estimate, the others are replicates; some may have no value."""
    low, high = np.percentile(values[1:][np.isfinite(values[1:])], _ENDS)
    return Interval(float(values[0]), float(low), float(high))


def _resampled(tables: Sequence[np.ndarray], seed: int, replicates: int) -> np.ndarray:
    """float64 [1 + replicates, D]: means of the columns of models' tables [scenes, D].

    The first row is over all scenes; the others are over models, and scenes of each, drawn again.
    """
    found = np.zeros((1 + replicates, tables[0].shape[1]))
    found[0] = np.mean([table.mean(0) for table in tables], axis=0)
    for k in range(replicates):
        rng = rng_for(seed, k, Stream.BOOTSTRAP)
        for model in rng.integers(len(tables), size=len(tables)):
            scenes = len(tables[model])
            weights = np.bincount(rng.integers(scenes, size=scenes), minlength=scenes)
            found[1 + k] += weights @ tables[model] / (scenes * len(tables))
    return found


# -------------------------------------------------------------------------------------- structure


def _structure(
    grammar: Grammar, samples: Sequence[Sample], seed: int, replicates: int
) -> tuple[dict[int, Interval], dict[str, Interval], dict[str, dict[int, Interval]]]:
    """Intervals of rules, of mean counts, and of the share of each count."""
    places, tables = _tables(grammar, samples)
    found = _resampled(tables, seed, replicates)
    rules: dict[int, Interval] = {}
    counts: dict[str, Interval] = {}
    lengths: dict[str, dict[int, Interval]] = {}
    for name in dict.fromkeys(name for name, _ in places):
        uses = {what: found[:, k] for (owner, what), k in sorted(places.items()) if owner == name}
        total = np.sum(list(uses.values()), axis=0)
        shares = {what: _interval(_ratio(use, total)) for what, use in uses.items()}
        if name in grammar.repeats:
            items = np.sum([n * use for n, use in uses.items()], axis=0)
            counts[name], lengths[name] = _interval(_ratio(items, total)), shares
        elif len(grammar.rules_of[name]) > 1:
            rules |= shares
    return rules, counts, lengths


def _tables(
    grammar: Grammar, samples: Sequence[Sample]
) -> tuple[dict[_Column, int], list[np.ndarray]]:
    """The place of each column, and of each sample how often each scene has what it counts."""
    places: dict[_Column, int] = {}
    uses = [
        [(scene, places.setdefault(use, len(places))) for scene, use in _uses(grammar, sample)]
        for sample in samples
    ]
    tables = [np.zeros((len(sample.derivations), len(places))) for sample in samples]
    for table, found in zip(tables, uses, strict=True):
        np.add.at(table, tuple(np.array(found).T), 1.0)
    return places, tables


def _uses(grammar: Grammar, sample: Sample) -> Iterator[tuple[int, _Column]]:
    """Each rule that a scene uses and each of its runs."""
    for scene, derivation in enumerate(sample.derivations):
        for index in derivation:
            name = grammar.rules[index].lhs
            if name not in grammar.repeats:
                yield scene, (name, index)
        for run in run_lengths(grammar, derivation):
            yield scene, run


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


# ------------------------------------------------------------------------------------- attributes


def _attributes(
    grammar: Grammar, samples: Sequence[Sample], seed: int, replicates: int
) -> tuple[dict[Key, Interval], dict[Key, Interval]]:
    """Intervals of the means and of the spreads of what may be learned and occurs often enough."""
    sizes = [len(sample.scenes) for sample in samples if sample.scenes]
    values = [mutable_values(grammar, sample.scenes) for sample in samples if sample.scenes]
    sums: dict[Key, _Sums] = {}
    for key in sorted({key for found in values for key in found}):
        found = [one.get(key) for one in values]
        if sum(len(one.value) for one in found if one) >= FEWEST:
            sums[key] = _sums(found, sizes, grammar.symbols[key[0]].attributes[key[1]])
    if not sums:
        return {}, {}
    tables = [np.hstack([one.tables[m] for one in sums.values()]) for m in range(len(sizes))]
    means, spreads = {}, {}
    columns = np.split(_resampled(tables, seed, replicates), len(sums), axis=1)
    for (key, one), found in zip(sums.items(), columns, strict=True):
        mean, spread = one.moments(found)
        means[key], spreads[key] = _interval(mean), _interval(spread)
    return means, spreads


@dataclass(frozen=True)
class _Sums:
    """What an attribute's mean and spread are made of, summed over each scene."""

    centre: float  # what deviations d count from, in the attribute's unit
    turn: float  # of a free angle, whose d are radians; 0: it is none
    tables: list[np.ndarray]  # float64 [scenes, 3] of each model: 1, d, d * d or 1, cos d, sin d

    def moments(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread from each row of sums [R, 3]."""
        first, second = (_ratio(sums[:, k], sums[:, 0]) for k in (1, 2))
        if self.turn:
            mean, spread = circle.moments(first, second, self.turn)
            return self.centre + mean, spread
        return self.centre + first, np.sqrt(np.maximum(second - first**2, 0.0))


def _sums(found: Sequence[Values | None], sizes: Sequence[int], attribute: Attribute) -> _Sums:
    assert attribute.mutable is not None
    there = [one for one in found if one is not None]
    x = on_line(np.concatenate([one.value for one in there]), attribute)
    turn = circle.free_turn(attribute)
    centre = circle.mean(x, attribute.mutable.low, turn) if turn else float(x.mean())
    d = (x - centre) * (2 * math.pi / turn if turn else 1.0)
    pair = (np.cos(d), np.sin(d)) if turn else (d, d**2)
    columns = np.stack([np.ones_like(d), *pair], axis=1)
    tables, at = [np.zeros((size, 3)) for size in sizes], 0
    for table, one in zip(tables, found, strict=True):
        if one is not None:
            np.add.at(table, one.scene, columns[at : at + len(one.value)])
            at += len(one.value)
    return _Sums(centre, turn, tables)
