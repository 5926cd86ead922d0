"""Terms to values: numbers, strings, distributions and units, with errors at their place."""

import json
import math
from dataclasses import MISSING, fields

from lark import Token

from datagen.distributions import (
    BY_NAME,
    Choice,
    Constant,
    Distribution,
    Mixture,
    Normal,
    Truncated,
    parts,
)
from datagen.distributions import Value as Concrete
from datagen.grammar import RELATIVE_UNITS, UNITS
from datagen.language.source import Source, did_you_mean
from datagen.language.syntax import Argument, Bounds, Call, Term, Value

DISTRIBUTIONS = (*BY_NAME, "choice", "mix")
LARGEST = 1e12  # a number beyond it is a slip, and breaks float arithmetic further on


def number(source: Source, token: Token) -> float | int:
    """A finite number; whole ones written without a point stay int."""
    value = float(token)
    if not math.isfinite(value):
        raise source.error(
            token, f"`{token[:20]}` is not a finite number", "write one with digits, such as 0.5"
        )
    if abs(value) > LARGEST:
        raise source.error(
            token, "this number is too large", f"stay between {-LARGEST:g} and {LARGEST:g}"
        )
    return int(value) if token.lstrip("+-").isdigit() else value


def string(source: Source, token: Token) -> str:
    """The text of a quoted string, with JSON's escapes, or of a bare name."""
    if token.type != "STRING":
        return str(token)
    try:
        return json.loads(token)
    except ValueError:
        raise source.error(token, "this string has an unknown escape", r"use \" and \\") from None


def law(source: Source, term: Term, bounds: Bounds | None = None) -> Distribution:
    """The distribution that a term and its bounds describe."""
    place = term.name if isinstance(term, Call) else term
    try:
        base = _call(source, term) if isinstance(term, Call) else _constant(source, term)
        return base if bounds is None else _truncated(source, place, base, bounds)
    except ValueError as error:
        raise source.error(place, f"`{place}`: {error}", "correct its parameters") from None


def unit(source: Source, value: Value, distribution: Distribution) -> str:
    """The unit behind a value; strings have none."""
    if value.unit is None:
        return ""
    known = (*(name for name in UNITS if name), *RELATIVE_UNITS)
    if value.unit not in known:
        remedy = did_you_mean(value.unit, (*known, "mutable"), "units are " + ", ".join(known))
        raise source.error(value.unit, f"unknown unit `{value.unit}`", remedy)
    if has_words(distribution):
        raise source.error(value.unit, "a name or string has no unit", "remove the unit")
    return str(value.unit)


def has_words(distribution: Distribution) -> bool:
    """True when some value is not a number."""
    for part in parts(distribution):
        match part:
            case Constant(str()):
                return True
            case Choice(values, _) if any(isinstance(v, str) for v in values):
                return True
    return False


def names_in(distribution: Distribution) -> tuple[str, ...] | None:
    """What a law of names can give: a constant, or a choice; None: it is no such law."""
    match distribution:
        case Constant(value):
            values = (value,)
        case Choice(values, _):
            pass
        case _:
            return None
    names = tuple(value for value in values if isinstance(value, str))
    return names if len(names) == len(values) else None


def _concrete(source: Source, token: Token) -> Concrete:
    if token.type == "NUMBER":
        return number(source, token)
    if token.type == "NAME" and token in DISTRIBUTIONS:
        raise source.error(token, f"`{token}` needs its parameters", f"write `{token}(...)`")
    return string(source, token)


def _constant(source: Source, token: Token) -> Constant:
    return Constant(_concrete(source, token))


def _call(source: Source, call: Call) -> Distribution:
    if call.name == "choice":
        return _choice(source, call)
    if call.name == "mix":
        laws = tuple(law(source, a.term, a.bounds) for a in call.arguments)
        return Mixture(laws, _weights(source, call))
    if call.name not in BY_NAME:
        remedy = did_you_mean(call.name, DISTRIBUTIONS, "known are " + ", ".join(DISTRIBUTIONS))
        raise source.error(call.name, f"unknown distribution `{call.name}`", remedy)
    return _plain(source, call, BY_NAME[call.name])


def _choice(source: Source, call: Call) -> Choice:
    values = []
    for argument in call.arguments:
        if isinstance(argument.term, Call) or argument.bounds is not None:
            raise source.error(
                _place(argument), "`choice` is between values", "use `mix` for distributions"
            )
        values.append(_concrete(source, argument.term))
    return Choice(tuple(values), _weights(source, call))


def _weights(source: Source, call: Call) -> tuple[float, ...]:
    return tuple(
        1.0 if a.weight is None else float(number(source, a.weight)) for a in call.arguments
    )


def _plain(source: Source, call: Call, kind: type) -> Distribution:
    names = [field.name for field in fields(kind)]
    needed = sum(field.default is MISSING for field in fields(kind))
    values = [_parameter(source, argument) for argument in call.arguments]
    if not needed <= len(call.arguments) <= len(names):
        number_of = f"{needed}" if needed == len(names) else f"{needed} to {len(names)}"
        takes = f"{number_of} parameter{'s' * (len(names) > 1)}"
        raise source.error(
            call.name,
            f"`{call.name}` takes {takes}, not {len(call.arguments)}",
            f"write `{call.name}({', '.join(names)})`",
        )
    if call.name == "uniform_int":
        values = [int(v) if v == int(v) else v for v in values]
    return kind(*values)


def _parameter(source: Source, argument: Argument) -> float | int:
    term = argument.term
    if isinstance(term, Call) or term.type != "NUMBER" or argument.bounds is not None:
        raise source.error(_place(argument), "this parameter must be a number", "write a number")
    if argument.weight is not None:
        raise source.error(argument.weight, "`,` is missing before this number", "add `,`")
    return number(source, term)


def _place(argument: Argument) -> Token:
    return argument.term.name if isinstance(argument.term, Call) else argument.term


def _truncated(source: Source, place: Token, base: Distribution, bounds: Bounds) -> Truncated:
    if not isinstance(base, Normal):
        raise source.error(
            place, "only `normal` can be truncated by `in`", "choose the bounds of the law itself"
        )
    return Truncated(base, number(source, bounds.low), number(source, bounds.high))
