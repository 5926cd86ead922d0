"""Text to statements: the words of a grammar with their places, not yet their meaning."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, v_args

from datagen.language.explain import explain
from datagen.language.source import Source

MAX_BYTES = 256 * 1024
MAX_NESTING = 10  # a block, eight `mix`, and what stands in the innermost
MAX_NAME = 64

# Enough of the lexer to know brackets and names from what stands in comments and strings. A string
# that is never closed is a piece, too: begun anew at each of its quotes, it would take minutes.
_PIECES = re.compile(r'#[^\n]*|"(?:[^"\\\n]|\\.)*+"?|[A-Za-z_][A-Za-z0-9_]*|[()\[\]{}]')
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")


@dataclass(frozen=True)
class Bounds:
    """`in [low, high]`"""

    low: Token
    high: Token


@dataclass(frozen=True)
class Argument:
    """One argument of a call, with its bounds and relative weight if given."""

    term: "Term"
    bounds: Bounds | None
    weight: Token | None


@dataclass(frozen=True)
class Call:
    """`name(argument, ...)`"""

    name: Token
    arguments: tuple[Argument, ...]


Term = Token | Call


@dataclass(frozen=True)
class Value:
    """What stands behind a key or behind `*`."""

    term: Term
    unit: Token | None = None
    bounds: Bounds | None = None


@dataclass(frozen=True)
class MutableMark:
    """`mutable` or `mutable [low, high]` behind an attribute's value"""

    word: Token
    bounds: Bounds | None


@dataclass(frozen=True)
class Item:
    """A child, or a repetition of it with the bound behind `max`."""

    name: Token
    count: Value | None = None
    most: Token | None = None


@dataclass(frozen=True)
class Alternative:
    """One right-hand side; `place` is its first word, `empty` included."""

    place: Token
    items: tuple[Item, ...]
    probability: Token | None


@dataclass(frozen=True)
class Production:
    """A symbol with all its alternatives."""

    lhs: Token
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True)
class Entry:
    """`key: value` in a block, with the mark of what learning may change."""

    key: Token
    value: Value
    mutable: MutableMark | None


@dataclass(frozen=True)
class Block:
    """A symbol with its attributes."""

    name: Token
    attributes: tuple[Entry, ...]


@dataclass(frozen=True)
class Header:
    """`world`, `canvas`, `start`, `max_depth` or `max_nodes` with its values."""

    word: Token
    values: tuple[Token, ...]


@dataclass(frozen=True)
class AssetLine:
    """`asset name: kind "source"`"""

    name: Token
    kind: Token
    source: Token


Statement = Header | AssetLine | Production | Block


def read(source: Source) -> tuple[Statement, ...]:
    """The statements of a text; its size and nesting are capped before the parser sees it."""
    _guard(source)
    try:
        return _parser().parse(source.text)  # type: ignore[return-value]
    except UnexpectedInput as error:
        raise explain(source, error) from None


def _guard(source: Source) -> None:
    if len(source.text.encode(errors="replace")) > MAX_BYTES:
        raise source.error_at(
            1, 1, f"the grammar is larger than {MAX_BYTES // 1024} kB", "split it"
        )
    if found := _UNPRINTABLE.search(source.text):
        raise source.error_at_offset(
            found.start(), f"the character U+{ord(found[0]):04X} cannot stand here", "remove it"
        )
    depth = 0
    for piece in _pieces(source.text):
        depth += (piece[0] in "([{") - (piece[0] in ")]}")
        if depth > MAX_NESTING:
            raise source.error_at_offset(
                piece.start(), f"brackets are nested deeper than {MAX_NESTING}", "nest less"
            )
        if len(piece[0]) > MAX_NAME and piece[0][0] not in '#"':
            raise source.error_at_offset(
                piece.start(), f"a name is longer than {MAX_NAME} letters", "shorten it"
            )


def _pieces(text: str) -> Iterator[re.Match[str]]:
    return _PIECES.finditer(text)


@v_args(inline=True)
class _Statements(Transformer[Token, tuple[Statement, ...]]):
    """Lark's rules, reduced to statements while parsing."""

    def start(self, *statements: Statement) -> tuple[Statement, ...]:
        return statements

    def _header(self, word: Token, *values: Token) -> Header:
        return Header(word, values)

    world = canvas = start_symbol = cap = _header

    def asset(self, name: Token, kind: Token, source: Token) -> AssetLine:
        return AssetLine(name, kind, source)

    def production(self, lhs: Token, *alternatives: Alternative) -> Production:
        return Production(lhs, alternatives)

    def alternative(self, *parts: Any) -> Alternative:
        items = tuple(part for part in parts if isinstance(part, Item))
        place = items[0].name if items else parts[0]
        last = parts[-1]
        numbered = isinstance(last, Token) and last.type == "NUMBER"
        return Alternative(place, items, last if numbered else None)

    def item(self, name: Token, count: Value | None = None, most: Token | None = None) -> Item:
        return Item(name, count, most)

    def probability(self, number: Token) -> Token:
        return number

    def block(self, name: Token, *attributes: Entry) -> Block:
        return Block(name, attributes)

    def attribute(self, key: Token, value: Value, mutable: MutableMark | None = None) -> Entry:
        return Entry(key, value, mutable)

    def mutable(self, word: Token, *bounds: Token) -> MutableMark:
        return MutableMark(word, Bounds(*bounds) if bounds else None)

    def value(self, term: Term, bounds: Bounds | None = None) -> Value:
        return Value(term, None, bounds)

    count = value

    def value_in_unit(self, term: Term, unit: Token, bounds: Bounds | None = None) -> Value:
        return Value(term, unit, bounds)

    def value_unit_last(self, term: Term, bounds: Bounds, unit: Token) -> Value:
        return Value(term, unit, bounds)

    def call(self, name: Token, *arguments: Argument) -> Call:
        return Call(name, arguments)

    def argument(self, term: Term, *rest: Bounds | Token) -> Argument:
        bounds = next((part for part in rest if isinstance(part, Bounds)), None)
        weight = next((part for part in rest if isinstance(part, Token)), None)
        return Argument(term, bounds, weight)

    def bounds(self, low: Token, high: Token) -> Bounds:
        return Bounds(low, high)


@lru_cache(maxsize=1)
def _parser() -> Lark:
    text = files("datagen.language").joinpath("scene.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", propagate_positions=True, transformer=_Statements())
