"""Lint: what a grammar may say but surely did not mean."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import Literal

from datagen.distributions import Choice, Constant, largest
from datagen.grammar import PLACEMENT, RELATIVE_UNITS, Asset, Attribute, Grammar, Rule, Symbol
from datagen.language.laws import has_words, names_in
from datagen.language.size import reachable

_LENGTHS = ("px", "m", "cm", *RELATIVE_UNITS)
_ANGLES = ("deg", "rad")
# Keys with a meaning of their own; one-letter names have no near misses.
_KEYS = tuple(k for k in (*PLACEMENT, *RELATIVE_UNITS, "category", "stuff", "draw") if len(k) > 1)


@dataclass(frozen=True)
class Finding:
    """One remark. An error makes scenes fail or labels wrong; a warning is likely a slip."""

    severity: Literal["error", "warning"]
    message: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.severity}: {self.message}"


def check(grammar: Grammar) -> list[Finding]:
    """Every finding, in order of the file."""
    findings = [
        *_unreachable(grammar),
        *_unused_assets(grammar),
        *_ambiguous(grammar),
        *_never_used(grammar),
        *_unlabelled(grammar),
    ]
    for symbol in grammar.symbols.values():
        findings += _enclosed(grammar, symbol)
    parents = _parents(grammar)
    for symbol in grammar.symbols.values():
        for name, attribute in symbol.attributes.items():
            findings += _attribute(name, attribute)
            if attribute.unit in RELATIVE_UNITS:
                findings += _orphans(grammar, parents.get(symbol.name, set()), name, attribute)
    return sorted(set(findings), key=lambda f: (f.line, f.column, f.message))


def _warning(place: Symbol | Rule | Asset | Attribute, message: str) -> Finding:
    return Finding("warning", message, place.line, place.column)


def _error(place: Attribute, message: str) -> Finding:
    return Finding("error", message, place.line, place.column)


def _unreachable(grammar: Grammar) -> Iterator[Finding]:
    live = reachable(grammar)
    for symbol in grammar.symbols.values():
        if symbol.name not in live:
            yield _warning(symbol, f"`{symbol.name}` can never stand in a scene")


def _unused_assets(grammar: Grammar) -> Iterator[Finding]:
    used = {symbol.draw.painter for symbol in grammar.symbols.values() if symbol.draw}
    for asset in grammar.assets.values():
        if asset.name not in used:
            yield _warning(asset, f"asset `{asset.name}` is not used by any `draw:`")


def _ambiguous(grammar: Grammar) -> Iterator[Finding]:
    for name, rules in grammar.rules_of.items():
        seen: set[tuple[str, ...]] = set()
        for rule in rules if name not in grammar.repeats else ():
            shape = tuple(_laid_flat(grammar, child) for child in rule.children)
            if shape in seen:
                yield _warning(rule, f"`{name}` has this alternative twice; join their weights")
            seen.add(shape)
            for left, right in pairwise(shape):
                if left == right and left.endswith("*"):
                    message = f"two repetitions of `{left[:-1]}` side by side cannot be told apart"
                    yield _warning(rule, f"{message}; join them")


def _laid_flat(grammar: Grammar, child: str) -> str:
    return f"{_item(grammar, child)}*" if child in grammar.repeats else child


def _item(grammar: Grammar, child: str) -> str:
    """The symbol that a child stands for, or a run of which it is."""
    repeat = grammar.repeats.get(child)
    return child if repeat is None else repeat.item


def _never_used(grammar: Grammar) -> Iterator[Finding]:
    for rule in grammar.rules:
        if rule.weight == 0:
            yield _warning(rule, f"this alternative of `{rule.lhs}` has probability 0")


def _unlabelled(grammar: Grammar) -> Iterator[Finding]:
    if not grammar.categories:
        rule = grammar.rules_of[grammar.start][0]
        yield _warning(rule, 'nothing is labelled; add `category: "..."` to what counts')


def _enclosed(grammar: Grammar, symbol: Symbol) -> Iterator[Finding]:
    """What a thing is to lie `inside` must stand before it, and have a width and a height."""
    attribute = symbol.attributes.get("inside")
    names = attribute and names_in(attribute.distribution)
    if not attribute or not names:
        return
    for name in names:
        if missing := [
            side for side in RELATIVE_UNITS if side not in grammar.symbols[name].attributes
        ]:
            yield _error(attribute, f"`{name}` has no {' and no '.join(missing)} to lie inside of")
    for rule in grammar.rules:
        shape = [_item(grammar, child) for child in rule.children]
        first = shape.index(symbol.name) if symbol.name in shape else 0
        for name in names if rule.lhs not in grammar.repeats and symbol.name in shape else ():
            if name not in shape[:first]:
                message = f"no `{name}` stands before `{symbol.name}` in this rule of `{rule.lhs}`"
                yield Finding("error", message, rule.line, rule.column)


# ------------------------------------------------------------------------------------ attributes


def _attribute(name: str, attribute: Attribute) -> Iterator[Finding]:
    if name not in _KEYS:
        near = get_close_matches(name.lower(), _KEYS, n=1, cutoff=0.75)
        if near or name in ("X", "Y", "Z"):
            meant = near[0] if near else name.lower()
            yield _warning(attribute, f"`{name}` places nothing; did you mean `{meant}`?")
    yield from _unit(name, attribute)


def _unit(name: str, attribute: Attribute) -> Iterator[Finding]:
    unit = attribute.unit
    if name == "yaw" and unit in _LENGTHS:
        yield _error(attribute, f"`yaw` is an angle, not a length in {unit}; write deg or rad")
    if name in ("x", "y", "z", "gap", "apart", "width", "height") and unit in _ANGLES:
        yield _error(attribute, f"`{name}` is a length, not an angle in {unit}")
    if name in ("scale", "layer") and unit:
        yield _error(attribute, f"`{name}` has no unit; remove {unit}")
    if name == "yaw" and not unit and not has_words(attribute.distribution):
        reach = _reach(attribute)
        if math.isfinite(reach) and reach > 2 * math.pi:
            yield _warning(attribute, f"`yaw` reaches {reach:g} radians; did you mean deg?")
        if attribute.mutable is not None:
            message = "`yaw` is learned as a plain number, not as an angle; write rad or deg"
            yield _warning(attribute, message)


def _reach(attribute: Attribute) -> float:
    law = attribute.distribution
    if isinstance(law, Choice):
        return max(abs(float(v)) for v in law.values)
    return abs(float(law.value)) if isinstance(law, Constant) else largest(law)


def _orphans(
    grammar: Grammar, parents: set[str], name: str, attribute: Attribute
) -> Iterator[Finding]:
    """Parents without the extent that a relative unit is a fraction of; the root has one."""
    for parent in sorted(parents):
        if parent == grammar.start or attribute.unit in grammar.symbols[parent].attributes:
            continue
        yield _error(
            attribute,
            f"`{name}` is a fraction of its parent's {attribute.unit}, but `{parent}` has no "
            f"attribute `{attribute.unit}`; add it there or use px here",
        )


def _parents(grammar: Grammar) -> dict[str, set[str]]:
    """Symbol -> the symbols whose rules name it, through repetitions."""
    parents: dict[str, set[str]] = {}
    for rule in grammar.rules:
        for child in rule.children if rule.lhs not in grammar.repeats else ():
            parents.setdefault(_item(grammar, child), set()).add(rule.lhs)
    return parents
