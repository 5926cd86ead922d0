"""Grammar to text: the inverse of `parse`, in one canonical layout."""

import json
import re
from collections.abc import Sequence
from dataclasses import fields
from textwrap import wrap

from datagen.distributions import BY_NAME, Choice, Constant, Distribution, Mixture, Truncated, Value
from datagen.grammar import Attribute, Draw, Grammar, Repeat, Rule, Symbol
from datagen.language.explain import HEADER_WORDS
from datagen.language.intervals import Intervals, bracketed, moments_text
from datagen.language.laws import DISTRIBUTIONS
from datagen.language.mutability import natural_range
from datagen.language.size import growth

_NAMES = {kind: name for name, kind in BY_NAME.items()}
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WIDTH = 100  # alternatives of a longer rule get a line each


def write(grammar: Grammar) -> str:
    """Text with `parse(write(grammar)) == grammar`; comments of the original are not kept."""
    return written(grammar, ())


def written(grammar: Grammar, notes: Sequence[str], intervals: Intervals | None = None) -> str:
    """The same with comments: notes, a paragraph each, at the top, and intervals of its numbers.

    An interval stands behind its alternative or attribute, or above where the line is long.
    """
    sure = intervals or Intervals()
    sections = [
        "".join(map(_note, notes)),
        _headers(grammar),
        _rules(grammar, sure),
        *_blocks(grammar, sure),
    ]
    return "\n".join(section for section in sections if section)


def _note(note: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in note)
    lines = wrap(text, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in lines)


def _remarked(line: str, remark: str, width: int = 0) -> str:
    """The line with its remark behind it, from column `width` on, or above."""
    if not remark:
        return f"{line}\n"
    behind = f"{line:{width}}  # {remark}\n"
    if len(behind) <= _WIDTH:
        return behind
    indent = " " * (len(line) - len(line.lstrip()))
    return "".join(f"{indent}{above}\n" for above in _note(remark).splitlines()) + f"{line}\n"


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
    """A distribution with its unit and what learning may change, as it stands behind a key."""
    unit = f" {attribute.unit}" if attribute.unit else ""
    law = attribute.distribution
    text = law_text(law) + unit
    if isinstance(law, Truncated):
        base, _, bounds = law_text(law).partition(" in ")
        text = f"{base}{unit} in {bounds}"
    return text + _mutable(attribute)


def _mutable(attribute: Attribute) -> str:
    span = attribute.mutable
    if span is None:
        return ""
    if span == natural_range(attribute.distribution, attribute.unit):
        return " mutable"
    return f" mutable [{_number(span.low)}, {_number(span.high)}]"


def children_text(grammar: Grammar, rule: Rule) -> str:
    """A rule's right-hand side, repetitions written out; `empty` for nothing."""
    words = []
    for child in rule.children:
        repeat = grammar.repeats.get(child)
        words.append(child if repeat is None else count_text(repeat))
    return " ".join(words) or "empty"


def count_text(repeat: Repeat) -> str:
    """A repetition as it stands in a rule."""
    bound = "" if repeat.most is None else f" max {repeat.most}"
    return f"{repeat.item} * {law_text(repeat.count)}{bound}"


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


def _rules(grammar: Grammar, sure: Intervals) -> str:
    shown = [n for n in grammar.rules_of if n not in grammar.repeats]
    return "".join(_rule(grammar, name, sure) for name in shown)


def _rule(grammar: Grammar, name: str, sure: Intervals) -> str:
    rules = grammar.rules_of[name]
    equal = all(rule.weight == 1.0 / len(rules) for rule in rules)
    alternatives = [
        children_text(grammar, rule) + ("" if equal else f" [{_number(float(rule.weight))}]")
        for rule in rules
    ]
    remarks = [_rule_remark(grammar, rule, sure) for rule in rules]
    line = f"{name} -> {' | '.join(alternatives)}"
    if len(line) < _WIDTH and not any(remarks):
        return f"{line}\n"
    heads = [f"{name} -> ", *(f"{' ' * len(name)}  | " for _ in rules[1:])]
    lines = [head + words for head, words in zip(heads, alternatives, strict=True)]
    width = max((len(line) for line in lines if len(line) < _WIDTH // 2), default=0)
    return "".join(_remarked(*pair, width) for pair in zip(lines, remarks, strict=True))


def _rule_remark(grammar: Grammar, rule: Rule, sure: Intervals) -> str:
    """The interval of an alternative's probability, then those of its mean counts."""
    found = sure.rules.get(rule.index)
    parts = [] if found is None else [bracketed(found, 3).strip()]
    for child in rule.children:
        if child in sure.counts:
            mean = sure.counts[child]
            item = grammar.repeats[child].item
            parts.append(f"{mean.value:.2f}{bracketed(mean, 2)} {item} on average")
    return ", ".join(parts)


def _blocks(grammar: Grammar, sure: Intervals) -> list[str]:
    return [
        _block(symbol, sure)
        for symbol in grammar.symbols.values()
        if grammar.is_terminal(symbol.name) or _described(symbol)
    ]


def _described(symbol: Symbol) -> bool:
    return bool(symbol.category or symbol.stuff or symbol.draw or symbol.attributes)


def _block(symbol: Symbol, sure: Intervals) -> str:
    if not _described(symbol):
        return f"{symbol.name} {{}}\n"
    lines = []
    for key, name in (("category", symbol.category), ("stuff", symbol.stuff)):
        if name is not None:
            lines.append(f"  {key}: {_string(name, quoted=True)}\n")
    if symbol.draw is not None:
        lines.append(f"  draw: {_draw(symbol.draw)}\n")
    for name, attribute in symbol.attributes.items():
        mean, spread = (found.get((symbol.name, name)) for found in (sure.means, sure.spreads))
        remark = moments_text(mean, spread) if mean and spread else ""
        lines.append(_remarked(f"  {name}: {attribute_text(attribute)}", remark))
    return f"{symbol.name} {{\n{''.join(lines)}}}\n"


def _draw(draw: Draw) -> str:
    if draw.label is None:
        return draw.painter
    return f"{draw.painter}({_string(draw.label, quoted=True)})"
