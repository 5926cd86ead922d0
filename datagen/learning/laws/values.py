"""The values that the mutable attributes of many scenes have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datagen.grammar import Grammar
from datagen.placement import written_values
from datagen.scene import Scene

Key = tuple[str, str]  # symbol, attribute


@dataclass(frozen=True)
class Values:
    """Values of one attribute in its own unit, each of the k-th of n siblings of a scene."""

    value: np.ndarray  # float64 [V]
    scene: np.ndarray  # int64 [V], the number of its scene
    k: np.ndarray  # int64 [V]
    n: np.ndarray  # int64 [V]


def mutable_values(grammar: Grammar, scenes: Sequence[Scene]) -> dict[Key, Values]:
    """Of each mutable attribute that occurs; fractions of nothing are left out."""
    mutable = {
        (symbol.name, name)
        for symbol in grammar.symbols.values()
        for name, attribute in symbol.attributes.items()
        if attribute.mutable is not None
    }
    rows: dict[Key, list[tuple[float, int, int, int]]] = {}
    for number, scene in enumerate(scenes) if mutable else ():
        for found in written_values(grammar, scene):
            key = (found.symbol, found.attribute)
            if key in mutable and np.isfinite(value := float(found.value)):
                rows.setdefault(key, []).append((value, number, found.k, found.n))
    return {key: _columns(rows[key]) for key in sorted(rows)}


def _columns(rows: Sequence[tuple[float, int, int, int]]) -> Values:
    value, *numbers = (np.array(column) for column in zip(*rows, strict=True))
    return Values(value, *(column.astype(np.int64) for column in numbers))
