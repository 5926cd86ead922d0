"""A prior with longer repetitions and other shares: where learning may go, features must see."""

import math
from dataclasses import replace

import numpy as np

from datagen.derivation import Derivation, sample_prior
from datagen.distributions import UniformInt, largest
from datagen.grammar import Grammar, Repeat, Rule

_TIMES = 2  # as many of anything as in the prior
_MOST = 64  # of anything, unless the prior has more
_LONGER = 0.25  # share of scenes
_RESHARED = 0.5  # share of scenes


class Wider:
    """Scenes of the prior and around it: some longer, some with alternatives as likely as any.

    A network that saw each class equally often takes a crowd of one class for a smaller one.
    """

    def __init__(self, grammar: Grammar) -> None:
        self.grammar, self.longer = grammar, widened(grammar)
        # Other shares of a recursion may let it go on for ever.
        free = [name for name in grammar.rules_of if not _comes_back(grammar, name)]
        self.alternatives = [
            rules
            for name, rules in grammar.rules_of.items()
            if name in free and name not in grammar.repeats and len(rules) > 1
        ]

    def sample(self, rng: np.random.Generator) -> Derivation:
        grammar = self.longer if rng.random() < _LONGER else self.grammar
        if self.alternatives and rng.random() < _RESHARED:
            grammar = self._reshared(grammar, rng)
        return sample_prior(grammar, rng)

    def _reshared(self, grammar: Grammar, rng: np.random.Generator) -> Grammar:
        """Shares by Dirichlet, whose mean is the prior's."""
        rules: list[Rule] = list(grammar.rules)
        for group in self.alternatives:
            total = sum(rule.weight for rule in group)
            prior = np.array([len(group) * rule.weight / total for rule in group])
            shares = rng.gamma(prior) + 1e-6
            for rule, share in zip(group, shares / shares.sum(), strict=True):
                rules[rule.index] = replace(rule, weight=float(share))
        return replace(grammar, rules=tuple(rules))


def _comes_back(grammar: Grammar, name: str) -> bool:
    """Can the symbol stand below itself?"""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for rule in grammar.rules_of.get(waiting.pop(), ()):
            if name in rule.children:
                return True
            waiting += [child for child in rule.children if child not in seen]
            seen.update(rule.children)
    return False


def widened(grammar: Grammar) -> Grammar:
    """Repetitions are as likely to have any length up to twice the prior's longest, or `max`."""
    repeats = {name: _widened(repeat) for name, repeat in grammar.repeats.items()}
    return replace(grammar, repeats=repeats)


def _widened(repeat: Repeat) -> Repeat:
    longest = largest(repeat.count)
    if math.isinf(longest):
        return repeat  # it goes on for ever already
    most = min(_TIMES * int(longest), max(_MOST, int(longest)))
    if repeat.most is not None:
        most = min(most, repeat.most)
    return replace(repeat, count=UniformInt(0, max(most, 1)))
