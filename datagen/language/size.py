"""How large scenes of a grammar are: at least, on average, and whether they end at all."""

import heapq
import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from datagen.distributions import mean_of, smallest
from datagen.grammar import Grammar, Rule


def expected_counts(grammar: Grammar) -> dict[str, float]:
    """Symbol -> how many nodes of it a scene has on average, the root included.

    A branching process: counts n solve n = start + n M, with M the mean matrix. Where recursion
    does not die out by itself, the sum stops at the grammar's max_depth.
    """
    names = list(grammar.symbols)
    means = mean_matrix(grammar, names)
    start = np.zeros(len(names))
    start[names.index(grammar.start)] = 1.0
    live = _reached(means, names.index(grammar.start))
    counts = np.zeros(len(names))
    within = means[np.ix_(live, live)]
    if _radius(within) < 1:
        counts[live] = np.linalg.solve(np.eye(len(live)) - within.T, start[live])
    else:
        counts[live] = _truncated(within, start[live], grammar.max_depth)
    return dict(zip(names, counts.tolist(), strict=True))


def expected_things(grammar: Grammar) -> dict[str, float]:
    """Category -> how many labelled things a scene has on average, in category order."""
    things = dict.fromkeys(grammar.categories, 0.0)
    for name, count in expected_counts(grammar).items():
        category = grammar.symbols[name].category
        if category is not None:
            things[category] += count
    return things


def mean_matrix(grammar: Grammar, names: list[str]) -> np.ndarray:
    """float64 [N, N]: expected number of children j under one node i; runs count as their items."""
    place = {name: k for k, name in enumerate(names)}
    means = np.zeros((len(names), len(names)))
    for rule in grammar.rules:
        if rule.lhs in grammar.repeats:
            continue
        for child in rule.children:
            repeat = grammar.repeats.get(child)
            n = 1.0 if repeat is None else mean_of(repeat.count)
            item = child if repeat is None else repeat.item
            means[place[rule.lhs], place[item]] += rule.weight * n
    return means


def reachable(grammar: Grammar) -> set[str]:
    """Symbols that can stand in a scene, by rules and counts of positive probability."""
    names = list(grammar.symbols)
    live = _reached(mean_matrix(grammar, names), names.index(grammar.start))
    return {names[k] for k in live}


def growth(grammar: Grammar) -> float:
    """Spectral radius of the reachable mean matrix: below 1 recursion dies out by itself."""
    names = list(grammar.symbols)
    means = mean_matrix(grammar, names)
    live = _reached(means, names.index(grammar.start))
    return _radius(means[np.ix_(live, live)])


def _radius(means: np.ndarray) -> float:
    """Spectral radius; exact about being below 1.

    It is below 1 if and only if (I - M) v = 1 has a positive solution, which is quick and robust;
    the eigenvalues only give the number. They are left out (inf) where they would take minutes.
    """
    core = _core(means)
    within = means[np.ix_(core, core)]
    try:
        v = np.linalg.solve(np.eye(len(core)) - within, np.ones(len(core)))
    except np.linalg.LinAlgError:
        v = np.full(len(core), -1.0)
    bounded = bool(np.all(v > 0.5) and np.all(v < 1e12))
    if len(core) == 0 or len(core) > 400:
        return 0.0 if bounded else math.inf
    radius = float(np.abs(np.linalg.eigvals(within)).max())
    return min(radius, 1 - 1e-12) if bounded else max(radius, 1.0)


def _core(means: np.ndarray) -> np.ndarray:
    """Indices of the symbols on or between cycles; the others cannot make a scene endless."""
    edges = means > 0
    out, into = edges.sum(axis=1), edges.sum(axis=0)
    alive = np.ones(len(means), dtype=bool)
    while len(gone := np.flatnonzero(alive & ((out == 0) | (into == 0)))):
        alive[gone] = False
        out -= edges[:, gone].sum(axis=1)
        into -= edges[gone].sum(axis=0)
    return np.flatnonzero(alive)


def _reached(means: np.ndarray, start: int) -> list[int]:
    seen, stack = {start}, [start]
    while stack:
        for child in np.flatnonzero(means[stack.pop()]).tolist():
            if child not in seen:
                seen.add(child)
                stack.append(child)
    return sorted(seen)


def _truncated(means: np.ndarray, start: np.ndarray, depth: int) -> np.ndarray:
    total, level = start.copy(), start
    with np.errstate(over="ignore"):  # an explosion may pass the largest float; it stays there
        for _ in range(depth):
            level = np.minimum(level @ means, 1e300)
            total = np.minimum(total + level, 1e300)
    return total


# ------------------------------------------------------------------------------- smallest scenes


def least_nodes(grammar: Grammar) -> dict[str, float]:
    """Symbol -> nodes of its smallest tree; symbols that never end are absent."""
    return _least(grammar, lambda pairs: 1.0 + sum(n * value for n, value in pairs))


def least_depth(grammar: Grammar) -> dict[str, float]:
    """Symbol -> edges on the longest path of its shallowest tree."""
    return _least(grammar, lambda pairs: max((1.0 + value for _, value in pairs), default=0.0))


def _least(
    grammar: Grammar, combine: Callable[[Iterable[tuple[float, float]]], float]
) -> dict[str, float]:
    """Knuth's generalisation of Dijkstra's algorithm: symbols settle in order of their value."""
    needs = {rule.index: _needs(grammar, rule) for rule in grammar.rules if rule.weight > 0}
    users: dict[str, list[Rule]] = {}
    open_needs = {index: len(needed) for index, needed in needs.items()}
    for index, needed in needs.items():
        for name in needed:
            users.setdefault(name, []).append(grammar.rules[index])
    settled: dict[str, float] = {}
    heap = [(combine(()), name) for name in grammar.symbols if grammar.is_terminal(name)]
    heap += [(combine(()), grammar.rules[i].lhs) for i, left in open_needs.items() if not left]
    heapq.heapify(heap)
    while heap:
        value, name = heapq.heappop(heap)
        if name in settled:
            continue
        settled[name] = value
        for rule in users.get(name, ()):
            open_needs[rule.index] -= 1
            if not open_needs[rule.index]:
                pairs = ((n, settled[child]) for child, n in needs[rule.index].items())
                heapq.heappush(heap, (combine(pairs), rule.lhs))
    return settled


def _needs(grammar: Grammar, rule: Rule) -> Mapping[str, float]:
    """Item -> how many of it the rule cannot do without."""
    needed: dict[str, float] = {}
    if rule.lhs in grammar.repeats:
        return needed
    for child in rule.children:
        repeat = grammar.repeats.get(child)
        n = 1.0 if repeat is None else smallest(repeat.count)
        if n > 0:
            item = child if repeat is None else repeat.item
            needed[item] = needed.get(item, 0.0) + n
    return needed
