"""What changed between two grammars, to be read by a person: probabilities, counts, attributes."""

import math
from collections.abc import Iterator

from datagen.distributions import Distribution, largest, mean_of
from datagen.grammar import Grammar, Repeat
from datagen.language.write import attribute_text, law_text

_COLUMNS = 16  # counts shown in one table


def diff(before: Grammar, after: Grammar) -> str:
    """One line for each change, tables for counts; "no difference" when there is none."""
    lines = [
        *_settings(before, after),
        *_rules(before, after),
        *_counts(before, after),
        *_symbols(before, after),
    ]
    return "\n".join(lines) if lines else "no difference"


def _settings(before: Grammar, after: Grammar) -> Iterator[str]:
    for name in ("world", "canvas", "start", "max_depth", "max_nodes"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield f"{name}   {_setting(old)} -> {_setting(new)}"
    for name in dict.fromkeys((*before.assets, *after.assets)):
        old, new = before.assets.get(name), after.assets.get(name)
        if old != new:
            shown = [f'{a.kind} "{a.source}"' if a else "none" for a in (old, new)]
            yield f"asset {name}   {shown[0]} -> {shown[1]}"


def _setting(value: object) -> str:
    return f"{value[0]} x {value[1]}" if isinstance(value, tuple) else str(value)


def _weights(grammar: Grammar) -> dict[str, float]:
    """Rule as text -> probability; the same alternative written twice counts once."""
    weights: dict[str, float] = {}
    for rule in grammar.rules:
        if rule.lhs not in grammar.repeats:
            words = [_starred(grammar, child) for child in rule.children]
            key = f"{rule.lhs} -> {' '.join(words) or 'empty'}"
            weights[key] = weights.get(key, 0.0) + rule.weight
    return weights


def _starred(grammar: Grammar, child: str) -> str:
    repeat = grammar.repeats.get(child)
    return child if repeat is None else f"{repeat.item}*"


def _rules(before: Grammar, after: Grammar) -> Iterator[str]:
    old, new = _weights(before), _weights(after)
    changed = [
        key
        for key in dict.fromkeys((*old, *new))
        if key not in old or key not in new or abs(old[key] - new[key]) > 1e-9
    ]
    width = max(map(len, changed), default=0)
    for key in changed:
        yield f"{key:{width}}   {_probability(old.get(key))} -> {_probability(new.get(key))}"


def _probability(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _counts(before: Grammar, after: Grammar) -> Iterator[str]:
    for symbol in dict.fromkeys((*before.repeats, *after.repeats)):
        old, new = before.repeats.get(symbol), after.repeats.get(symbol)
        if old is None or new is None:
            shown = [_count(repeat) for repeat in (old, new)]
            yield f"{symbol}   {shown[0]} -> {shown[1]}"
        elif old.count != new.count:
            means = [mean_of(repeat.count) for repeat in (old, new)]
            owner = _owner(after, symbol)
            yield f"{owner} -> {symbol}   mean count {means[0]:.2f} -> {means[1]:.2f}"
            yield from _table(old.count, new.count)


def _count(repeat: Repeat | None) -> str:
    return "none" if repeat is None else law_text(repeat.count)


def _owner(grammar: Grammar, symbol: str) -> str:
    return next(rule.lhs for rule in grammar.rules if symbol in rule.children)


def _table(before: Distribution, after: Distribution) -> Iterator[str]:
    top = max(_last_likely(before), _last_likely(after))
    counts = range(min(top, _COLUMNS - 1) + 1)
    yield "    count " + "".join(f"{n:6d}" for n in counts)
    for name, law in (("before", before), ("after", after)):
        yield f"    {name:6}" + "".join(f"{math.exp(law.log_prob(n)):6.3f}" for n in counts)
    if top >= _COLUMNS:
        rest = [1 - math.fsum(math.exp(law.log_prob(n)) for n in counts) for law in (before, after)]
        yield f"    above {_COLUMNS - 1}: {rest[0]:.3f} -> {rest[1]:.3f}"


def _last_likely(law: Distribution) -> int:
    """The last count worth a column."""
    end = int(min(largest(law), _COLUMNS))
    likely = (n for n in range(end, -1, -1) if law.log_prob(n) > math.log(5e-4))
    return next(likely, end)


def _symbols(before: Grammar, after: Grammar) -> Iterator[str]:
    for name in dict.fromkeys((*before.symbols, *after.symbols)):
        old, new = before.symbols.get(name), after.symbols.get(name)
        if old is None or new is None:
            yield f"{name}   {'added' if old is None else 'removed'}"
            continue
        for key, was, now in (
            ("category", old.category, new.category),
            ("draw", old.draw, new.draw),
        ):
            if was != now:
                yield f"{name}.{key}   {was or 'none'} -> {now or 'none'}"
        for key in dict.fromkeys((*old.attributes, *new.attributes)):
            was, now = old.attributes.get(key), new.attributes.get(key)
            if was != now:
                shown = [attribute_text(a) if a else "none" for a in (was, now)]
                yield f"{name}.{key}   {shown[0]} -> {shown[1]}"
