"""A probabilistic scene grammar as frozen data: what can stand where, and how often a priori."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from datagen.distributions import Distribution

# Attributes that place a node in its parent's frame; all others are handed to the renderer.
PLACEMENT = ("x", "y", "z", "gap", "yaw", "scale", "layer", "apart", "inside")
CONDITIONS = ("apart", "inside")  # on where it may stand: the node is drawn again until they hold

# Unit -> factor to the base unit (px or m, radians); relative units are resolved in `expand`.
UNITS: Mapping[str, float] = {
    "": 1.0,
    "px": 1.0,
    "m": 1.0,
    "cm": 0.01,
    "deg": 0.017453292519943295,
    "rad": 1.0,
}
RELATIVE_UNITS = ("width", "height")  # of the parent's own attributes of that name
TURN: Mapping[str, float] = {"deg": 360.0, "rad": 2 * math.pi}  # a whole turn in units of angles


@dataclass(frozen=True)
class Mutable:
    """Learning may change an attribute's law, within [low, high] in the attribute's own unit."""

    low: float
    high: float


@dataclass(frozen=True)
class Attribute:
    """The prior of one attribute and the unit in which it is written."""

    distribution: Distribution
    unit: str = ""
    mutable: Mutable | None = None  # None: learning leaves it alone
    line: int = field(default=0, compare=False)
    column: int = field(default=0, compare=False)

    @property
    def is_angle(self) -> bool:
        """Are values a whole turn apart the same?"""
        return self.unit in TURN


class Law(NamedTuple):
    """An attribute made ready for drawing: a drawn value times `factor` is in base units."""

    name: str
    distribution: Distribution
    factor: float
    relative: str | None  # the parent's attribute that is the factor instead


@dataclass(frozen=True)
class Draw:
    """How a symbol is drawn: by a painter of the renderer, or as a sprite `label` of an asset."""

    painter: str
    label: str | None = None

    def __str__(self) -> str:
        return self.painter if self.label is None else f"{self.painter}:{self.label}"


@dataclass(frozen=True)
class Symbol:
    """A name of the grammar; drawn when `draw` is set, labelled when `category` is set.

    `stuff` names the class of pixels that belong to no thing, such as a road's.
    """

    name: str
    category: str | None = None
    draw: Draw | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    stuff: str | None = field(default=None, kw_only=True)  # never beside a category
    line: int = field(default=0, compare=False)
    column: int = field(default=0, compare=False)

    @cached_property
    def laws(self) -> tuple[Law, ...]:
        """The attributes in file order, which is the order that they are drawn in."""
        return tuple(_law(name, attribute) for name, attribute in self.attributes.items())

    @cached_property
    def asset(self) -> str | None:
        """How its scene nodes are drawn: a painter's name, or "pack:label" for a sprite."""
        return None if self.draw is None else str(self.draw)

    @cached_property
    def is_placed(self) -> bool:
        """Does it have a frame of its own, or does it stay in its parent's?"""
        return any(name in PLACEMENT for name in self.attributes)

    @cached_property
    def is_conditioned(self) -> bool:
        """Is it drawn again until it has room?"""
        return any(name in CONDITIONS for name in self.attributes)

    @cached_property
    def has_extents(self) -> bool:
        return any(name in RELATIVE_UNITS for name in self.attributes)


def _law(name: str, attribute: Attribute) -> Law:
    if attribute.unit in RELATIVE_UNITS:
        return Law(name, attribute.distribution, 1.0, attribute.unit)
    return Law(name, attribute.distribution, UNITS[attribute.unit], None)


@dataclass(frozen=True)
class Rule:
    """lhs -> children with probability `weight` among the rules of lhs.

    `index` is the rule's place in the grammar and the structure model's vocabulary.
    The two rules of a repetition carry weight 1: their law is the count's (`Repeat`).
    """

    index: int
    lhs: str
    children: tuple[str, ...]
    weight: float
    line: int = field(default=0, compare=False)
    column: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Repeat:
    """`item * count` is sugar for the two rules symbol -> item symbol | empty, and a prior count.

    `symbol` is a made-up name such as `car*`; its nodes never appear in a scene.
    """

    symbol: str
    item: str
    count: Distribution
    more: int  # index of the rule symbol -> item symbol
    stop: int  # index of the rule symbol -> empty
    most: int | None = None  # learning may not make the count larger; None: no such bound


@dataclass(frozen=True)
class Asset:
    """A named source of things to draw, such as a sprite pack; a recipe may point it elsewhere."""

    name: str
    kind: str
    source: str
    line: int = field(default=0, compare=False)
    column: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Grammar:
    """A whole world. Rules are in file order; `canvas` is (width, height) in pixels."""

    world: str
    canvas: tuple[int, int]
    start: str
    rules: tuple[Rule, ...]
    symbols: Mapping[str, Symbol]
    repeats: Mapping[str, Repeat] = field(default_factory=dict)
    assets: Mapping[str, Asset] = field(default_factory=dict)
    max_depth: int = 64
    max_nodes: int = 2000
    digest: str = field(default="", compare=False)  # sha256 of the text, 16 hex digits

    @cached_property
    def rules_of(self) -> Mapping[str, tuple[Rule, ...]]:
        """Symbol -> its rules; terminals are absent."""
        table: dict[str, list[Rule]] = {}
        for rule in self.rules:
            table.setdefault(rule.lhs, []).append(rule)
        return {name: tuple(rules) for name, rules in table.items()}

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Category names in the order of the file; COCO category id = position + 1."""
        return tuple(dict.fromkeys(s.category for s in self.symbols.values() if s.category))

    @cached_property
    def stuffs(self) -> tuple[str, ...]:
        """Stuff names in the order of the file; class ids go on after the categories'."""
        return tuple(dict.fromkeys(s.stuff for s in self.symbols.values() if s.stuff))

    @cached_property
    def has_conditions(self) -> bool:
        """Must anything be drawn again until it has room?"""
        return any(symbol.is_conditioned for symbol in self.symbols.values())

    def is_terminal(self, name: str) -> bool:
        return name not in self.rules_of

    def allowed(self, name: str) -> tuple[int, ...]:
        """Indices of the rules that may expand `name`: the mask of Meta-Sim2, section 3.2."""
        return tuple(rule.index for rule in self.rules_of[name])
