"""Where things stand: a derivation becomes a scene, and a scene's attributes get their density.

2D: x right, y down, px, origin of the root at the canvas' top left corner; angles in radians.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from datagen.derivation import Node, parse_tree, past_caps
from datagen.distributions import Distribution, Spread, Value
from datagen.errors import InputError
from datagen.grammar import RELATIVE_UNITS, Grammar, Symbol
from datagen.scene import Scene, SceneNode, Transform

_UNMOVED = Transform()
_NO_EXTENTS: Mapping[str, float] = {}


def expand(grammar: Grammar, derivation: Sequence[int], rng: np.random.Generator) -> Scene:
    """The scene of a derivation: its tree with attributes drawn from the prior, parents first.

    Raises InputError for a scene past the grammar's caps; derivations of `sample_prior` fit them.
    """
    nodes = parse_tree(grammar, derivation)
    if past_caps(grammar, nodes):
        raise InputError(
            f"a scene of {grammar.world} grew past {grammar.max_nodes} nodes or depth "
            f"{grammar.max_depth}; lower its counts or raise max_nodes / max_depth in the grammar"
        )
    drafts: list[_Draft] = []
    for node in nodes:  # preorder: a parent's extents are known before its children need them
        drafts.append(_place(grammar, nodes, drafts, node, rng))
    root = _freeze(grammar, nodes, drafts)
    return Scene(root, grammar.canvas, grammar.digest, tuple(map(int, derivation)))


def attribute_log_prob(grammar: Grammar, scene: Scene) -> float:
    """Log-density of the scene's attributes under the prior, given its structure.

    Densities are per unit as the grammar writes it (deg, fractions of the parent's width, ...).
    """
    canvas = _canvas_extents(grammar)
    total = _node_log_prob(grammar, scene.root, 0, 1, canvas)
    stack = [(scene.root, _extents(scene.root.attributes, canvas))]
    while stack:
        node, extents = stack.pop()
        for child, k, n in _siblings(node.children):
            total += _node_log_prob(grammar, child, k, n, extents)
            stack.append((child, _extents(child.attributes, _NO_EXTENTS)))
    return total


@dataclass(slots=True)
class _Draft:
    """A scene node while the values of its tree are drawn."""

    values: dict[str, Value]
    extents: Mapping[str, float]  # its own width and height, px or m
    transform: Transform = _UNMOVED
    edges: dict[str, float] = field(default_factory=dict)  # symbol -> y where its last child ends
    children: list[SceneNode] = field(default_factory=list)  # last first


def _place(
    grammar: Grammar,
    nodes: Sequence[Node],
    drafts: Sequence[_Draft],
    node: Node,
    rng: np.random.Generator,
) -> _Draft:
    symbol = grammar.symbols[node.symbol]
    is_root = node.parent < 0
    default = _canvas_extents(grammar) if is_root else _NO_EXTENTS
    parent = default if is_root else drafts[node.parent].extents
    values: dict[str, Value] = {}
    for name, distribution, factor, relative in symbol.laws:
        if relative is not None:
            factor = _fraction(symbol.name, name, relative, parent)
        if isinstance(distribution, Spread):
            siblings = 1 if is_root else nodes[node.parent].totals[node.symbol]
            distribution = distribution.at(node.k, siblings)
        value = distribution.sample(rng)
        values[name] = value if factor == 1.0 or isinstance(value, str) else value * factor
    draft = _Draft(values, _extents(values, default) if symbol.has_extents else default)
    if symbol.is_placed:
        edges = {} if is_root else drafts[node.parent].edges
        draft.transform = _transform(symbol, draft, edges)
    return draft


def _transform(symbol: Symbol, draft: _Draft, edges: dict[str, float]) -> Transform:
    get = draft.values.get
    y = float(get("y", 0.0))
    if "gap" in draft.values:
        half = draft.extents.get("height", 0.0) / 2
        y += edges.get(symbol.name, 0.0) + float(draft.values["gap"]) + half
        edges[symbol.name] = y + half
    return Transform(
        float(get("x", 0.0)),
        y,
        float(get("layer", 0.0)),
        float(get("yaw", 0.0)),
        float(get("scale", 1.0)),
    )


def _freeze(grammar: Grammar, nodes: Sequence[Node], drafts: Sequence[_Draft]) -> SceneNode:
    """The root, with all others below it; the last first, so that children stand ready."""
    for node, draft in zip(reversed(nodes), reversed(drafts), strict=True):
        symbol = grammar.symbols[node.symbol]
        frozen = SceneNode(
            symbol.name,
            symbol.category,
            draft.transform,
            draft.values,
            symbol.asset,
            tuple(reversed(draft.children)),
        )
        if node.parent < 0:
            return frozen
        drafts[node.parent].children.append(frozen)
    raise AssertionError("a parse tree begins with its root")


def _fraction(symbol: str, name: str, relative: str, parent: Mapping[str, float]) -> float:
    """What a value in a relative unit is a fraction of."""
    if relative not in parent:
        raise InputError(
            f"`{symbol}.{name}` is a fraction of its parent's {relative}, but the parent has "
            f"no attribute `{relative}`; give it one or use px"
        )
    return parent[relative]


def _canvas_extents(grammar: Grammar) -> dict[str, float]:
    return {"width": float(grammar.canvas[0]), "height": float(grammar.canvas[1])}


def _extents(values: Mapping[str, Value], default: Mapping[str, float]) -> Mapping[str, float]:
    own = {unit: float(values[unit]) for unit in RELATIVE_UNITS if unit in values}
    return {**default, **own}


# ---------------------------------------------------------------------------------- log-densities


def _siblings(children: Sequence[SceneNode]) -> list[tuple[SceneNode, int, int]]:
    """Each child as the k-th of n that have its symbol: (child, k, n)."""
    total: dict[str, int] = {}
    ks: list[int] = []
    for child in children:
        ks.append(total.get(child.symbol, 0))
        total[child.symbol] = ks[-1] + 1
    return [(child, k, total[child.symbol]) for child, k in zip(children, ks, strict=True)]


def _node_log_prob(
    grammar: Grammar, node: SceneNode, k: int, n: int, parent: Mapping[str, float]
) -> float:
    total = 0.0
    for name, distribution, factor, relative in _symbol(grammar, node).laws:
        if name not in node.attributes:
            raise InputError(f"a `{node.symbol}` of the scene has no attribute `{name}`")
        if relative is not None:
            factor = _fraction(node.symbol, name, relative, parent)
        total += _value_log_prob(distribution, k, n, node.attributes[name], factor)
    return total


def _symbol(grammar: Grammar, node: SceneNode) -> Symbol:
    if node.symbol not in grammar.symbols:
        raise InputError(f"{grammar.world} has no symbol `{node.symbol}`; is it the right grammar?")
    return grammar.symbols[node.symbol]


def _value_log_prob(
    distribution: Distribution, k: int, n: int, value: Value, factor: float
) -> float:
    if not isinstance(value, str):
        if factor == 0:
            return -math.inf
        value = value / factor
    law = distribution.at(k, n) if isinstance(distribution, Spread) else distribution
    return law.log_prob(value)
