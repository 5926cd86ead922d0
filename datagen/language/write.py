"""Grammar to text: the inverse of `parse`, in one canonical layout."""

import json
import re
from dataclasses import fields

from datagen.distributions import BY_NAME, Choice, Constant, Distribution, Mixture, Truncated, Value
from datagen.grammar import Attribute, Draw, Grammar, Rule, Symbol
from datagen.language.explain import HEADER_WORDS
from datagen.language.laws import DISTRIBUTIONS
from datagen.language.size import growth

_NAMES = {kind: name for name, kind in BY_NAME.items()}
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WIDTH = 100  # alternatives of a longer rule get a line each


def write(grammar: Grammar) -> str:
    """Text with `parse(write(grammar)) == grammar`; comments of the original are not kept."""
    sections = [_headers(grammar), _rules(grammar), *_blocks(grammar)]
    return "\n".join(section for section in sections if section)


def law_text(distribution: Distribution) -> str:
    """A distribution as the language writes it, without a unit."""
    match distribution:
        case Constant(value):
            return _value(value)
        case Truncated(base, low, high):
            return f"{law_text(base)} in [{_number(low)}, {_number(high)}]"
        case Choice(values, weights):
            return _weighted("choice", [_value(v) for v in values], weights)
        case Mixture(components, weights):
            return _weighted("mix", [law_text(c) for c in components], weights)
    parameters = [
        value
        for field in fields(distribution)  # type: ignore[arg-type]
        if (value := getattr(distribution, field.name)) != field.default
    ]
    return f"{_NAMES[type(distribution)]}({', '.join(map(_number, parameters))})"


def attribute_text(attribute: Attribute) -> str:
    """A distribution with its unit, as it stands behind a key."""
    unit = f" {attribute.unit}" if attribute.unit else ""
    law = attribute.distribution
    if isinstance(law, Truncated):
        base, _, bounds = law_text(law).partition(" in ")
        return f"{base}{unit} in {bounds}"
    return law_text(law) + unit


def children_text(grammar: Grammar, rule: Rule) -> str:
    """A rule's right-hand side, repetitions written out; `empty` for nothing."""
    words = []
    for child in rule.children:
        repeat = grammar.repeats.get(child)
        words.append(child if repeat is None else f"{repeat.item} * {law_text(repeat.count)}")
    return " ".join(words) or "empty"


def _number(x: float) -> str:
    # numpy's numbers come out of learning; their own repr is not a number of the language.
    return str(x) if isinstance(x, int) else repr(float(x))


def _weight(x: float) -> str:
    return str(int(x)) if x == int(x) else _number(x)


def _value(value: Value) -> str:
    return _string(value, quoted=False) if isinstance(value, str) else _number(value)


def _string(text: str, *, quoted: bool) -> str:
    reserved = text in DISTRIBUTIONS or text.lower() in ("nan", "inf")
    if not quoted and _BARE.fullmatch(text) and not reserved:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _weighted(name: str, parts: list[str], weights: tuple[float, ...]) -> str:
    shown = [p if w == 1 else f"{p} {_weight(w)}" for p, w in zip(parts, weights, strict=True)]
    return f"{name}({', '.join(shown)})"


def _headers(grammar: Grammar) -> str:
    lines = [
        f"world {_string(grammar.world, quoted=grammar.world in HEADER_WORDS)}",
        f"canvas {grammar.canvas[0]} x {grammar.canvas[1]}",
        f"start {grammar.start}",
    ]
    # A grammar whose recursion does not die out is only accepted with an explicit cap.
    if grammar.max_depth != Grammar.max_depth or growth(grammar) >= 1:
        lines.append(f"max_depth {grammar.max_depth}")
    if grammar.max_nodes != Grammar.max_nodes:
        lines.append(f"max_nodes {grammar.max_nodes}")
    for asset in grammar.assets.values():
        lines.append(f"asset {asset.name}: {asset.kind} {_string(asset.source, quoted=True)}")
    return "\n".join(lines) + "\n"


def _rules(grammar: Grammar) -> str:
    shown = [n for n in grammar.rules_of if n not in grammar.repeats]
    return "".join(_rule(grammar, name) for name in shown)


def _rule(grammar: Grammar, name: str) -> str:
    rules = grammar.rules_of[name]
    equal = all(rule.weight == 1.0 / len(rules) for rule in rules)
    alternatives = [
        children_text(grammar, rule) + ("" if equal else f" [{_number(float(rule.weight))}]")
        for rule in rules
    ]
    line = f"{name} -> {' | '.join(alternatives)}\n"
    if len(line) <= _WIDTH:
        return line
    return f"{name} -> " + f"\n{' ' * len(name)}  | ".join(alternatives) + "\n"


def _blocks(grammar: Grammar) -> list[str]:
    return [
        _block(symbol)
        for symbol in grammar.symbols.values()
        if grammar.is_terminal(symbol.name) or _described(symbol)
    ]


def _described(symbol: Symbol) -> bool:
    return bool(symbol.category is not None or symbol.draw or symbol.attributes)


def _block(symbol: Symbol) -> str:
    if not _described(symbol):
        return f"{symbol.name} {{}}\n"
    lines = []
    if symbol.category is not None:
        lines.append(f"  category: {_string(symbol.category, quoted=True)}\n")
    if symbol.draw is not None:
        lines.append(f"  draw: {_draw(symbol.draw)}\n")
    for name, attribute in symbol.attributes.items():
        lines.append(f"  {name}: {attribute_text(attribute)}\n")
    return f"{symbol.name} {{\n{''.join(lines)}}}\n"


def _draw(draw: Draw) -> str:
    if draw.label is None:
        return draw.painter
    return f"{draw.painter}({_string(draw.label, quoted=True)})"
