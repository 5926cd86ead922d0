"""Scenes as one graph of numbers for the distribution transformer, and back."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from datagen.distributions import Value
from datagen.grammar import TURN, Attribute, Grammar, Law, Mutable
from datagen.models.metasim import Edges, moved_angle, moved_linear
from datagen.placement import replaced
from datagen.rng import Stream, rng_for
from datagen.scene import Scene, SceneNode

_PLACES = 3  # columns of an attribute: cosine or place in its range, sine, standardised value
_DRAWS = 2000  # of a prior law, for its moments
_FARTHEST = 4.0  # standard deviations; what lies beyond counts as this far


class Number(NamedTuple):
    """A numeric attribute of a symbol, as a graph sees it.

    On a circle, values are radians and the moments those of sin(value - mean); else all is in the
    attribute's own unit.
    """

    law: Law
    column: int  # attributes of one name share it
    mean: float
    std: float
    mutable: Mutable | None
    turn: float  # a whole turn in the attribute's own unit; 0: it is no angle
    on_circle: bool  # an angle that may be any; one within a range is a number like others

    def value_of(self, base: float, factor: float) -> float:
        """From base units; an angle within a range is turned into it where that is possible."""
        if self.on_circle or factor == 0:
            return base
        own = base / factor
        if not self.turn or self.mutable is None:
            return own
        middle = 0.5 * (self.mutable.low + self.mutable.high)
        return middle + math.remainder(own - middle, self.turn)

    def z(self, value: float) -> float:
        """The value in standard deviations of the prior."""
        deviation = math.sin(value - self.mean) if self.on_circle else value - self.mean
        return min(max(deviation / self.std, -_FARTHEST), _FARTHEST)

    def places(self, value: float) -> tuple[float, float, float]:
        """What a node's features say of it."""
        if self.on_circle:
            return math.cos(value), math.sin(value), self.z(value)
        if self.mutable is None:
            return 0.0, 0.0, self.z(value)
        low, high = self.mutable.low, self.mutable.high
        return 2 * (value - low) / (high - low) - 1, 0.0, self.z(value)


@dataclass(frozen=True)
class Vocabulary:
    """What the columns of a node's features mean, in the grammar's order."""

    grammar: Grammar
    symbols: dict[str, int]
    columns: dict[str, int]  # attribute name -> its number
    numbers: dict[str, tuple[Number, ...]]  # symbol -> its numeric attributes
    kinds: dict[tuple[str, str], int]  # (symbol, attribute) of what is mutable -> its number

    @property
    def width(self) -> int:
        """Features of a node: symbol, attributes, place among its siblings, share of them."""
        return len(self.symbols) + _PLACES * len(self.columns) + 2


def vocabulary(grammar: Grammar) -> Vocabulary:
    """The vocabulary of a grammar; moments of its laws are estimated from fixed draws."""
    columns: dict[str, int] = {}
    numbers: dict[str, tuple[Number, ...]] = {}
    for name, symbol in grammar.symbols.items():
        found = []
        for law in symbol.laws:
            rng = rng_for(0, 0, Stream.MOMENTS)
            draws = [law.distribution.sample(rng) for _ in range(_DRAWS)]
            if any(isinstance(value, str) for value in draws):
                continue
            column = columns.setdefault(law.name, len(columns))
            found.append(_number(law, symbol.attributes[law.name], column, draws))
        numbers[name] = tuple(found)
    symbols = {name: k for k, name in enumerate(grammar.symbols)}
    pairs = ((name, n) for name, found in numbers.items() for n in found)
    mutable = [(name, n.law.name) for name, n in pairs if n.mutable is not None]
    kinds = {pair: k for k, pair in enumerate(mutable)}
    return Vocabulary(grammar, symbols, columns, numbers, kinds)


def _number(law: Law, attribute: Attribute, column: int, draws: Sequence[Value]) -> Number:
    mutable, turn = attribute.mutable, TURN.get(attribute.unit, 0.0)
    whole = mutable is None or mutable.high - mutable.low >= turn * (1 - 1e-9)
    values = np.array(draws, float)
    if turn and whole:
        values = values * law.factor
        mean = math.atan2(np.sin(values).mean(), np.cos(values).mean())
        return Number(law, column, mean, _std(np.sin(values - mean)), mutable, turn, True)
    return Number(law, column, float(values.mean()), _std(values), mutable, turn, False)


def _std(values: np.ndarray) -> float:
    return max(float(values.std()), 1e-6)


# --------------------------------------------------------------------------------------- graphs


class Slot(NamedTuple):
    """A mutable attribute of one node of one scene, whose value may be moved within [low, high].

    On a circle, value, low and high are radians; else they are in the attribute's own unit.
    """

    scene: int
    path: str
    name: str
    factor: float  # from `value` to base units
    row: int  # of the node
    column: int  # of the attribute
    kind: int  # of the mutable attribute among all
    value: float  # the prior's
    z: float
    low: float
    high: float
    on_circle: bool


@dataclass(frozen=True)
class SceneGraphs:
    """Many scenes as one graph of V nodes with S slots."""

    nodes: Tensor  # float32 [V, width]
    edges: Edges
    slots: tuple[Slot, ...]
    scene: Tensor  # int64 [S]
    kind: Tensor  # int64 [S]
    value: Tensor  # float64 [S], and so are low and high
    low: Tensor
    high: Tensor
    on_circle: Tensor  # bool [S]

    @property
    def span(self) -> Tensor:
        """Length of the mutable range, float64 [S]; a circle's is 2 pi."""
        return self.high - self.low

    def moved(self, corrections: Tensor, laws: Tensor) -> Tensor:
        """Values [S] after corrections [V, attributes, HEAD] and changes of whole laws.

        laws: [kinds, 2], or [M, kinds, 2] where each scene has its own.
        """
        row = torch.tensor([slot.row for slot in self.slots], dtype=torch.int64)
        column = torch.tensor([slot.column for slot in self.slots], dtype=torch.int64)
        z = torch.tensor([slot.z for slot in self.slots], dtype=torch.float64)
        head = corrections[row, column].double()
        law = (laws[self.kind] if laws.ndim == 2 else laws[self.scene, self.kind]).double()
        line = moved_linear(self.value, z, head, law, self.low, self.high)
        return torch.where(self.on_circle, moved_angle(self.value, z, head, law), line)

    def kept(self, values: Tensor) -> Tensor:
        """Values [S] within their ranges: cut off at the ends, or brought round the circle."""
        turned = torch.remainder(values + math.pi, 2 * math.pi) - math.pi
        return torch.where(self.on_circle, turned, values.clamp(self.low, self.high))


class _Visit(NamedTuple):
    """A node on the way through a scene."""

    path: str
    node: SceneNode
    parent: SceneNode | None
    parent_row: int
    k: int  # this is the k-th of n siblings that have its symbol
    n: int


def graphs_of(known: Vocabulary, scenes: Sequence[Scene]) -> SceneGraphs:
    """The scenes' trees as one graph, node by node in preorder."""
    nodes: list[list[float]] = []
    edges: list[tuple[int, int]] = []
    slots: list[Slot] = []
    for number, scene in enumerate(scenes):
        for visit in _visits(scene, len(nodes)):
            if visit.parent is not None:
                edges.append((visit.parent_row, len(nodes)))
            row, found = _read(known, scene, visit)
            slots += (slot._replace(scene=number, row=len(nodes)) for slot in found)
            nodes.append(row)
    ends = torch.tensor(edges, dtype=torch.int64).view(-1, 2)

    def column(name: str) -> Tensor:
        return torch.tensor([getattr(slot, name) for slot in slots], dtype=torch.float64)

    return SceneGraphs(
        nodes=torch.tensor(nodes, dtype=torch.float32).view(-1, known.width),
        edges=Edges(ends[:, 0], ends[:, 1]),
        slots=tuple(slots),
        scene=column("scene").long(),
        kind=column("kind").long(),
        value=column("value"),
        low=column("low"),
        high=column("high"),
        on_circle=column("on_circle").bool(),
    )


def _visits(scene: Scene, first: int) -> Iterator[_Visit]:
    """Every node in preorder, as Scene.walk goes; rows count from `first`."""
    stack = [_Visit("", scene.root, None, -1, 0, 1)]
    row = first
    while stack:
        visit = stack.pop()
        yield visit
        prefix = f"{visit.path}." if visit.path else ""
        children = visit.node.children
        totals: dict[str, int] = {}
        for child in children:
            totals[child.symbol] = totals.get(child.symbol, 0) + 1
        left = dict(totals)
        for k in range(len(children) - 1, -1, -1):
            name = children[k].symbol
            left[name] -= 1
            stack.append(
                _Visit(f"{prefix}{k}", children[k], visit.node, row, left[name], totals[name])
            )
        row += 1


def _read(known: Vocabulary, scene: Scene, visit: _Visit) -> tuple[list[float], list[Slot]]:
    """A node's features and slots."""
    start = len(known.symbols)
    row = [0.0] * known.width
    row[known.symbols[visit.node.symbol]] = 1.0
    row[-2:] = visit.k / visit.n, 1 / visit.n
    slots = []
    for number in known.numbers[visit.node.symbol]:
        factor = _factor(number.law, scene, visit)
        value = number.value_of(float(visit.node.attributes[number.law.name]), factor)
        at = start + _PLACES * number.column
        row[at : at + _PLACES] = number.places(value)
        if number.mutable is not None:
            kind = known.kinds[visit.node.symbol, number.law.name]
            slots.append(_slot(number, kind, visit.path, value, factor))
    return row, slots


def _slot(number: Number, kind: int, path: str, value: float, factor: float) -> Slot:
    assert number.mutable is not None
    low, high = number.mutable.low, number.mutable.high
    if number.on_circle:
        factor, low, high = 1.0, -math.pi, math.pi
    return Slot(
        scene=0,
        path=path,
        name=number.law.name,
        factor=factor,
        row=0,
        column=number.column,
        kind=kind,
        value=value,
        z=number.z(value),
        low=low,
        high=high,
        on_circle=number.on_circle,
    )


def _factor(law: Law, scene: Scene, visit: _Visit) -> float:
    """What a value in the attribute's own unit is multiplied with to be in base units."""
    if law.relative is None:
        return law.factor
    width, height = scene.canvas
    default = float(width if law.relative == "width" else height)
    if visit.parent is None:
        return default
    return float(visit.parent.attributes.get(law.relative, default))


def scenes_of(
    known: Vocabulary, scenes: Sequence[Scene], graphs: SceneGraphs, values: Tensor
) -> list[Scene]:
    """The scenes with values [S] in their slots."""
    changes: list[dict[str, dict[str, Value]]] = [{} for _ in scenes]
    for slot, value in zip(graphs.slots, values.tolist(), strict=True):
        changes[slot.scene].setdefault(slot.path, {})[slot.name] = value * slot.factor
    return [replaced(known.grammar, s, c) for s, c in zip(scenes, changes, strict=True)]
