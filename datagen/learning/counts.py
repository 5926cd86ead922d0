"""How many of what a scene holds: the statistics that learning matches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datagen.derivation import Derivation, parse_tree
from datagen.distributions import Spread
from datagen.grammar import Grammar, Symbol


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


@dataclass(frozen=True)
class Row:
    """Items that the start symbol repeats in order along an axis, each with things in it."""

    item: str
    axis: Literal["x", "y"]


def rows(grammar: Grammar) -> tuple[Row, ...]:
    """The rows of a world: what the k-th item holds can be told from the picture.

    Order is what `gap` and `spread` make; items that lie anywhere have none.
    """
    found: list[Row] = []
    for rule in grammar.rules_of.get(grammar.start, ()):
        for child in rule.children:
            repeat = grammar.repeats.get(child)
            if repeat is None or grammar.is_terminal(repeat.item):
                continue
            axis = _axis(grammar.symbols[repeat.item])
            if axis is not None and Row(repeat.item, axis) not in found:
                found.append(Row(repeat.item, axis))
    return tuple(found)


def _axis(item: Symbol) -> Literal["x", "y"] | None:
    if "gap" in item.attributes:
        return "y"
    for axis in ("x", "y"):
        law = item.attributes.get(axis)
        if law is not None and isinstance(law.distribution, Spread):
            return axis
    return None


def count_in_row(
    grammar: Grammar, row: Row, derivations: Sequence[Derivation], items: int
) -> np.ndarray:
    """int64 [N, items, categories]: things in the k-th item, itself included; 0 where it is not.

    Items past the last are left out.
    """
    column = {name: k for k, name in enumerate(grammar.categories)}
    counts = np.zeros((len(derivations), items, len(column)), np.int64)
    for n, derivation in enumerate(derivations):
        nodes = parse_tree(grammar, derivation)
        item_of: list[int | None] = []  # of each node; nodes are in preorder
        for node in nodes:
            above = None if node.parent < 0 else item_of[node.parent]
            at_top = node.parent == 0 and node.symbol == row.item
            item_of.append(node.k if at_top else above)
            category = grammar.symbols[node.symbol].category
            item = item_of[-1]
            if category is not None and item is not None and item < items:
                counts[n, item, column[category]] += 1
    return counts
