"""Statements to a Grammar: duplicates, headers, probabilities and repetitions."""

import hashlib
import math
from dataclasses import dataclass, field

from lark import Token

from datagen.distributions import Distribution, is_count, largest
from datagen.grammar import Asset, Grammar, Repeat, Rule, Symbol
from datagen.language.blocks import described, symbol_name
from datagen.language.laws import law, number, string
from datagen.language.source import Source
from datagen.language.syntax import (
    Alternative,
    AssetLine,
    Block,
    Call,
    Header,
    Item,
    Production,
    Statement,
)

MAX_RULES = 2000
MAX_ALTERNATIVES = 256
CANVAS_SIDES = (8, 8192)  # pixels
# Scenes are stored as nested JSON, which Python reads and writes by recursion.
CAPS = {"max_depth": (1, 200), "max_nodes": (1, 100_000)}


@dataclass
class _Draft:
    """What has been read so far."""

    source: Source
    headers: dict[str, tuple[Token, ...]] = field(default_factory=dict)
    assets: dict[str, Asset] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    repeats: dict[str, Repeat] = field(default_factory=dict)
    blocks: dict[str, Symbol] = field(default_factory=dict)


def build(source: Source, statements: tuple[Statement, ...]) -> Grammar:
    """The grammar that the statements describe; whether it makes sense is for `refuse` to say."""
    draft = _Draft(source)
    for statement in statements:
        match statement:
            case Header():
                _header(draft, statement)
            case AssetLine():
                _asset(draft, statement)
    ruled: set[str] = set()
    for statement in statements:
        match statement:
            case Production():
                _production(draft, statement, ruled)
            case Block(name, _):
                if name in draft.blocks:
                    raise source.error(name, f"the block of `{name}` is given twice", "join them")
                draft.blocks[str(name)] = described(source, statement, draft.assets)
    return _grammar(draft)


def _grammar(draft: _Draft) -> Grammar:
    width, height = (_whole(draft, token, CANVAS_SIDES) for token in _required(draft, "canvas"))
    caps = {w: _whole(draft, draft.headers[w][0], CAPS[w]) for w in CAPS if w in draft.headers}
    return Grammar(
        world=string(draft.source, _required(draft, "world")[0]),
        canvas=(width, height),
        start=str(_required(draft, "start")[0]),
        rules=tuple(draft.rules),
        symbols=_symbols(draft),
        repeats=draft.repeats,
        assets=draft.assets,
        digest=hashlib.sha256(draft.source.text.encode(errors="replace")).hexdigest()[:16],
        **caps,
    )


def _symbols(draft: _Draft) -> dict[str, Symbol]:
    """Blocks in file order, then the symbols that only have rules."""
    symbols = dict(draft.blocks)
    for rule in draft.rules:
        if rule.lhs not in draft.repeats and rule.lhs not in symbols:
            symbols[rule.lhs] = Symbol(rule.lhs, line=rule.line, column=rule.column)
    return symbols


# --------------------------------------------------------------------------------------- headers

_EXAMPLES = {"world": "world city", "canvas": "canvas 128 x 128", "start": "start Scene"}


def _header(draft: _Draft, header: Header) -> None:
    if header.word in draft.headers:
        raise draft.source.error(header.word, f"`{header.word}` is given twice", "keep one of them")
    draft.headers[str(header.word)] = header.values


def _required(draft: _Draft, word: str) -> tuple[Token, ...]:
    if word not in draft.headers:
        raise draft.source.error_at(
            1, 1, f"the header `{word}` is missing", f"add a line such as `{_EXAMPLES[word]}`"
        )
    return draft.headers[word]


def _whole(draft: _Draft, token: Token, limits: tuple[int, int]) -> int:
    value = number(draft.source, token)
    low, high = limits
    if value != int(value) or not low <= value <= high:
        raise draft.source.error(
            token, f"`{token}` is out of range", f"write a whole number from {low} to {high}"
        )
    return int(value)


def _asset(draft: _Draft, line: AssetLine) -> None:
    if line.name in draft.assets:
        raise draft.source.error(line.name, f"asset `{line.name}` is given twice", "rename one")
    name = str(line.name)
    path = string(draft.source, line.source)
    place = (line.name.line or 1, line.name.column or 1)
    draft.assets[name] = Asset(name, str(line.kind), path, *place)


# ----------------------------------------------------------------------------------------- rules


def _production(draft: _Draft, production: Production, ruled: set[str]) -> None:
    lhs = symbol_name(draft.source, production.lhs)
    if lhs in ruled:
        raise draft.source.error(
            production.lhs, f"the rules of `{lhs}` are given twice", "join them by `|`"
        )
    ruled.add(lhs)
    if len(production.alternatives) > MAX_ALTERNATIVES:
        raise draft.source.error(
            production.lhs,
            f"`{lhs}` has more than {MAX_ALTERNATIVES} alternatives",
            "group them under further symbols",
        )
    weights = _probabilities(draft, production)
    for alternative, weight in zip(production.alternatives, weights, strict=True):
        _rule(draft, lhs, alternative, weight)


def _probabilities(draft: _Draft, production: Production) -> list[float]:
    alternatives = production.alternatives
    given = [a.probability for a in alternatives if a.probability is not None]
    if not given:
        return [1.0 / len(alternatives)] * len(alternatives)
    if len(given) < len(alternatives):
        bare = next(a.place for a in alternatives if a.probability is None)
        raise draft.source.error(
            bare,
            f"only some alternatives of `{production.lhs}` have a probability",
            "give all of them one, or none",
        )
    weights = [float(number(draft.source, token)) for token in given]
    for token, weight in zip(given, weights, strict=True):
        if not 0 <= weight <= 1:
            raise draft.source.error(
                token, f"`{token}` is not a probability", "write one from 0 to 1"
            )
    if abs(math.fsum(weights) - 1) > 1e-6:
        raise draft.source.error(
            production.lhs,
            f"the probabilities of `{production.lhs}` sum to {math.fsum(weights):.6g}, not 1",
            "correct one of them",
        )
    return weights


def _rule(draft: _Draft, lhs: str, alternative: Alternative, weight: float) -> None:
    line, column = alternative.place.line or 1, alternative.place.column or 1
    index = len(draft.rules)
    repeats: list[Rule] = []
    children: list[str] = []
    for item in alternative.items:
        name = symbol_name(draft.source, item.name)
        if item.count is not None:
            name = _repeat(draft, item, index + 1 + len(repeats), repeats)
        children.append(name)
    draft.rules += [Rule(index, lhs, tuple(children), weight, line, column), *repeats]
    if len(draft.rules) > MAX_RULES:
        raise draft.source.error(
            alternative.place, f"more than {MAX_RULES} rules", "a repetition counts as two"
        )


def _repeat(draft: _Draft, item: Item, index: int, rules: list[Rule]) -> str:
    """Desugar `item * count` to two rules from `index` on; the name of the new symbol."""
    name, place = str(item.name), item.name
    symbol, n = f"{name}*", 1
    while symbol in draft.repeats:
        n += 1
        symbol = f"{name}*{n}"
    count = _count(draft, item)
    most = _most(draft, item, count)
    draft.repeats[symbol] = Repeat(symbol, name, count, index, index + 1, most)
    line, column = place.line or 1, place.column or 1
    rules.append(Rule(index, symbol, (name, symbol), 1.0, line, column))
    rules.append(Rule(index + 1, symbol, (), 1.0, line, column))
    return symbol


def _count(draft: _Draft, item: Item) -> Distribution:
    value = item.count
    assert value is not None
    count = law(draft.source, value.term, value.bounds)
    if not is_count(count):
        place = value.term.name if isinstance(value.term, Call) else value.term
        raise draft.source.error(
            place,
            f"the repetition of `{item.name}` needs a count: whole numbers from 0 up",
            "use a number, uniform_int, poisson, or choice and mix of them",
        )
    return count


def _most(draft: _Draft, item: Item, count: Distribution) -> int | None:
    """The bound behind `max`, which the prior must keep to."""
    if item.most is None:
        return None
    most = _whole(draft, item.most, CAPS["max_nodes"])
    reach = largest(count)
    if math.isinf(reach):
        raise draft.source.error(
            item.most,
            f"the count of `{item.name}` can be any number, so it keeps to no max",
            "leave `max` out, or use a count that ends, such as uniform_int or choice",
        )
    if reach > most:
        raise draft.source.error(
            item.most,
            f"the count of `{item.name}` can be {reach:.0f}, above max {most}",
            f"write `max {reach:.0f}` or more, or lower the count",
        )
    return most
