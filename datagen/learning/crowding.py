"""Scenes of the prior in which things keep clear of one another.

Independent attributes put things on top of each other more often than places do. A network that
only sees such pictures learns to guess what is hidden, and then counts too many where nothing is.
"""

import math

import numpy as np

from datagen.derivation import Derivation
from datagen.grammar import Grammar
from datagen.placement import expand
from datagen.scene import Scene

_DRAWS = (2, 12)  # of the attributes; how clear a scene is to be differs from scene to scene


def uncrowded(grammar: Grammar, derivation: Derivation, rng: np.random.Generator) -> Scene:
    """The least crowded of some draws of a scene's attributes; each is possible in the prior."""
    draws = int(rng.integers(_DRAWS[0], _DRAWS[1] + 1))
    scenes = [expand(grammar, derivation, rng) for _ in range(draws)]
    return max(scenes, key=clearance)


def clearance(scene: Scene) -> float:
    """Mean distance of labelled things to the nearest other, in px; inf for a single thing.

    What is farther than half of an even spacing is clear enough and counts as that far.
    """
    places = [
        (placed.world.x, placed.world.y)
        for placed in scene.walk()
        if placed.node.category is not None
    ]
    if len(places) < 2:
        return math.inf
    at = np.array(places)
    distances = np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1))
    np.fill_diagonal(distances, math.inf)
    enough = 0.5 * math.sqrt(scene.canvas[0] * scene.canvas[1] / len(at))
    return float(np.minimum(distances.min(1), enough).mean())
