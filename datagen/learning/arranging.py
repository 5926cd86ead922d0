"""Scenes of the prior in other arrangements: apart from one another, in rows, evenly spaced.

Where attributes are independent, things pile up more often than real things do, and hardly ever
stand in line. A network that has only seen that counts lines of things badly. And piled-up things
hide one another: a learner that can only pile them up needs more of them than the target has.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from datagen.derivation import Derivation
from datagen.distributions import Spread, Uniform
from datagen.grammar import Attribute, Grammar, Symbol
from datagen.placement import expand
from datagen.scene import Scene

AS_WRITTEN = "as written"
_DRAWS = (2, 12)  # of the attributes; how clear a scene is to be differs from scene to scene
_BAND = (0.02, 0.2)  # width of a row, share of the range across it
_JITTER = (0.1, 1.0)  # how uneven a row is
_APART = 1.5  # to 1, from where on things keep apart
_SPACINGS = {"along": 1.0, "evenly along": 0.4}  # jitter of `spread`


def uncrowded(grammar: Grammar, derivation: Derivation, rng: np.random.Generator) -> Scene:
    """The least crowded of some draws of a scene's attributes."""
    draws = int(rng.integers(_DRAWS[0], _DRAWS[1] + 1))
    scenes = [expand(grammar, derivation, rng) for _ in range(draws)]
    return max(scenes, key=clearance)


def clearance(scene: Scene) -> float:
    """Mean distance of labelled things to the nearest other, in px; inf for a single thing.

    What is farther than half of an even spacing is clear enough and counts as that far.
    """
    places = [
        (placed.world.x, placed.world.y)
        for placed in scene.walk()
        if placed.node.category is not None
    ]
    if len(places) < 2:
        return math.inf
    at = np.array(places)
    distances = np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1))
    np.fill_diagonal(distances, math.inf)
    enough = 0.5 * math.sqrt(scene.canvas[0] * scene.canvas[1] / len(at))
    return float(np.minimum(distances.min(1), enough).mean())


def lined_up(grammar: Grammar, derivation: Derivation, rng: np.random.Generator) -> Scene:
    """A scene whose like things stand in rows, where the prior puts them anywhere.

    Every value is one that the prior can have.
    """
    symbols = {name: _in_a_row(symbol, rng) for name, symbol in grammar.symbols.items()}
    return expand(replace(grammar, symbols=symbols), derivation, rng)


def spaced(grammar: Grammar) -> dict[str, Grammar]:
    """The grammar as written, then with its repeated things evenly spaced along an axis.

    "along x" puts each anywhere in its own part of the range, "evenly along x" near the middle of
    it. `mutable` attributes stay: their laws are learned. Every value is one of the prior's.
    """
    items = {repeat.item for repeat in grammar.repeats.values()}
    found = {AS_WRITTEN: grammar}
    for axis in ("x", "y"):
        free = [
            name
            for name in grammar.symbols.keys() & items
            if not grammar.symbols[name].is_conditioned
            and _is_anywhere(attribute := grammar.symbols[name].attributes.get(axis))
            and attribute is not None
            and attribute.mutable is None
        ]
        for how, jitter in _SPACINGS.items() if free else ():
            changed = {name: _spread(grammar.symbols[name], axis, jitter) for name in free}
            found[f"{how} {axis}"] = replace(grammar, symbols={**grammar.symbols, **changed})
    return found


def preferred(shares: Mapping[str, float]) -> dict[str, float]:
    """Axes along which things keep apart rather than stand as written: axis -> how many to 1.

    `shares` are those of the names of `spaced`, as learned. Equal ones say nothing.
    """
    found = {}
    for axis in ("x", "y"):
        mine = [share for name, share in shares.items() if name.endswith(f"along {axis}")]
        if mine and (times := sum(mine) / len(mine) / shares[AS_WRITTEN]) > _APART:
            found[axis] = times
    return found


def settled(shares: Mapping[str, float]) -> dict[str, float]:
    """What is kept of learned shares: those as written and along preferred axes; {}: as written."""
    axes = preferred(shares)
    if not axes:
        return {}
    kept = {n: share for n, share in shares.items() if n == AS_WRITTEN or n[-1] in axes}
    return {name: share / sum(kept.values()) for name, share in kept.items()}


class Placer:
    """Scenes of derivations whose repeated things are spaced as often as settled shares say."""

    def __init__(self, grammar: Grammar, shares: Mapping[str, float]) -> None:
        self._kinds = spaced(grammar)
        known = {name: share for name, share in shares.items() if name in self._kinds}
        self._names = [*known] or [AS_WRITTEN]
        self._edges = np.cumsum([*known.values()] or [1.0])

    def __call__(self, derivation: Derivation, rng: np.random.Generator) -> Scene:
        return expand(self._kinds[self._name(rng)], derivation, rng)

    def choose(self, count: int, rng: np.random.Generator) -> list[int]:
        """Numbers of arrangements, as `Paint` takes them."""
        names = [*self._kinds]
        return [names.index(self._name(rng)) for _ in range(count)]

    def _name(self, rng: np.random.Generator) -> str:
        if len(self._names) == 1:
            return self._names[0]
        at = np.searchsorted(self._edges, rng.random() * self._edges[-1], side="right")
        return self._names[min(int(at), len(self._names) - 1)]


def _spread(symbol: Symbol, axis: str, jitter: float) -> Symbol:
    attribute = symbol.attributes[axis]
    law = attribute.distribution
    assert isinstance(law, Uniform)
    even = replace(attribute, distribution=Spread(law.low, law.high, jitter))
    return replace(symbol, attributes={**symbol.attributes, axis: even})


def _in_a_row(symbol: Symbol, rng: np.random.Generator) -> Symbol:
    free = [axis for axis in ("x", "y") if _is_anywhere(symbol.attributes.get(axis))]
    if not free or symbol.is_conditioned:  # what must find room may find none in a row
        return symbol
    along = free[int(rng.integers(len(free)))]
    changed: dict[str, Attribute] = {}
    for axis in free:
        attribute = symbol.attributes[axis]
        if axis == along:
            row = _part(attribute, rng.uniform(0.5, 1.0), rng)
            law = Spread(*row, rng.uniform(*_JITTER))
        else:
            law = Uniform(*_part(attribute, rng.uniform(*_BAND), rng))
        changed[axis] = replace(attribute, distribution=law)
    return replace(symbol, attributes={**symbol.attributes, **changed})


def _is_anywhere(attribute: Attribute | None) -> bool:
    return attribute is not None and isinstance(attribute.distribution, Uniform)


def _part(attribute: Attribute, share: float, rng: np.random.Generator) -> tuple[float, float]:
    """Ends of a part of a uniform law's range."""
    law = attribute.distribution
    assert isinstance(law, Uniform)
    width = share * (law.high - law.low)
    low = law.low + (law.high - law.low - width) * rng.random()
    return low, low + width
