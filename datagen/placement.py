"""Where things stand: a derivation becomes a scene, and a scene's attributes get their density.

2D: x right, y down, px, origin of the root at the canvas' top left corner; angles in radians.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from datagen.clearance import Spot, lies_inside, nearest_before, spot_of, stands_apart
from datagen.derivation import Node, parse_tree, past_caps
from datagen.distributions import Spread, Value
from datagen.errors import InputError
from datagen.grammar import CONDITIONS, RELATIVE_UNITS, Grammar, Symbol
from datagen.scene import Scene, SceneNode, Transform

_UNMOVED = Transform()
_NO_EXTENTS: Mapping[str, float] = {}

TRIES = 300  # draws of a node that must find room, before those that stand in its way move, too
RESTARTS = 100  # of all siblings that must find room


def expand(grammar: Grammar, derivation: Sequence[int], rng: np.random.Generator) -> Scene:
    """The scene of a derivation: its tree with attributes drawn from the prior, parents first.

    What must stand `apart` or `inside` is drawn again until it does; if it never does, so are its
    siblings. Raises InputError if they find no room either, and for a scene past the grammar's
    caps; derivations of `sample_prior` fit them.
    """
    nodes = parse_tree(grammar, derivation)
    if past_caps(grammar, nodes):
        raise InputError(
            f"a scene of {grammar.world} grew past {grammar.max_nodes} nodes or depth "
            f"{grammar.max_depth}; lower its counts or raise max_nodes / max_depth in the grammar"
        )
    drafts: list[_Draft] = []
    restarts = 0
    while len(drafts) < len(nodes):  # preorder: a parent's extents are known before they are needed
        node = nodes[len(drafts)]
        if (draft := _place(grammar, nodes, drafts, node, rng)) is not None:
            drafts.append(draft)
            continue
        restarts += 1
        if restarts > RESTARTS:
            raise _no_room(grammar, node)
        _clear(drafts, drafts[node.parent])
    root = _freeze(grammar, nodes, drafts)
    return Scene(root, grammar.canvas, grammar.digest, tuple(map(int, derivation)))


def attribute_log_prob(grammar: Grammar, scene: Scene) -> float:
    """Log-density of the scene's attributes under the prior, given its structure.

    Densities are per unit as the grammar writes it (deg, fractions of the parent's width, ...).
    That things are drawn again until they have room is left out of account, as are the caps.
    """
    total = 0.0
    for written in written_values(grammar, scene):
        law = grammar.symbols[written.symbol].attributes[written.attribute].distribution
        at = law.at(written.k, written.n) if isinstance(law, Spread) else law
        total += at.log_prob(written.value)
    return total


class Written(NamedTuple):
    """One value of a scene as the grammar writes it, of the k-th of n siblings of its symbol."""

    symbol: str
    attribute: str
    value: Value  # in the attribute's own unit; nan for a fraction of nothing
    k: int
    n: int


def written_values(grammar: Grammar, scene: Scene) -> Iterator[Written]:
    """Every attribute of every node back in its own unit; InputError for another world's scene."""
    canvas = _canvas_extents(grammar)
    yield from _node_values(grammar, scene.root, 0, 1, canvas)
    stack = [(scene.root, _extents(scene.root.attributes, canvas))]
    while stack:
        node, extents = stack.pop()
        for child, k, n in _siblings(node.children):
            yield from _node_values(grammar, child, k, n, extents)
            stack.append((child, _extents(child.attributes, _NO_EXTENTS)))


@dataclass(slots=True)
class _Draft:
    """A scene node while the values of its tree are drawn."""

    values: dict[str, Value]
    extents: Mapping[str, float]  # its own width and height, px or m
    transform: Transform = _UNMOVED
    edges: dict[str, float] = field(default_factory=dict)  # symbol -> y where its last child ends
    spots: list[Spot] = field(default_factory=list)  # of its children, where some must find room
    fork: "_Fork | None" = None
    children: list[SceneNode] = field(default_factory=list)  # last first


class _Fork(NamedTuple):
    """What there was below a node before the first of its children that must find room."""

    nodes: int  # in the whole scene
    edges: dict[str, float]
    spots: int


def _place(
    grammar: Grammar,
    nodes: Sequence[Node],
    drafts: Sequence[_Draft],
    node: Node,
    rng: np.random.Generator,
) -> _Draft | None:
    """The node's values and frame; None: it finds no room."""
    symbol = grammar.symbols[node.symbol]
    above = None if node.parent < 0 else drafts[node.parent]
    if above is None or not grammar.has_conditions:
        return _draw(grammar, nodes, above, node, rng)
    if symbol.is_conditioned and above.fork is None:
        above.fork = _Fork(len(drafts), dict(above.edges), len(above.spots))
    for _ in range(TRIES):
        draft = _draw(grammar, nodes, above, node, rng)
        spot = spot_of(symbol.name, draft.transform, draft.values)
        if not symbol.is_conditioned or _has_room(draft, spot, above.spots):
            above.spots.append(spot)
            return draft
    return None


def _draw(
    grammar: Grammar,
    nodes: Sequence[Node],
    above: _Draft | None,
    node: Node,
    rng: np.random.Generator,
) -> _Draft:
    symbol = grammar.symbols[node.symbol]
    default = _canvas_extents(grammar) if above is None else _NO_EXTENTS
    parent = default if above is None else above.extents
    values: dict[str, Value] = {}
    for name, distribution, factor, relative in symbol.laws:
        if relative is not None:
            factor = _fraction(symbol.name, name, relative, parent)
        if isinstance(distribution, Spread):
            siblings = 1 if above is None else nodes[node.parent].totals[node.symbol]
            distribution = distribution.at(node.k, siblings)
        value = distribution.sample(rng)
        values[name] = value if factor == 1.0 or isinstance(value, str) else value * factor
    draft = _Draft(values, _extents(values, default) if symbol.has_extents else default)
    if symbol.is_placed:
        edges = {} if above is None else above.edges
        draft.transform = _transform(symbol, draft.values, draft.extents, edges)
    return draft


def _has_room(draft: _Draft, spot: Spot, others: Sequence[Spot]) -> bool:
    name = draft.values.get("inside")
    if name is not None:
        around = nearest_before(str(name), others)
        if around is None:
            raise InputError(
                f"a `{spot.symbol}` must lie inside a `{name}`, but none stands before it in its "
                f"rule; put `{name}` there, or remove `inside`"
            )
        if not lies_inside(spot, around):
            return False
    return stands_apart(spot, others)


def _clear(drafts: list[_Draft], above: _Draft) -> None:
    """Take away what stands below a node since the first child that had to find room."""
    assert above.fork is not None
    del drafts[above.fork.nodes :], above.spots[above.fork.spots :]
    above.edges = dict(above.fork.edges)


def _no_room(grammar: Grammar, node: Node) -> InputError:
    conditions = [n for n in CONDITIONS if n in grammar.symbols[node.symbol].attributes]
    return InputError(
        f"{RESTARTS} times a `{node.symbol}` of {grammar.world} found no room; make it smaller, "
        f"have fewer of them, or ease its {' and '.join(f'`{name}`' for name in conditions)}"
    )


def _transform(
    symbol: Symbol,
    values: Mapping[str, Value],
    extents: Mapping[str, float],
    edges: dict[str, float],
) -> Transform:
    """The frame that the values make; `edges` (symbol -> y) moves on to the node's far edge."""
    get = values.get
    y = float(get("y", 0.0))
    if "gap" in values:
        half = extents.get("height", 0.0) / 2
        y += edges.get(symbol.name, 0.0) + float(values["gap"]) + half
        edges[symbol.name] = y + half
    return Transform(
        float(get("x", 0.0)),
        y,
        float(get("z", get("layer", 0.0))),  # no symbol has both
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


# --------------------------------------------------------------------------------- changed values


def replaced(grammar: Grammar, scene: Scene, changes: Mapping[str, Mapping[str, Value]]) -> Scene:
    """The scene with other values: path -> attribute -> value in base units (px or m, radians).

    Paths are those of `Scene.walk`. Frames follow as `expand` would make them: siblings stack
    anew by their gaps. All other values stay what they are in base units, also those that were
    drawn as a fraction of a parent's extent. InputError for a path or an attribute that is not
    there.
    """
    forks: set[str] = set()  # paths of the nodes above a changed one
    for path, values in changes.items():
        _check_change(scene, path, values)
        numbers = path.split(".") if path else []
        forks |= {".".join(numbers[:k]) for k in range(len(numbers))}
    canvas = _canvas_extents(grammar)
    root = _changed(grammar, changes, forks, "", scene.root, {}, canvas)
    return replace(scene, root=root)


def _check_change(scene: Scene, path: str, values: Mapping[str, Value]) -> None:
    node = scene.root
    for number in path.split(".") if path else ():
        if not number.isdecimal() or int(number) >= len(node.children):
            raise InputError(f"the scene has no node {path}; take paths from Scene.walk")
        node = node.children[int(number)]
    for name in values:
        if name not in node.attributes:
            raise InputError(f"node {path or 'root'} (`{node.symbol}`) has no attribute `{name}`")


def _changed(
    grammar: Grammar,
    changes: Mapping[str, Mapping[str, Value]],
    forks: set[str],
    path: str,
    node: SceneNode,
    edges: dict[str, float],
    default: Mapping[str, float],
) -> SceneNode:
    """The node with its changes and those below it; `edges` as in `_transform`."""
    symbol = _symbol(grammar, node)
    values = {**node.attributes, **changes.get(path, {})}
    children = node.children
    if path in forks:
        prefix = f"{path}." if path else ""
        inner: dict[str, float] = {}
        children = tuple(
            _changed(grammar, changes, forks, f"{prefix}{k}", child, inner, _NO_EXTENTS)
            for k, child in enumerate(children)
        )
    transform = node.transform
    if symbol.is_placed:
        extents = _extents(values, default) if symbol.has_extents else default
        transform = _transform(symbol, values, extents, edges)
    return SceneNode(node.symbol, node.category, transform, values, node.asset, children)


# --------------------------------------------------------------------------------- written values


def _siblings(children: Sequence[SceneNode]) -> list[tuple[SceneNode, int, int]]:
    """Each child as the k-th of n that have its symbol: (child, k, n)."""
    total: dict[str, int] = {}
    ks: list[int] = []
    for child in children:
        ks.append(total.get(child.symbol, 0))
        total[child.symbol] = ks[-1] + 1
    return [(child, k, total[child.symbol]) for child, k in zip(children, ks, strict=True)]


def _node_values(
    grammar: Grammar, node: SceneNode, k: int, n: int, parent: Mapping[str, float]
) -> Iterator[Written]:
    for name, _, factor, relative in _symbol(grammar, node).laws:
        if name not in node.attributes:
            raise InputError(f"a `{node.symbol}` of the scene has no attribute `{name}`")
        if relative is not None:
            factor = _fraction(node.symbol, name, relative, parent)
        value = node.attributes[name]
        if not isinstance(value, str):
            value = value / factor if factor else math.nan
        yield Written(node.symbol, name, value, k, n)


def _symbol(grammar: Grammar, node: SceneNode) -> Symbol:
    if node.symbol not in grammar.symbols:
        raise InputError(f"{grammar.world} has no symbol `{node.symbol}`; is it the right grammar?")
    return grammar.symbols[node.symbol]
