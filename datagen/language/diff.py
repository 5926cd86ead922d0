"""What changed between two grammars, to be read by a person: probabilities, counts, attributes."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from datagen.distributions import Distribution, largest, mean_of
from datagen.grammar import Grammar, Repeat, Rule, Symbol
from datagen.language.intervals import Interval, Intervals, bracketed, moments_text
from datagen.language.write import attribute_text, law_text

_COLUMNS = 16  # counts shown in one table
_NEVER = Interval(0.0, 0.0, 0.0)  # of a count that was never seen


def diff(before: Grammar, after: Grammar, intervals: Intervals | None = None) -> str:
    """One line for each change, tables for counts; "no difference" when there is none.

    `intervals` are those of `after`; each stands in brackets behind its number.
    """
    sure = intervals or Intervals()
    lines = [
        *_settings(before, after),
        *_rules(before, after, sure),
        *_counts(before, after, sure),
        *_symbols(before, after, sure),
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
    if value is None:
        return "none"
    return f"{value[0]} x {value[1]}" if isinstance(value, tuple) else str(value)


def _weights(grammar: Grammar) -> dict[str, float]:
    """Rule as text -> probability; the same alternative written twice counts once."""
    weights: dict[str, float] = {}
    for rule in grammar.rules:
        if rule.lhs not in grammar.repeats:
            key = _rule_text(grammar, rule)
            weights[key] = weights.get(key, 0.0) + rule.weight
    return weights


def _rule_text(grammar: Grammar, rule: Rule) -> str:
    words = [_starred(grammar, child) for child in rule.children]
    return f"{rule.lhs} -> {' '.join(words) or 'empty'}"


def _starred(grammar: Grammar, child: str) -> str:
    repeat = grammar.repeats.get(child)
    return child if repeat is None else f"{repeat.item}*"


def _rules(before: Grammar, after: Grammar, sure: Intervals) -> Iterator[str]:
    old, new = _weights(before), _weights(after)
    intervals = {_rule_text(after, after.rules[k]): found for k, found in sure.rules.items()}
    # That of an alternative that is written twice would be of one half only.
    twice = Counter(_rule_text(after, rule) for rule in after.rules)
    changed = [
        key
        for key in dict.fromkeys((*old, *new))
        if key not in old or key not in new or abs(old[key] - new[key]) > 1e-9
    ]
    width = max(map(len, changed), default=0)
    for key in changed:
        yield f"{key:{width}}   {_probability(old.get(key))} -> {_probability(new.get(key))}" + (
            bracketed(intervals.get(key) if twice[key] == 1 else None, 3)
        )


def _probability(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _counts(before: Grammar, after: Grammar, sure: Intervals) -> Iterator[str]:
    for symbol in dict.fromkeys((*before.repeats, *after.repeats)):
        old, new = before.repeats.get(symbol), after.repeats.get(symbol)
        if old is None or new is None:
            shown = [_count(repeat) for repeat in (old, new)]
            yield f"{symbol}   {shown[0]} -> {shown[1]}"
            continue
        owner = _owner(after, symbol)
        if old.most != new.most:
            yield f"{owner} -> {symbol}   max {_setting(old.most)} -> {_setting(new.most)}"
        if old.count != new.count:
            means = [mean_of(repeat.count) for repeat in (old, new)]
            yield f"{owner} -> {symbol}   mean count {means[0]:.2f} -> {means[1]:.2f}" + (
                bracketed(sure.counts.get(symbol), 2)
            )
            yield from _table(old.count, new.count, sure.shares.get(symbol, {}))


def _count(repeat: Repeat | None) -> str:
    return "none" if repeat is None else law_text(repeat.count)


def _owner(grammar: Grammar, symbol: str) -> str:
    return next(rule.lhs for rule in grammar.rules if symbol in rule.children)


def _table(
    before: Distribution, after: Distribution, shares: Mapping[int, Interval]
) -> Iterator[str]:
    top = max(_last_likely(before), _last_likely(after))
    counts = range(min(top, _COLUMNS - 1) + 1)
    yield "    count " + "".join(f"{n:6d}" for n in counts)
    for name, law in (("before", before), ("after", after)):
        yield f"    {name:6}" + "".join(f"{math.exp(law.log_prob(n)):6.3f}" for n in counts)
    if shares:
        for name, end in (("from", 1), ("to", 2)):
            yield f"    {name:6}" + "".join(f"{shares.get(n, _NEVER)[end]:6.3f}" for n in counts)
    if top >= _COLUMNS:
        rest = [1 - math.fsum(math.exp(law.log_prob(n)) for n in counts) for law in (before, after)]
        yield f"    above {_COLUMNS - 1}: {rest[0]:.3f} -> {rest[1]:.3f}"


def _last_likely(law: Distribution) -> int:
    """The last count worth a column."""
    end = int(min(largest(law), _COLUMNS))
    likely = (n for n in range(end, -1, -1) if law.log_prob(n) > math.log(5e-4))
    return next(likely, end)


def _symbols(before: Grammar, after: Grammar, sure: Intervals) -> Iterator[str]:
    for name in dict.fromkeys((*before.symbols, *after.symbols)):
        old, new = before.symbols.get(name), after.symbols.get(name)
        if old is None or new is None:
            yield f"{name}   {'added' if old is None else 'removed'}"
            continue
        for key, was, now in (
            ("category", old.category, new.category),
            ("stuff", old.stuff, new.stuff),
            ("draw", old.draw, new.draw),
        ):
            if was != now:
                yield f"{name}.{key}   {was or 'none'} -> {now or 'none'}"
        yield from _attributes(old, new, sure)


def _attributes(old: Symbol, new: Symbol, sure: Intervals) -> Iterator[str]:
    for key in dict.fromkeys((*old.attributes, *new.attributes)):
        was, now = old.attributes.get(key), new.attributes.get(key)
        if was == now:
            continue
        if was and now and was.mutable == now.mutable:  # of no interest then
            was, now = replace(was, mutable=None), replace(now, mutable=None)
        shown = [attribute_text(a) if a else "none" for a in (was, now)]
        yield f"{new.name}.{key}   {shown[0]} -> {shown[1]}"
        moments = [found.get((new.name, key)) for found in (sure.means, sure.spreads)]
        if was and now and moments[0] and moments[1]:
            yield f"    {moments_text(moments[0], moments[1])} {now.unit}".rstrip()
