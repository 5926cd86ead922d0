"""Blocks to symbols: category, painter or sprite, and attributes."""

from collections.abc import Mapping

from lark import Token

from datagen.grammar import PLACEMENT, RELATIVE_UNITS, Asset, Attribute, Draw, Symbol
from datagen.language.explain import RESERVED
from datagen.language.laws import has_words, law, names_in, string, unit
from datagen.language.mutability import mutable_range
from datagen.language.source import Source
from datagen.language.syntax import Block, Call, Entry, Value

_WORDS = ("inside",)  # of what places a thing, these are names
_NUMERIC = tuple(key for key in (*PLACEMENT, *RELATIVE_UNITS) if key not in _WORDS)
_LABELS = {"category": "car", "stuff": "road"}  # key -> an example
_EITHER = {  # keys of which a symbol has one at most -> what to do
    ("category", "stuff"): "keep `category` for a thing, `stuff` for what is none",
    ("z", "layer"): "keep `z` for a height in metres, `layer` for an order of drawing",
    ("gap", "apart"): "keep `gap` for things in a row, `apart` for things anywhere",
    ("gap", "inside"): "write `y` in place of `gap`",
}


def symbol_name(source: Source, token: Token) -> str:
    """The name of a symbol; the language's own words cannot be one."""
    if token in RESERVED:
        raise source.error(
            token, f"`{token}` is a word of the language", "choose another name for the symbol"
        )
    return str(token)


def described(source: Source, block: Block, assets: Mapping[str, Asset]) -> Symbol:
    """The symbol that a block describes; its sprites are of the declared assets."""
    name = symbol_name(source, block.name)
    names: dict[str, str] = {}
    painter = None
    attributes: dict[str, Attribute] = {}
    seen: set[str] = set()
    for entry in block.attributes:
        key, value = entry.key, entry.value
        _fits(source, name, entry, seen)
        seen.add(str(key))
        if key in _LABELS:
            names[str(key)] = _label(source, key, value)
        elif key == "draw":
            painter = _draw(source, key, value, assets)
        else:
            attributes[str(key)] = _attribute(source, entry)
    line, column = block.name.line or 1, block.name.column or 1
    category, stuff = names.get("category"), names.get("stuff")
    return Symbol(name, category, painter, attributes, line, column, stuff=stuff)


def _fits(source: Source, name: str, entry: Entry, seen: set[str]) -> None:
    """Refuse a key that cannot stand beside those before it, or cannot be learned."""
    key = entry.key
    if key in seen:
        raise source.error(key, f"`{key}` is given twice in `{name}`", "keep one of them")
    for pair, remedy in _EITHER.items():
        if key in pair and seen.intersection(pair):
            other = pair[1 - pair.index(str(key))]
            raise source.error(key, f"`{key}` cannot stand beside `{other}` in `{name}`", remedy)
    if key in (*_LABELS, "draw") and entry.mutable is not None:
        raise source.error(
            entry.mutable.word, f"`{key}` cannot be learned", "remove the word `mutable`"
        )


def _label(source: Source, key: Token, value: Value) -> str:
    """The name behind `category` or `stuff`."""
    term, example = value.term, _LABELS[str(key)]
    if isinstance(term, Call) or term.type == "NUMBER" or value.unit or value.bounds:
        raise source.error(key, f"a {key} is a name", f'write `{key}: "{example}"`')
    name = string(source, term)
    if not name.strip():
        raise source.error(term, f"the {key} is empty", f'write such as "{example}"')
    return name


def _draw(source: Source, key: Token, value: Value, assets: Mapping[str, Asset]) -> Draw:
    """A painter's name, or a sprite of a declared asset."""
    term, remedy = value.term, 'write `draw: car` or `draw: digits("7")`'
    if value.unit or value.bounds:
        raise source.error(key, "`draw` takes one name", remedy)
    if isinstance(term, Token):
        if term.type != "NAME":
            raise source.error(term, "`draw` takes a painter's name", remedy)
        if term in assets:
            raise source.error(
                term, f"`{term}` is an asset", f'say which of its sprites: {term}("...")'
            )
        return Draw(str(term))
    return _sprite(source, term, assets)


def _sprite(source: Source, call: Call, assets: Mapping[str, Asset]) -> Draw:
    if call.name not in assets:
        raise source.error(
            call.name,
            f"asset `{call.name}` is not declared",
            f'add a line such as `asset {call.name}: sprites "strokes"`',
        )
    terms = [a.term for a in call.arguments if a.weight is None and a.bounds is None]
    if len(call.arguments) != 1 or len(terms) != 1 or isinstance(terms[0], Call):
        raise source.error(call.name, "a sprite has one label", f'write `{call.name}("7")`')
    return Draw(str(call.name), string(source, terms[0]))


def _attribute(source: Source, entry: Entry) -> Attribute:
    key, value = entry.key, entry.value
    distribution = law(source, value.term, value.bounds)
    if key in _NUMERIC and has_words(distribution):
        raise source.error(key, f"`{key}` must be a number", "write such as `3 px`")
    if key in _WORDS and names_in(distribution) is None:
        raise source.error(key, f"`{key}` must be a symbol's name", f"write such as `{key}: bowl`")
    name = unit(source, value, distribution)
    mutable = None
    if entry.mutable is not None:
        mutable = mutable_range(source, key, entry.mutable, distribution, name)
    return Attribute(distribution, name, mutable, key.line or 1, key.column or 1)
