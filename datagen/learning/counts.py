"""How many of what a scene holds: the statistics that learning matches."""

from collections.abc import Sequence

import numpy as np

from datagen.derivation import Derivation
from datagen.grammar import Grammar


def count_heads(grammar: Grammar) -> tuple[str, ...]:
    """What is counted in a picture: each category and, when there are several, all together."""
    names = grammar.categories
    return (*names, "all") if len(names) > 1 else names


def count_things(grammar: Grammar, derivations: Sequence[Derivation]) -> np.ndarray:
    """int64 [N, heads]: things in the scenes of the derivations, hidden ones included."""
    # Every symbol but the start comes into a scene as the child of one rule.
    column = {name: k for k, name in enumerate(grammar.categories)}
    table = np.zeros((len(grammar.rules), len(column)), np.int64)
    for rule in grammar.rules:
        for child in rule.children:
            category = grammar.symbols[child].category if child in grammar.symbols else None
            if category is not None:
                table[rule.index, column[category]] += 1
    counts = np.stack([table[list(d)].sum(0) for d in derivations])
    start = grammar.symbols[grammar.start].category
    if start is not None:
        counts[:, column[start]] += 1
    if len(count_heads(grammar)) > len(column):
        counts = np.concatenate([counts, counts.sum(1, keepdims=True)], 1)
    return counts
