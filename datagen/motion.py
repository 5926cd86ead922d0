"""A scene as time goes on: what has a speed goes straight on, what must keep apart rolls about."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from datagen.errors import RecipeError
from datagen.grammar import Grammar
from datagen.rolling import rolled
from datagen.scene import Scene, SceneNode
from datagen.settings.clips import Clips


def check(grammar: Grammar, clips: Clips, passes: Sequence[str], where: str) -> None:
    """Refuses clips of a world that cannot make them."""
    name, rolls = grammar.world, grammar.has_conditions
    if clips.speed is not None and not rolls:
        raise RecipeError(
            f"{where}: clips.speed is of what has `apart` or `inside`, and nothing in {name} has; "
            "leave it out"
        )
    if clips.speed is None and not any("speed" in s.attributes for s in grammar.symbols.values()):
        remedy = "give clips.speed" if rolls else "leave [clips] out"
        raise RecipeError(f"{where}: nothing in {name} would move in [clips]; {remedy}")
    if clips.speed is not None and "flow" in passes:
        raise RecipeError(
            f"{where}: the pass `flow` knows nothing of what rolls; leave it or clips.speed out"
        )


def frame_of(
    grammar: Grammar, first: Scene, clips: Clips, number: int, rng: np.random.Generator
) -> Scene:
    """Frame `number` of the clip that begins with the scene `first`.

    `rng` is the clip's, anew for each frame. Nodes keep their paths, which tell them apart from
    frame to frame.
    """
    scene = first
    if clips.speed is not None:
        # Through all instants before, so that each frame goes on from the one before it.
        instants = [k * clips.interval for k in range(number + 1)]
        scene = rolled(grammar, first, instants, clips.speed, rng)[-1]
    return later(scene, number * clips.interval)


def later(scene: Scene, seconds: float) -> Scene:
    """The scene after some time: nodes with a `speed` (m/s) have gone on along their own y.

    The root's speed is the camera's: the whole scene comes nearer by it.
    """
    if seconds == 0:
        return scene
    root = _advanced(scene.root, seconds)
    ahead = float(scene.root.attributes.get("speed", 0.0)) * seconds
    at = scene.root.transform
    return replace(scene, root=replace(root, transform=replace(at, y=at.y - ahead)))


def _advanced(node: SceneNode, seconds: float) -> SceneNode:
    children = tuple(_gone(_advanced(child, seconds), seconds) for child in node.children)
    return replace(node, children=children)


def _gone(node: SceneNode, seconds: float) -> SceneNode:
    ahead = float(node.attributes.get("speed", 0.0)) * seconds
    if not ahead:
        return node
    at = node.transform
    x, y = at.x - ahead * math.sin(at.yaw), at.y + ahead * math.cos(at.yaw)
    return replace(node, transform=replace(at, x=x, y=y))
