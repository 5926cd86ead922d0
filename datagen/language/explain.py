"""A parser's complaint in the user's words: what is missing, where, and what to write."""

import re

from lark import Token, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from datagen.errors import GrammarError
from datagen.grammar import RELATIVE_UNITS, UNITS
from datagen.language.source import Source, did_you_mean

HEADER_WORDS = ("world", "canvas", "start", "max_depth", "max_nodes", "asset")
RESERVED = (*HEADER_WORDS, "empty", "in", "max", "mutable")  # no symbol can be named so

_SHOWN = {
    "NAME": "a name",
    "HEAD": "a rule",
    "BLOCK": "a block",
    "KEY": "an attribute",
    "NUMBER": "a number",
    "STRING": 'a string in "quotes"',
    "EMPTY": "`empty`",
    "_X": "`x`",
    "_IN": "`in`",
    "_MAX": "`max`",
    "MUTABLE": "`mutable`",
    "_ARROW": "`->`",
    "_BAR": "`|`",
    "_STAR": "`*`",
    "_COLON": "`:`",
    "_COMMA": "`,`",
    "_LPAR": "`(`",
    "_RPAR": "`)`",
    "_LSQB": "`[`",
    "_RSQB": "`]`",
    "_LBRACE": "`{`",
    "_RBRACE": "`}`",
    "$END": "the end",
}
_CHARACTERS = {
    '"': ("this string is never closed", 'add the closing `"` on the same line'),
    "'": ("strings stand in double quotes", 'write "..."'),
    "=": ("`=` is not used here", "write `name: value` or `Name -> child child`"),
    ";": ("`;` is not used here", "separate by spaces or line breaks"),
    "/": ("`/` is not used here", "a comment starts with `#`"),
    "-": ("a lone `-` means nothing here", "a rule is written `Name -> child child`"),
    ">": ("a lone `>` means nothing here", "a rule is written `Name -> child child`"),
    "%": ("`%` is not used here", "write a fraction, such as 0.5"),
    "+": ("`+` is not used here", "a repetition is written `car * uniform_int(1, 4)`"),
}
# Names, numbers, strings and single marks: enough to find the word before a place.
_WORDS = re.compile(
    r'#[^\n]*|"(?:[^"\\\n]|\\.)*"|[A-Za-z_][A-Za-z0-9_]*|[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?|\S'
)
_ROUND = re.compile(r"\(\s*([-+.\deE]{1,20})\s*,\s*([-+.\deE]{1,20})\s*\)")


def explain(source: Source, error: UnexpectedInput) -> GrammarError:
    """The error that a user can act on."""
    if isinstance(error, UnexpectedCharacters):
        return _character(source, error.pos_in_stream or 0)
    assert isinstance(error, UnexpectedToken)
    token: Token = error.token
    ended = token.type == "$END"
    offset = len(source.text) if ended or token.start_pos is None else token.start_pos
    return _token(source, token, offset, set(error.expected))


def _character(source: Source, offset: int) -> GrammarError:
    character = source.text[offset]
    default = (f"the character `{character}` means nothing here", "remove it")
    return source.error_at_offset(offset, *_CHARACTERS.get(character, default))


def _before(text: str, offset: int) -> tuple[str, int, str]:
    """The last word before an offset, where it ends, and the innermost bracket open there."""
    word, end, opened = "", 0, [""]
    for found in _WORDS.finditer(text):
        if found.start() >= offset:
            break
        if not found[0].startswith("#"):
            word, end = found[0], found.end()
        if found[0] in ("(", "[", "{"):
            opened.append(found[0])
        elif found[0] in (")", "]", "}") and len(opened) > 1:
            opened.pop()
    return word, end, opened[-1]


def _token(source: Source, token: Token, offset: int, expected: set[str]) -> GrammarError:
    # LALR merges states, so `expected` may hold too much; the open bracket tells the context.
    word, end, opened = _before(source.text, offset)
    missing = _missing(expected, token, opened)
    if missing:
        return source.error_at_offset(max(0, end - 1), *missing)
    if opened == "{":
        return _in_block(source, token, offset, word, end)
    if "_BAR" in expected:
        return _in_rule(source, token, offset, word, end)
    if "WORLD" in expected and token.isidentifier():
        remedy = f"write `{token} -> child child` or `{token} {{ key: value }}`"
        return source.error_at_offset(
            offset, f"unknown word `{token}`", did_you_mean(token, HEADER_WORDS, remedy)
        )
    remedy = "here stands a header, a rule or a block" if "WORLD" in expected else _wanted(expected)
    return source.error_at_offset(offset, _surprise(token), remedy)


def _missing(expected: set[str], token: Token, opened: str) -> tuple[str, str] | None:
    """Message and remedy when it is plain that something was left out."""
    after = "before this place ends" if token.type == "$END" else f"before {_shown(token)}"
    if opened == "(" and "_RPAR" in expected and "_COMMA" in expected:
        return f"`)` or `,` is missing {after}", "close the bracket or separate by `,`"
    if expected == {"_RSQB"}:
        return f"`]` is missing {after}", "close the bracket"
    if {"NAME", "STRING", "NUMBER"} <= expected and "_IN" not in expected:
        return f"a value is missing {after}", "write such as 3, red, or uniform(0, 1)"
    if {"NAME", "EMPTY"} <= expected and token.type == "_LPAR":
        return "brackets cannot group children", "name the group by a rule: `Pair -> left right`"
    if {"NAME", "EMPTY"} <= expected:
        return f"a symbol is missing {after}", "write `empty` for nothing"
    if expected == {"NUMBER"}:
        return f"a number is missing {after}", "write it"
    if expected in ({"_COLON"}, {"_ARROW"}, {"_COMMA"}, {"_X"}):
        return f"{_wanted(expected, '')} is missing {after}", "add it"
    return None


def _in_block(source: Source, token: Token, offset: int, word: str, end: int) -> GrammarError:
    if token.type in ("HEAD", "BLOCK", "$END") or token in HEADER_WORDS:
        return source.error_at_offset(max(0, end - 1), "the block is not closed", "add `}`")
    if token.type == "_COMMA":
        return source.error_at_offset(
            offset, "`,` is not used between attributes", "remove it; a space is enough"
        )
    if token.type == "_COLON":
        return source.error_at_offset(
            end - len(word), f"a value is missing before `{word}`", "write such as 3, red, 5 px"
        )
    if word == "mutable" and token.type == "_LPAR":
        return source.error_at_offset(
            offset, "the range behind `mutable` stands in square brackets", _squared(source, offset)
        )
    if "mutable" in (word, token):
        surprise = _surprise(token) + " behind `mutable`" * (word == "mutable")
        remedy = "`mutable` stands last: `x: normal(32, 9) px mutable [0, 64]`"
        return source.error_at_offset(offset, surprise, remedy)
    if token.isidentifier() and word in ("{", "]", *UNITS, *RELATIVE_UNITS):
        if near := did_you_mean(token, ["mutable"]):
            return source.error_at_offset(offset, f"unknown word `{token}`", near)
        return source.error_at_offset(
            offset, f"`:` is missing after `{token}`", f"write `{token}: value`"
        )
    if token.type == "_LPAR" and word.isidentifier():
        remedy = "a value is one law, then its unit: `yaw: normal(0, 10) deg mutable`"
        return source.error_at_offset(end - len(word), f"`{word}(` cannot stand here", remedy)
    if word.isidentifier() and word not in UNITS and word not in RELATIVE_UNITS:
        return source.error_at_offset(
            end - len(word), f"`:` is missing after `{word}`", f"write `{word}: value`"
        )
    return source.error_at_offset(
        offset, _surprise(token), "attributes are written `name: value unit`, then `}`"
    )


def _squared(source: Source, offset: int) -> str:
    """What to write instead of the round brackets that open at `offset`."""
    bounds = _ROUND.match(source.text, offset)
    low, high = bounds.groups() if bounds else ("0", "64")
    return f"write `mutable [{low}, {high}]`"


def _in_rule(source: Source, token: Token, offset: int, word: str, end: int) -> GrammarError:
    if token.type == "_LPAR":
        remedy = f"write its attributes in a block `{word} {{ ... }}`"
        return source.error_at_offset(offset, f"`{word}` takes no parameters here", remedy)
    if near := did_you_mean(word, HEADER_WORDS):
        return source.error_at_offset(end - len(word), f"unknown word `{word}`", near)
    if "max" in (word, token):
        remedy = "it stands behind a count: `car * uniform_int(0, 3) max 4`"
        return source.error_at_offset(offset, "`max` bounds a repetition", remedy)
    if token.type == "NUMBER":
        remedy = "a probability is written `[0.5]`, a repetition `car * 3`"
        return source.error_at_offset(offset, "a number cannot stand here", remedy)
    return source.error_at_offset(
        offset, _surprise(token), "alternatives are written `a b [0.5] | c [0.5]`"
    )


def _shown(token: Token) -> str:
    return f"`{token}`" if len(token) <= 40 else _SHOWN.get(token.type, "this")


def _surprise(token: Token) -> str:
    return "the text ends too early" if token.type == "$END" else f"unexpected {_shown(token)}"


def _wanted(expected: set[str], lead: str = "expected ") -> str:
    shown = sorted({_SHOWN.get(name, f"`{name.lstrip('_').lower()}`") for name in expected})
    return lead + " or ".join(shown[:5])
