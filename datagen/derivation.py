"""Derivations: which rules were used, in leftmost order; all that a structure model produces."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from datagen.errors import InputError
from datagen.grammar import Grammar, Rule
from datagen.rng import Stream, rng_for
from datagen.scene import Scene, SceneNode

Derivation = tuple[int, ...]
Cap = Literal["max_depth", "max_nodes"]

TRIES = 1000  # a grammar whose scenes fit its caps more rarely was surely not meant so


def sample_prior(grammar: Grammar, rng: np.random.Generator) -> Derivation:
    """A derivation under the grammar's own weights and counts, given that its scene fits the caps.

    A scene that outgrows max_depth or max_nodes is dropped as soon as it does, and drawn again:
    the prior is conditioned on the caps. Most grammars never reach them; `outgrown` tells.
    """
    for _ in range(TRIES):
        drawn = _draw(grammar, rng)
        if isinstance(drawn, tuple):
            return drawn
    raise InputError(
        f"{TRIES} scenes of {grammar.world} in a row outgrew max_depth {grammar.max_depth} or "
        f"max_nodes {grammar.max_nodes}; raise these caps in the grammar, or lower its counts and "
        "its recursive probabilities"
    )


def outgrown(grammar: Grammar, draws: int = 500) -> dict[Cap, float]:
    """Cap -> share of scenes that outgrow it and are drawn again, estimated; only what occurs."""
    drawn = [_draw(grammar, rng_for(0, k, Stream.SCENE)) for k in range(draws)]
    caps: tuple[Cap, ...] = ("max_depth", "max_nodes")
    return {cap: drawn.count(cap) / draws for cap in caps if cap in drawn}


def _draw(grammar: Grammar, rng: np.random.Generator) -> Derivation | Cap:
    """One try: a derivation, or the first cap that its scene outgrows."""
    chosen: list[int] = []
    nodes = 0
    # A number stands for a rule that is chosen already: one of a run whose count is drawn.
    waiting: list[tuple[str | int, int]] = [(grammar.start, 0)]
    while waiting:
        name, depth = waiting.pop()
        if isinstance(name, int):
            chosen.append(name)
            continue
        repeat = grammar.repeats.get(name)
        if repeat is not None:
            count = int(repeat.count.sample(rng))
            if nodes + count > grammar.max_nodes:
                return "max_nodes"
            waiting.append((repeat.stop, depth))
            waiting.extend([(repeat.item, depth), (repeat.more, depth)] * count)
            continue
        nodes += 1
        if depth > grammar.max_depth:
            return "max_depth"
        if nodes > grammar.max_nodes:
            return "max_nodes"
        rules = grammar.rules_of.get(name)
        if rules is not None:
            rule = _choose(rules, rng)
            chosen.append(rule.index)
            waiting.extend((child, depth + 1) for child in reversed(rule.children))
    return tuple(chosen)


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
    """Natural log-probability under the grammar's weights and counts; -inf when impossible.

    The caps are left out of account. Where `sample_prior` draws again, its own log-probability is
    this minus the constant log P(a scene fits the caps), and -inf past the caps.
    """
    total = 0.0
    for node in parse_tree(grammar, derivation):
        if node.rule is not None:
            total += math.log(node.rule.weight) if node.rule.weight > 0 else -math.inf
        for name, length in node.runs:
            total += grammar.repeats[name].count.log_prob(length)
    return total


# ------------------------------------------------------------------------------------ parse tree


@dataclass(slots=True)
class Node:
    """A node of the scene to be. Runs are laid flat: repetition symbols make no nodes."""

    symbol: str
    parent: int  # its place in the list of nodes; -1: this is the root
    depth: int
    k: int  # this is the k-th child of its parent, from 0, among those with its symbol
    rule: Rule | None = None  # None: a terminal
    totals: dict[str, int] = field(default_factory=dict)  # symbol -> children with it
    runs: list[tuple[str, int]] = field(default_factory=list)  # repetition symbol, its length


def parse_tree(grammar: Grammar, derivation: Sequence[int]) -> list[Node]:
    """The scene's nodes in preorder, the root first; InputError when a rule does not fit."""
    root = Node(grammar.start, -1, 0, 0)
    nodes = [root]
    steps = iter(derivation)
    # A symbol, its parent's place, and for a repetition the number of items before it.
    waiting = _apply(grammar, root, 0, steps)
    while waiting:
        name, parent, items = waiting.pop()
        above = nodes[parent]
        repeat = grammar.repeats.get(name)
        if repeat is None:
            k = above.totals.get(name, 0)
            above.totals[name] = k + 1
            node = Node(name, parent, above.depth + 1, k)
            nodes.append(node)
            waiting += _apply(grammar, node, len(nodes) - 1, steps)
        elif _step(grammar, name, steps).index == repeat.more:
            waiting += ((name, parent, items + 1), (repeat.item, parent, 0))
        else:
            above.runs.append((name, items))
    left_over = next(steps, None)
    if left_over is not None:
        raise InputError(f"derivation goes on after the last symbol (rule {left_over})")
    return nodes


def _apply(
    grammar: Grammar, node: Node, place: int, steps: Iterator[int]
) -> list[tuple[str, int, int]]:
    """Expand the node by the next rule; its children, last first."""
    if node.symbol not in grammar.rules_of:
        return []
    node.rule = _step(grammar, node.symbol, steps)
    return [(child, place, 0) for child in reversed(node.rule.children)]


def _step(grammar: Grammar, name: str, steps: Iterator[int]) -> Rule:
    index = next(steps, None)
    if index is None:
        raise InputError(f"derivation ends before `{name}` is expanded")
    if not 0 <= index < len(grammar.rules) or grammar.rules[index].lhs != name:
        raise InputError(f"rule {index} cannot expand `{name}` of {grammar.world}")
    return grammar.rules[index]


def past_caps(grammar: Grammar, nodes: Sequence[Node]) -> bool:
    """Is the scene larger or deeper than the grammar allows? The root has depth 0."""
    return len(nodes) > grammar.max_nodes or any(n.depth > grammar.max_depth for n in nodes)


# --------------------------------------------------------------------------------------- recover


def recover(grammar: Grammar, scene: Scene) -> Derivation:
    """The derivation that a scene's tree came from; the first one, if the grammar is ambiguous."""
    if scene.root.symbol != grammar.start:
        raise InputError(
            f"the scene begins with `{scene.root.symbol}`, {grammar.world} with `{grammar.start}`"
        )
    chosen: list[int] = []
    stack: list[SceneNode | int] = [scene.root]
    while stack:
        top = stack.pop()
        if isinstance(top, int):
            chosen.append(top)
        else:
            stack.extend(reversed(_match(grammar, top)))
    return tuple(chosen)


def _match(grammar: Grammar, node: SceneNode) -> list[SceneNode | int]:
    """The rule of `node`, then its children in order with the rules of the runs between them."""
    names = [child.symbol for child in node.children]
    if grammar.is_terminal(node.symbol) and not names:
        return []
    for rule in grammar.rules_of.get(node.symbol, ()):
        counts = _fit(grammar, rule.children, names)
        if counts is not None:
            return [rule.index, *_interleave(grammar, rule, counts, node.children)]
    raise InputError(f"no rule of `{node.symbol}` has the children {' '.join(names) or 'empty'}")


def _fit(grammar: Grammar, pattern: Sequence[str], names: list[str]) -> list[int] | None:
    """How many names each pattern symbol takes (1, or the length of its run); None: no fit.

    Runs are greedy and give back when the rest does not fit; a stack replaces recursion.
    """
    stack: list[list[int]] = [[]]
    tried: set[tuple[int, int]] = set()  # or runs side by side would take exponential time
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
        if (at, j) in tried:
            continue
        tried.add((at, j))
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
