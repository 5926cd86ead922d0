"""A prior with longer repetitions: where learning may go, the features must see."""

import math
from dataclasses import replace

from datagen.distributions import UniformInt, largest
from datagen.grammar import Grammar, Repeat

_TIMES = 2  # as many of anything as in the prior
_MOST = 64  # of anything, unless the prior has more


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
