"""The first images of a dataset, each beside itself with edits."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from datagen.clips import drawing
from datagen.edits import Edits
from datagen.errors import EditError, InputError, RejectedError
from datagen.frame import Frame
from datagen.frames import Made, making, named, opened_drawing, opened_painting
from datagen.interfaces import Rngs
from datagen.recipe import Recipe
from datagen.scene import Scene, SceneNode, Transform
from datagen.threads import one_thread

_Change = Callable[[int, Made], Any]  # of image i: what renderers get, or a Frame


def first_edited(recipe: Recipe, number: int, edits: Edits) -> Iterator[tuple[Frame, Frame]]:
    """The first images of the recipe's dataset, each as it would be and with these edits.

    The second has the first one's random numbers, so a learned style stays. EditError where one of
    them does not allow an edit, or a gate rejects it: what came instead would be another image.
    """
    with (
        _opened_change(recipe, edits) as change,
        opened_drawing(recipe) as draw,
        opened_painting(recipe) as paint,
    ):
        make_frame = making(draw, paint)
        for index in range(number):
            made = make_frame(index)
            with one_thread(), named(index):
                if made.scene is None:  # in scenes, ways need not be px
                    edits.refuse_leaving(made.frame)
                try:
                    after = paint(change(index, made), index, made.rejected)
                except RejectedError as error:
                    raise EditError(f"with the change, {error}") from error
            yield made.frame, after if made.scene is None else _numbered_alike(after, made.frame)


def opened_variants(
    recipe: Recipe, variants: Sequence[Edits]
) -> AbstractContextManager[Callable[[Rngs], list[Any]]]:
    """The recipe's generator; of each rng it gives a picture with each of these edits."""
    generator = recipe.generator.component("generators")
    if not generator.may_edit():
        raise InputError(
            f"--move, --drop and --recolour: `{recipe.generator.use}` makes pictures whose things "
            "it cannot change one by one; preview without them"
        )
    return generator.open(recipe.world(), variants)


@contextmanager
def _opened_change(recipe: Recipe, edits: Edits) -> Iterator[_Change]:
    """Scenes are changed here, by the nodes of their things; all else by who makes it."""
    generator = recipe.generator.component("generators")
    if edits.recoloured and generator.gives is not Frame:
        raise InputError(
            f"--recolour gives things of learned pictures another look; `{recipe.generator.use}` "
            "makes none of these. Whole images get another style by `code` of the renderer `imle`"
        )
    if issubclass(generator.gives, Scene):
        yield lambda index, made: _changed(made, edits)
    else:
        with opened_variants(recipe, [edits]) as generate:
            draw = drawing(recipe, generate)
            yield lambda index, made: draw(index, made.rejected)


def _changed(made: Made, edits: Edits) -> Scene:
    """Things are moved along the scene's x and y. Nodes keep their paths; dropped ones are bare."""
    assert made.scene is not None, "the generator gives scenes"
    paths = {thing.id: thing.path for thing in made.frame.instances}
    gone = {paths[k] for k in edits.dropped & paths.keys()}
    ways = {paths[k]: way for k, way in edits.moved.items() if k in paths}

    def rebuilt(node: SceneNode, path: str, around: Transform) -> SceneNode:
        if path in gone:
            return replace(node, category=None, asset=None, attributes={}, children=())
        if path in ways:
            node = replace(node, transform=_moved(node.transform, around, ways[path]))
        inside = around @ node.transform
        prefix = path + "." if path else ""
        children = enumerate(node.children)
        return replace(
            node, children=tuple(rebuilt(child, f"{prefix}{k}", inside) for k, child in children)
        )

    return replace(made.scene, root=rebuilt(made.scene.root, "", Transform()))


def _moved(at: Transform, around: Transform, way: tuple[float, float]) -> Transform:
    """`at`, a frame in `around`, which moves by `way` in the frame that `around` is given in."""
    c, s = np.cos(around.yaw) / around.scale, np.sin(around.yaw) / around.scale
    return replace(at, x=at.x + c * way[0] + s * way[1], y=at.y - s * way[0] + c * way[1])


def _numbered_alike(after: Frame, before: Frame) -> Frame:
    """`after` with the numbers that its things have in `before`, by their paths."""
    numbers = {thing.path: thing.id for thing in before.instances}
    table = np.zeros(1 + max((thing.id for thing in after.instances), default=0), np.int32)
    for thing in after.instances:
        # What could not be seen before comes after all others.
        table[thing.id] = numbers.setdefault(thing.path, 1 + max(numbers.values(), default=0))
    things = tuple(replace(thing, id=int(table[thing.id])) for thing in after.instances)
    return replace(after, instances=things, instance_map=table[after.instance_map])
