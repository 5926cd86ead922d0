"""How many things a grammar makes on average, cut as an evaluation cuts those of the city."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from datagen.distributions import mean_of
from datagen.grammar import Grammar

SYMBOL, UNDER, RULE = "symbol", "under", "rule"
CUTS = (SYMBOL, UNDER, RULE)  # what a thing is; a symbol above it; a rule on the way to it


class Key(NamedTuple):
    """Things that are a symbol, under a symbol, or made by a rule (`label` is its text then)."""

    factor: str
    label: str


class Amounts:
    """Expected numbers as a function of levers, quick enough to be differentiated.

    `levers`: the index of a rule, or the symbol of a repetition -> place in the levers' values.
    Where a symbol stands under itself, what is under both is counted twice.
    """

    def __init__(self, grammar: Grammar, levers: Mapping[int | str, int]) -> None:
        self.grammar, self.free = grammar, len(levers)
        self.place = {name: k for k, name in enumerate(grammar.symbols)}
        self.own = np.array([s.category is not None for s in grammar.symbols.values()], float)
        rules = [rule for rule in grammar.rules if rule.lhs not in grammar.repeats]
        self.texts = [f"{rule.lhs} -> {' '.join(rule.children) or 'empty'}" for rule in rules]
        self.group = np.array([self.place[rule.lhs] for rule in rules])
        self.weight = np.array([rule.weight for rule in rules])
        self.of_rule = np.array([levers.get(rule.index, -1) for rule in rules])
        edges: list[tuple[int, int, float, int]] = []  # rule, item, mean count, lever
        for k, rule in enumerate(rules):
            for child in rule.children:
                repeat = grammar.repeats.get(child)
                item = child if repeat is None else repeat.item
                mean = 1.0 if repeat is None else mean_of(repeat.count)
                edges.append((k, self.place[item], mean, levers.get(child, -1)))
        self.rule, self.item, self.of_count = (
            np.array([edge[k] for edge in edges], int) for k in (0, 1, 3)
        )
        self.mean = np.array([edge[2] for edge in edges])

    def keys(self) -> list[Key]:
        """Everything that can be asked for."""
        names = [Key(cut, name) for cut in (SYMBOL, UNDER) for name in self.place]
        return names + [Key(RULE, text) for text in dict.fromkeys(self.texts)]

    def of(self, keys: Sequence[Key], values: np.ndarray | None = None) -> np.ndarray:
        """float64 [keys]: things (of a symbol: nodes) in a scene, down to the largest depth."""
        weight, numbers, means = self._means(np.zeros(self.free) if values is None else values)
        nodes, things = self._nodes(means), self._things(means)
        below = np.bincount(self.rule, numbers * things[self.item], len(weight))
        by_rule = nodes[self.group] * weight * (self.own[self.group] + below)
        texts = np.array(self.texts)
        found = np.zeros(len(keys))
        for k, (factor, label) in enumerate(keys):
            if factor == RULE:
                found[k] = by_rule[texts == label].sum()
            else:
                n = self.place[label]
                found[k] = nodes[n] * (1.0 if factor == SYMBOL else things[n] - self.own[n])
        return found

    def _means(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weight of each rule, items along each edge, and [i, j]: children j under one i."""
        raised = np.exp(np.append(values, 0.0))  # -1, no lever, is the last
        size = len(self.place)
        weight = self.weight * raised[self.of_rule]
        weight /= np.bincount(self.group, weight, size)[self.group]
        numbers = self.mean * raised[self.of_count]
        means = np.zeros((size, size))
        np.add.at(means, (self.group[self.rule], self.item), weight[self.rule] * numbers)
        return weight, numbers, means

    def _nodes(self, means: np.ndarray) -> np.ndarray:
        level = np.zeros(len(means))
        level[self.place[self.grammar.start]] = 1.0
        return _summed(means.T, level, self.grammar.max_depth)

    def _things(self, means: np.ndarray) -> np.ndarray:
        """[symbols]: things in the tree below and at a node."""
        return _summed(means, self.own, self.grammar.max_depth)


def _summed(means: np.ndarray, level: np.ndarray, depth: int) -> np.ndarray:
    """level + M level + M M level + ..."""
    total = level.copy()
    for _ in range(depth):
        level = np.minimum(means @ level, 1e100)
        total += level
        if level.max(initial=0.0) < 1e-12:
            break
    return total


def amounts(grammar: Grammar) -> dict[Key, float]:
    """Every cut of the things that the grammar makes."""
    law = Amounts(grammar, {})
    keys = law.keys()
    return dict(zip(keys, law.of(keys).tolist(), strict=True))
