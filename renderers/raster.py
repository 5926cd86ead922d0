"""Scene -> Frame in 2D with OpenCV: image and labels from one compositing pass.

Drawn nodes are put down by their z (the higher the nearer), ties in tree order; but what stands in
perspective comes after what does not, and the farther before the nearer. A pixel belongs to the
last thing that covers at least half of it. A drawn node without a category or stuff is part of
the nearest thing or stuff above it in the tree; where there is none (ground, a decoration), its
pixels belong to nothing. Stuff has a class but is no thing. Depth counts layers from the top: 0
for the node drawn last, and the number of drawn nodes where nothing was drawn.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from datagen.errors import InputError
from datagen.frame import Frame, Instance, Silhouette
from datagen.grammar import Grammar
from datagen.interfaces import Component, Rngs
from datagen.scene import Placed, Scene, SceneNode

from ._camera import Camera, View
from ._canvas import Canvas, Drawing, lit, union
from ._noise import Noise
from ._painters import painters_of
from ._painting import InPerspective, Painter, Site
from ._street_sky import Sky


class Renderer(Component):
    """Flat pictures of a scene, seen from above or from the front, and streets in perspective."""

    takes: ClassVar[type[Scene]] = Scene

    supersample: int = Field(default=4, ge=1, le=8)  # fine pixels per pixel and axis at edges
    noise: float = Field(default=0.0, ge=0.0, le=64.0)  # std in grey levels, each channel its own
    camera: Camera = Camera()  # of worlds in perspective; others are not seen through one

    @contextmanager
    def open(
        self, grammar: Grammar, passes: frozenset[str] = frozenset()
    ) -> Iterator[Callable[[Sequence[Scene], Rngs], list[Frame]]]:
        classes = len(grammar.categories) + len(grammar.stuffs)
        if classes > 255:
            raise InputError(f"{grammar.world} has {classes} categories and stuff, over 255")
        painters, noise = painters_of(grammar), Noise(self.noise)

        def render(scenes: Sequence[Scene], rngs: Rngs) -> list[Frame]:
            frames = []
            for scene, rng in zip(scenes, rngs, strict=True):
                view = View.of(self.camera, *scene.canvas)
                site = Site(*scene.canvas, self.supersample, rng, view)
                frames.append(_paint(scene, painters, grammar, site, noise))
            return frames

        yield render


@dataclass(slots=True)
class _Thing:
    """A labelled thing while it is drawn, perhaps in several parts; or a piece of stuff."""

    kind: int  # category or stuff id
    is_stuff: bool
    path: str
    id: int = 0
    parts: list[Silhouette] = field(default_factory=list)


def _paint(
    scene: Scene,
    painters: dict[str, Painter],
    grammar: Grammar,
    site: Site,
    noise: Noise,
) -> Frame:
    layers = _layers(scene, grammar)
    layers.sort(key=lambda layer: _nearness(layer[0], painters))
    daylight = _daylight(layers, painters)
    canvas = Canvas(site.width, site.height)
    things: list[_Thing] = []
    ids, classes = [0], [0]  # of each layer; layer 0 is nothing
    for number, (placed, thing) in enumerate(layers, start=1):
        silhouette = canvas.put(_draw(placed, painters, site, daylight), number)
        if thing is not None and not thing.is_stuff and silhouette.mask.any():
            if not thing.parts:
                things.append(thing)
                thing.id = len(things)
            thing.parts.append(silhouette)
        ids.append(thing.id if thing else 0)
        classes.append(thing.kind if thing else 0)
    return Frame(
        class_map=np.array(classes, np.uint8).take(canvas.top),
        instance_map=np.array(ids, np.int32).take(canvas.top),
        depth=np.arange(len(layers), -1, -1, dtype=np.float32).take(canvas.top),
        instances=tuple(Instance(t.id, t.kind, t.path, union(t.parts)) for t in things),
        categories=grammar.categories,
        stuff=grammar.stuffs,
        image=noise.add(canvas.image, site.rng),
    )


def _layers(scene: Scene, grammar: Grammar) -> list[tuple[Placed, _Thing | None]]:
    """Drawn nodes in tree order, each with the thing or stuff that it is part of."""
    owners: dict[str, _Thing | None] = {}
    layers: list[tuple[Placed, _Thing | None]] = []
    for placed in scene.walk():
        path, node = placed.path, placed.node
        stuff = _stuff(node, grammar)
        if node.category is not None:
            thing = _Thing(_category(node.category, grammar.categories), False, path)
        elif stuff is not None:
            thing = _Thing(stuff, True, path)
        else:
            thing = owners[path.rpartition(".")[0]] if path else None
        if node.children:
            owners[path] = thing
        if node.asset is not None:
            layers.append((placed, thing))
    return layers


def _nearness(placed: Placed, painters: dict[str, Painter]) -> tuple[float, bool, float]:
    """What the order of drawing goes by: the layer; in it, what stands; of that, the distance."""
    painter = painters.get(str(placed.node.asset))
    stands = isinstance(painter, InPerspective) and painter.stands
    return placed.world.z, stands, -placed.world.y if stands else 0.0


def _category(name: str, categories: tuple[str, ...]) -> int:
    if name not in categories:
        raise InputError(f"the scene has a `{name}`, which the grammar does not know")
    return categories.index(name) + 1


def _stuff(node: SceneNode, grammar: Grammar) -> int | None:
    """The class id of a node of stuff: those of stuff go on after the categories'."""
    symbol = grammar.symbols.get(node.symbol)
    if symbol is None or symbol.stuff is None:
        return None
    return len(grammar.categories) + grammar.stuffs.index(symbol.stuff) + 1


def _draw(
    placed: Placed, painters: dict[str, Painter], site: Site, daylight: tuple[float, float, float]
) -> Drawing:
    node = placed.node
    painter = painters.get(str(node.asset))
    if painter is None:
        raise InputError(f"the scene has a `{node.asset}`, which the grammar never draws")
    try:
        if not placed.world.scale > 0:
            raise ValueError(f"its scale is {placed.world.scale:g}; it must be above 0")
        drawing = painter.draw(placed.world, node.attributes, site)
    except ValueError as error:
        raise InputError(f"cannot draw `{node.symbol}` ({placed.path}): {error}") from error
    if isinstance(painter, InPerspective):
        return replace(drawing, body=lit(drawing.body, daylight))
    return drawing


def _daylight(
    layers: list[tuple[Placed, _Thing | None]], painters: dict[str, Painter]
) -> tuple[float, float, float]:
    """The light of the nearest sky; where there is none, it is day."""
    for placed, _ in reversed(layers):
        painter = painters.get(str(placed.node.asset))
        if isinstance(painter, Sky):
            return painter.daylight(placed.node.attributes)
    return 1.0, 1.0, 1.0
