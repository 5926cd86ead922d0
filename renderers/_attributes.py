"""What painters read from a node, and the check of a grammar against it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from datagen.distributions import (
    Choice,
    Constant,
    Distribution,
    Spread,
    Truncated,
    Uniform,
    UniformInt,
    Value,
    parts,
)
from datagen.errors import InputError
from datagen.grammar import PLACEMENT, RELATIVE_UNITS, UNITS, Attribute, Symbol

from ._colours import RGB, parse

Values = Mapping[str, Value]


@dataclass(frozen=True)
class Number:
    """A number in [low, high]. The tail of an unbounded prior beyond it is clipped."""

    name: str
    default: float
    low: float = 0.0
    high: float = 32_000.0

    def of(self, values: Values) -> float:
        value = values.get(self.name, self.default)
        if isinstance(value, str) or math.isnan(value):
            raise ValueError(f"`{self.name}` is {value!r}, not a number")
        return min(max(float(value), self.low), self.high)

    def pick(self, values: Values, count: int) -> int:
        """Which of so many things a number in [0, 1] means: floor(number * count)."""
        return min(int(self.of(values) * count), count - 1)

    def check(self, value: Value) -> None:
        if isinstance(value, str) or not self.low <= value <= self.high:
            raise ValueError(
                f"`{self.name}` can be {value!r}; it must be a number "
                f"from {self.low:g} to {self.high:g}"
            )


@dataclass(frozen=True)
class Colour:
    """A colour name or "#rrggbb"."""

    name: str
    default: str

    def of(self, values: Values) -> RGB:
        return parse(str(values.get(self.name, self.default)))

    def check(self, value: Value) -> None:
        parse(str(value))


@dataclass(frozen=True)
class Name:
    """One of a few words; with `or_colour`, also a colour."""

    name: str
    default: str
    known: tuple[str, ...]
    or_colour: bool = False

    def of(self, values: Values) -> str:
        value = str(values.get(self.name, self.default))
        self.check(value)
        return value

    def check(self, value: Value) -> None:
        if value in self.known:
            return
        if self.or_colour:
            try:
                parse(str(value))
            except ValueError as error:
                words = ", ".join(self.known)
                raise ValueError(f"`{self.name}` is none of {words}, and {error}") from error
        else:
            raise ValueError(f"unknown {self.name} `{value}`; known: {', '.join(self.known)}")


Reads = tuple[Number | Colour | Name, ...]


def check_attributes(symbol: Symbol, painter: str, reads: Reads) -> None:
    """InputError when the symbol has an attribute, or can get a value, that its painter refuses."""
    known = {entry.name: entry for entry in reads}
    for name, attribute in symbol.attributes.items():
        if name in known:
            _check_values(symbol, known[name], attribute)
        elif name not in PLACEMENT and name not in RELATIVE_UNITS:
            raise InputError(
                f"symbol `{symbol.name}`{_line(attribute)}: `{painter}` reads no attribute "
                f"`{name}`; it reads {', '.join(known) or 'none'} and {', '.join(PLACEMENT)}"
            )


def _check_values(symbol: Symbol, entry: Number | Colour | Name, attribute: Attribute) -> None:
    if attribute.unit in RELATIVE_UNITS:
        return  # the value is known only beside its parent
    factor = UNITS[attribute.unit]
    for value in _extremes(attribute.distribution):
        try:
            entry.check(value if isinstance(value, str) else value * factor)
        except ValueError as error:
            raise InputError(f"symbol `{symbol.name}`{_line(attribute)}: {error}") from error


def _extremes(distribution: Distribution) -> Iterator[Value]:
    """The values at which a prior would first leave a range; none for unbounded tails."""
    bounded = {id(p.base) for p in parts(distribution) if isinstance(p, Truncated)}
    for part in parts(distribution):
        match part:
            case Constant(value):
                yield value
            case Choice(values, weights):
                yield from (v for v, w in zip(values, weights, strict=True) if w > 0)
            case Uniform(low, high) | Spread(low, high) | UniformInt(low, high):
                yield from (low, high)
            case Truncated(_, low, high):
                yield from (low, high)
            case _ if id(part) not in bounded:
                yield max(part.mean(), 0.0)  # type: ignore[attr-defined]
            case _:
                pass


def _line(attribute: Attribute) -> str:
    return f" (line {attribute.line})" if attribute.line else ""
