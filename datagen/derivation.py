"""Derivations: which rules were used, in leftmost order; all that a structure model produces."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from datagen.distributions import Distribution, Spread, Value
from datagen.errors import InputError
from datagen.grammar import RELATIVE_UNITS, UNITS, Attribute, Grammar, Rule
from datagen.scene import Scene, SceneNode, Transform

Derivation = tuple[int, ...]


def sample_prior(grammar: Grammar, rng: np.random.Generator) -> Derivation:
    """A derivation under the grammar's own weights and counts."""
    chosen: list[int] = []
    waiting = [grammar.start]
    while waiting:
        name = waiting.pop()
        repeat = grammar.repeats.get(name)
        if repeat is not None:
            # The whole run at once: its count has its own law, and each item is expanded
            # before the next `more`, so the rest of the run waits below the item.
            left = int(repeat.count.sample(rng))
            waiting.extend(_run(repeat.symbol, repeat.item, left))
            continue
        if name.startswith(_MORE):
            rule = grammar.rules[grammar.repeats[name[1:]].more]
            chosen.append(rule.index)
        elif name.startswith(_STOP):
            chosen.append(grammar.repeats[name[1:]].stop)
        elif not grammar.is_terminal(name):
            rule = _choose(grammar.rules_of[name], rng)
            chosen.append(rule.index)
            waiting.extend(reversed(rule.children))
        if len(chosen) + len(waiting) > 4 * grammar.max_nodes:
            raise _too_large(grammar)
    return tuple(chosen)


# Marks of a repetition under way, put before its symbol; names of the language never begin so.
_MORE, _STOP = "+", "."


def _run(symbol: str, item: str, count: int) -> list[str]:
    """Stack entries, last first: more item more item ... stop."""
    entries = [_STOP + symbol]
    for _ in range(count):
        entries += [item, _MORE + symbol]
    return entries


def _choose(rules: tuple[Rule, ...], rng: np.random.Generator) -> Rule:
    if len(rules) == 1:
        return rules[0]
    left = rng.random()
    for rule in rules:
        left -= rule.weight
        if left < 0:
            return rule
    return max(rules, key=lambda rule: rule.weight)


def log_prob(grammar: Grammar, derivation: Sequence[int]) -> float:
    """Natural log-probability of the derivation under the prior; -inf when it is impossible."""
    total = 0.0
    for node in _parse_tree(grammar, derivation):
        repeat = grammar.repeats.get(node.symbol)
        if repeat is None:
            weight = grammar.rules[node.rule].weight
            total += math.log(weight) if weight > 0 else -math.inf
        elif not node.continues:
            total += repeat.count.log_prob(_run_length(node))
    return total


def attribute_log_prob(grammar: Grammar, scene: Scene) -> float:
    """Log-density of the scene's attributes under the prior, given its structure.

    Densities are per unit as the grammar writes it (deg, fractions of the parent's width, ...).
    """
    total = 0.0
    stack: list[tuple[SceneNode, dict[str, float]]] = []
    root = scene.root
    total += _node_log_prob(grammar, root, 0, 1, _canvas_extents(grammar))
    stack.append((root, _extents(root, _canvas_extents(grammar))))
    while stack:
        node, extents = stack.pop()
        for child, (k, n) in zip(node.children, _sibling_places(node.children), strict=True):
            total += _node_log_prob(grammar, child, k, n, extents)
            stack.append((child, _extents(child, {})))
    return total


def expand(grammar: Grammar, derivation: Sequence[int], rng: np.random.Generator) -> Scene:
    """The scene of a derivation: its tree with attributes drawn from the prior, parents first."""
    nodes = _parse_tree(grammar, derivation)
    root = nodes[0] if nodes else _Node(grammar.start)
    drafts = _drafts(grammar, root)
    for draft in drafts:  # preorder: a parent's extents are known before its children need them
        _place(grammar, draft, rng)
    for draft in reversed(drafts):
        draft.frozen = _freeze(grammar, draft)
    top = drafts[0].frozen
    assert top is not None and len(drafts) >= 1
    return Scene(top, grammar.canvas, grammar.digest, tuple(int(r) for r in derivation))


def recover(grammar: Grammar, scene: Scene) -> Derivation:
    """The derivation that a scene's tree came from (the first one, when the grammar is ambiguous)."""
    chosen: list[int] = []
    stack: list[SceneNode | int] = [scene.root]
    while stack:
        top = stack.pop()
        if isinstance(top, int):
            chosen.append(top)
            continue
        if grammar.is_terminal(top.symbol):
            continue
        steps = _match(grammar, top)
        stack.extend(reversed(steps))
    return tuple(chosen)


# ------------------------------------------------------------------------------------ parse tree


@dataclass(slots=True)
class _Node:
    """A symbol of the parse tree; repetition symbols included."""

    symbol: str
    rule: int = -1
    continues: bool = False  # a repetition symbol below another of the same run
    children: list["_Node"] = field(default_factory=list)


def _parse_tree(grammar: Grammar, derivation: Sequence[int]) -> list[_Node]:
    """Nodes that a rule expands, in leftmost order; the first is the root."""
    expanded: list[_Node] = []
    waiting = [] if grammar.is_terminal(grammar.start) else [_Node(grammar.start)]
    for index in derivation:
        if not waiting:
            raise InputError(f"derivation goes on after the last symbol (rule {index})")
        node = waiting.pop()
        if not 0 <= index < len(grammar.rules) or grammar.rules[index].lhs != node.symbol:
            raise InputError(f"rule {index} cannot expand `{node.symbol}` of {grammar.world}")
        rule = grammar.rules[index]
        node.rule = index
        node.children = [_Node(name) for name in rule.children]
        if node.symbol in grammar.repeats and node.children:
            node.children[-1].continues = True
        waiting.extend(c for c in reversed(node.children) if not grammar.is_terminal(c.symbol))
        expanded.append(node)
    if waiting:
        raise InputError(f"derivation ends before `{waiting[-1].symbol}` is expanded")
    return expanded


def _run_length(node: _Node) -> int:
    n = 0
    while node.children:
        n, node = n + 1, node.children[-1]
    return n


def _items(grammar: Grammar, node: _Node) -> list[_Node]:
    """The children that the scene has: runs are laid flat."""
    flat: list[_Node] = []
    for child in node.children:
        while child.symbol in grammar.repeats and child.children:
            flat.append(child.children[0])
            child = child.children[1]
        if child.symbol not in grammar.repeats:
            flat.append(child)
    return flat


# ------------------------------------------------------------------------------------ attributes


@dataclass(slots=True)
class _Draft:
    """A scene node while its values are drawn."""

    node: _Node
    parent: "_Draft | None"
    k: int  # this is the k-th of n siblings with its symbol
    n: int
    before: "_Draft | None"  # the (k-1)-th
    children: list["_Draft"] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    extents: dict[str, float] = field(default_factory=dict)
    y: float = 0.0
    frozen: SceneNode | None = None


def _drafts(grammar: Grammar, root: _Node) -> list[_Draft]:
    """Drafts in preorder."""
    top = _Draft(root, None, 0, 1, None)
    order, stack = [], [(top, 0)]
    while stack:
        draft, depth = stack.pop()
        order.append(draft)
        if depth > grammar.max_depth or len(order) > grammar.max_nodes:
            raise _too_large(grammar)
        items = _items(grammar, draft.node)
        last: dict[str, _Draft] = {}
        total: dict[str, int] = {}
        for item in items:
            total[item.symbol] = total.get(item.symbol, 0) + 1
        for item in items:
            before = last.get(item.symbol)
            k = 0 if before is None else before.k + 1
            child = _Draft(item, draft, k, total[item.symbol], before)
            last[item.symbol] = child
            draft.children.append(child)
        stack.extend((child, depth + 1) for child in reversed(draft.children))
    return order


def _place(grammar: Grammar, draft: _Draft, rng: np.random.Generator) -> None:
    parent = _canvas_extents(grammar) if draft.parent is None else draft.parent.extents
    symbol = grammar.symbols[draft.node.symbol]
    for name, attribute in symbol.attributes.items():
        law = _law(attribute.distribution, draft.k, draft.n)
        draft.values[name] = _to_base(
            law.sample(rng), _factor(symbol.name, name, attribute, parent)
        )
    draft.extents = _extents_of(
        draft.values, _canvas_extents(grammar) if draft.parent is None else {}
    )
    draft.y = float(draft.values.get("y", 0.0))
    if "gap" in draft.values:
        edge = 0.0
        if draft.before is not None:
            edge = draft.before.y + draft.before.extents.get("height", 0.0) / 2
        draft.y += edge + float(draft.values["gap"]) + draft.extents.get("height", 0.0) / 2


def _freeze(grammar: Grammar, draft: _Draft) -> SceneNode:
    symbol = grammar.symbols[draft.node.symbol]
    get = draft.values.get
    transform = Transform(
        float(get("x", 0.0)),
        draft.y,
        float(get("layer", 0.0)),
        float(get("yaw", 0.0)),
        float(get("scale", 1.0)),
    )
    children = tuple(child.frozen for child in draft.children if child.frozen is not None)
    asset = None if symbol.draw is None else str(symbol.draw)
    return SceneNode(symbol.name, symbol.category, transform, draft.values, asset, children)


def _law(distribution: Distribution, k: int, n: int) -> Distribution:
    return distribution.at(k, n) if isinstance(distribution, Spread) else distribution


def _factor(symbol: str, name: str, attribute: Attribute, parent: dict[str, float]) -> float:
    if attribute.unit not in RELATIVE_UNITS:
        return UNITS[attribute.unit]
    if attribute.unit not in parent:
        raise InputError(
            f"`{symbol}.{name}` is a fraction of its parent's {attribute.unit}, but the parent has "
            f"no attribute `{attribute.unit}`; give it one or use px"
        )
    return parent[attribute.unit]


def _to_base(value: Value, factor: float) -> Value:
    return value if isinstance(value, str) or factor == 1.0 else value * factor


def _canvas_extents(grammar: Grammar) -> dict[str, float]:
    return {"width": float(grammar.canvas[0]), "height": float(grammar.canvas[1])}


def _extents_of(values: dict[str, Value], default: dict[str, float]) -> dict[str, float]:
    own = {u: float(values[u]) for u in RELATIVE_UNITS if u in values}
    return {**default, **own}


def _extents(node: SceneNode, default: dict[str, float]) -> dict[str, float]:
    return _extents_of(dict(node.attributes), default)


def _sibling_places(children: Sequence[SceneNode]) -> list[tuple[int, int]]:
    total: dict[str, int] = {}
    ks = []
    for child in children:
        ks.append(total.get(child.symbol, 0))
        total[child.symbol] = ks[-1] + 1
    return [(k, total[c.symbol]) for k, c in zip(ks, children, strict=True)]


def _node_log_prob(
    grammar: Grammar, node: SceneNode, k: int, n: int, parent: dict[str, float]
) -> float:
    total = 0.0
    symbol = grammar.symbols[node.symbol]
    for name, attribute in symbol.attributes.items():
        value = node.attributes[name]
        factor = _factor(node.symbol, name, attribute, parent)
        if not isinstance(value, str):
            if factor == 0:
                return -math.inf
            value = value / factor
        total += _law(attribute.distribution, k, n).log_prob(value)
    return total


# --------------------------------------------------------------------------------------- recover


def _match(grammar: Grammar, node: SceneNode) -> list[SceneNode | int]:
    """The rule of `node`, then its children in order with the rules of the runs between them."""
    names = [child.symbol for child in node.children]
    for rule in grammar.rules_of[node.symbol]:
        counts = _fit(grammar, rule.children, names)
        if counts is not None:
            return [rule.index, *_interleave(grammar, rule, counts, node.children)]
    raise InputError(f"no rule of `{node.symbol}` has the children {' '.join(names) or 'empty'}")


def _fit(grammar: Grammar, pattern: Sequence[str], names: list[str]) -> list[int] | None:
    """How many names each pattern symbol takes (1, or the length of its run); None: no fit.

    Runs are greedy and give back when the rest does not fit; a stack replaces recursion.
    """
    stack: list[list[int]] = [[]]
    while stack:
        counts = stack.pop()
        at, j = sum(counts), len(counts)
        if j == len(pattern):
            if at == len(names):
                return counts
            continue
        repeat = grammar.repeats.get(pattern[j])
        if repeat is None:
            if at < len(names) and names[at] == pattern[j]:
                stack.append([*counts, 1])
            continue
        longest = 0
        while at + longest < len(names) and names[at + longest] == repeat.item:
            longest += 1
        stack.extend([*counts, n] for n in range(longest + 1))
    return None


def _interleave(
    grammar: Grammar, rule: Rule, counts: list[int], children: Sequence[SceneNode]
) -> list[SceneNode | int]:
    steps: list[SceneNode | int] = []
    at = 0
    for name, count in zip(rule.children, counts, strict=True):
        repeat = grammar.repeats.get(name)
        if repeat is None:
            steps.append(children[at])
        else:
            for child in children[at : at + count]:
                steps += [repeat.more, child]
            steps.append(repeat.stop)
        at += count
    return steps


def _too_large(grammar: Grammar) -> InputError:
    return InputError(
        f"a scene of {grammar.world} grew past {grammar.max_nodes} nodes or depth "
        f"{grammar.max_depth}; lower its counts or raise max_nodes / max_depth in the grammar"
    )
