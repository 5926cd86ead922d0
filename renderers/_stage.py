"""A scene as pieces of geometry where they stand, and what each pixel of them will mean."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from datagen.errors import InputError
from datagen.grammar import Grammar
from datagen.scene import Placed, Scene, SceneNode, Transform

from ._families.family import Family, Piece
from ._families.sky import Light, Sky


@dataclass(frozen=True)
class Thing:
    """A labelled node, with the pieces that it and its unlabelled parts are made of."""

    category: int
    path: str
    at: Transform
    pieces: list[int] = field(default_factory=list)  # without the darkness under it


@dataclass(frozen=True)
class Stage:
    """N pieces in tree order. Part 0 is nothing; part p is drawn node number p."""

    pieces: Sequence[Piece]
    matrices: np.ndarray  # float32 [N, 3, 4]: each geometry's own units -> the scene's frame, m
    parts: np.ndarray  # uint32 [N]
    owner: np.ndarray  # int32 [P + 1]: position of the part's thing, -1 where it has none
    classes: np.ndarray  # uint8 [P + 1]: class id of the part's pixels
    things: Sequence[Thing]
    light: Light


@dataclass(frozen=True)
class Cast:
    """Who can be on stage: the families of a grammar's symbols, and its classes."""

    families: Mapping[str, Family]  # by the asset of a scene node
    categories: tuple[str, ...]
    stuff: Mapping[str, int]  # symbol -> class id, of what is no thing

    @classmethod
    def of(cls, grammar: Grammar, families: Mapping[str, Family]) -> "Cast":
        first = len(grammar.categories) + 1
        ids = {name: first + k for k, name in enumerate(grammar.stuffs)}
        stuff = {s.name: ids[s.stuff] for s in grammar.symbols.values() if s.stuff is not None}
        return cls(families, grammar.categories, stuff)

    def family(self, node: SceneNode) -> Family:
        family = self.families.get(str(node.asset))
        if family is None:
            raise InputError(f"the scene has a `{node.asset}`, which the grammar never draws")
        return family

    def category(self, name: str) -> int:
        if name not in self.categories:
            raise InputError(f"the scene has a `{name}`, which the grammar does not know")
        return self.categories.index(name) + 1


def staged(scene: Scene, cast: Cast) -> Stage:
    """Every piece of the scene; InputError for a node that cannot be drawn."""
    pieces: list[Piece] = []
    worlds: list[np.ndarray] = []
    counts: list[int] = []  # pieces of each part
    owner, classes, things = [-1], [0], list[Thing]()
    above: dict[str, _Meaning] = {}  # path -> what a node's pixels, and its parts', mean
    light = Light()
    for placed in scene.walk():
        number, class_id = _meaning(placed, cast, things, above)
        if placed.node.asset is None:
            continue
        family = cast.family(placed.node)
        made = _pieces(family, placed)
        if number >= 0:
            body = (k for k, p in enumerate(made, len(pieces)) if not p.geometry.is_contact)
            things[number].pieces.extend(body)
        pieces += made
        worlds.append(world(placed.world))
        counts.append(len(made))
        owner.append(number)
        classes.append(class_id)
        if isinstance(family, Sky):
            light = family.light(placed.node.attributes)
    return Stage(
        pieces=pieces,
        matrices=_composed(worlds, counts, pieces),
        parts=np.repeat(np.arange(1, len(counts) + 1, dtype=np.uint32), counts),
        owner=np.array(owner, np.int32),
        classes=np.array(classes, np.uint8),
        things=things,
        light=light,
    )


def within_parts(stage: Stage, parts: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Depth float32 [H, W] of a rasterizer, held to where each pixel's part reaches.

    A rasterizer rounds corners to a fraction of a pixel. On a face that is seen from its edge
    metres lie in that fraction, and its depth could lie outside the thing.
    """
    if not len(stage.parts):
        return depth
    bounds = np.stack([piece.geometry.bounds for piece in stage.pieces]).astype(float)
    middles, halves = bounds.mean(axis=1), (bounds[:, 1] - bounds[:, 0]) / 2
    ahead = stage.matrices[:, 1].astype(float)
    centre = (ahead[:, :3] * middles).sum(axis=1) + ahead[:, 3]
    reach = (np.abs(ahead[:, :3]) * halves).sum(axis=1)
    low, high = np.full(len(stage.classes), np.inf), np.full(len(stage.classes), -np.inf)
    np.minimum.at(low, stage.parts, centre - reach)
    np.maximum.at(high, stage.parts, centre + reach)
    low[0], high[0] = -np.inf, np.inf  # where nothing is
    return np.clip(depth, low.astype(np.float32)[parts], high.astype(np.float32)[parts])


def moved(stage: Stage, scene: Scene) -> np.ndarray:
    """float32 [N, 3, 4]: where the stage's pieces stand in a later scene of the same nodes."""
    worlds = [world(placed.world) for placed in scene.walk() if placed.node.asset is not None]
    counts = np.bincount(stage.parts, minlength=len(worlds) + 1)[1:].tolist()
    return _composed(worlds, counts, stage.pieces)


def world(at: Transform) -> np.ndarray:
    """float64 [3, 4]: a node's frame -> the scene's."""
    if not math.isfinite(at.x + at.y + at.z + at.yaw + at.scale) or not at.scale > 0:
        raise InputError(f"a node stands at {at}: its place must be finite, its scale above 0")
    c, s = at.scale * math.cos(at.yaw), at.scale * math.sin(at.yaw)
    return np.array([[c, -s, 0.0, at.x], [s, c, 0.0, at.y], [0.0, 0.0, at.scale, at.z]])


class _Meaning(NamedTuple):
    thing: int  # position among the things; -1: none
    class_id: int  # 0: none


_NOTHING = _Meaning(-1, 0)


def _meaning(
    placed: Placed, cast: Cast, things: list[Thing], above: dict[str, _Meaning]
) -> _Meaning:
    """Of the node itself, or of the nearest thing or stuff above it in the tree."""
    path, node = placed.path, placed.node
    if node.category is not None:
        category = cast.category(node.category)
        things.append(Thing(category, path, placed.world))
        meaning = _Meaning(len(things) - 1, category)
    elif node.symbol in cast.stuff:
        meaning = _Meaning(-1, cast.stuff[node.symbol])
    else:
        meaning = above[path.rpartition(".")[0]] if path else _NOTHING
    if node.children:
        above[path] = meaning
    return meaning


def _pieces(family: Family, placed: Placed) -> list[Piece]:
    try:
        return family.pieces(placed.node.attributes, math.hypot(placed.world.x, placed.world.y))
    except ValueError as error:
        where = f"`{placed.node.symbol}` ({placed.path})"
        raise InputError(f"cannot draw {where}: {error}") from error


def _composed(
    worlds: Sequence[np.ndarray], counts: Sequence[int], pieces: Sequence[Piece]
) -> np.ndarray:
    if not pieces:
        return np.zeros((0, 3, 4), np.float32)
    outer = np.repeat(np.stack(worlds), counts, axis=0)
    inner = np.stack([piece.matrix for piece in pieces])
    made = outer[:, :, :3] @ inner
    made[:, :, 3] += outer[:, :, 3]
    return made.astype(np.float32)
