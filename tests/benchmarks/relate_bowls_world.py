"""Balls in a bowl by their grammar."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datagen import recipe
from datagen.files import atomic_file
from datagen.frames import opened
from datagen.recipe import Recipe
from datagen.scene import Scene


@dataclass(frozen=True)
class World:
    """Pictures of one kind."""

    name: str
    grammar: str
    side: int  # px
    reach: float  # radius of a ball, in widths of the picture

    @property
    def radius(self) -> float:
        """px"""
        return self.reach * self.side


SPARSE = World("sparse", "balls_in_bowl", 32, 0.08)
DENSE = World("dense", "balls_in_bowl_dense", 32, 0.12)
LARGE = World("large", "balls_in_bowl", 64, 0.08)


class Pictures(NamedTuple):
    """What was drawn."""

    images: np.ndarray  # uint8 [N, S, S, 3]
    ids: np.ndarray  # uint8 [N, S, S]: 0, 1 red, 2 blue
    # float32 [N, 7], in widths: mean half-axis of the bowl, half of what they differ by times
    # cosine and sine of twice the angle, then x, y of each ball from the middle
    geometry: np.ndarray


def described(world: World, name: str, seed: int, count: int) -> Recipe:
    """The recipe of this name for pictures of the world's size."""
    canvas = f"canvas=[{world.side},{world.side}]"
    return recipe.load(name, [canvas, f"seed={seed}", f"count={count}"])


def pictures(world: World, out: Path, seed: int, count: int) -> Pictures:
    """Made once, then kept in `out`."""
    path = out / f"{world.grammar}-{world.side}-{seed}-{count}.npz"
    if path.is_file():
        with np.load(path) as held:
            return Pictures(*(held[name] for name in Pictures._fields))
    with opened(described(world, world.grammar, seed, count)) as make:
        made = [make(k) for k in range(count)]
    ids = np.stack([m.frame.instance_map for m in made])
    found = Pictures(
        np.stack([m.frame.image for m in made]),
        # Things are numbered in the grammar's order, whatever the numbers are.
        np.searchsorted(np.unique(ids), ids).astype(np.uint8),
        np.stack([_geometry(m.scene) for m in made]),
    )
    with atomic_file(path) as file:  # runs side by side may make it at the same time
        np.savez(file, **found._asdict())
    return found


def _geometry(scene: Scene | None) -> np.ndarray:
    assert scene is not None
    _, bowl, *balls = scene.root.children
    side = scene.canvas[0]
    sizes = (bowl.attributes["width"], bowl.attributes["height"])
    long, short = (float(size) / 2 / side for size in sizes)  # type: ignore[arg-type]
    turned, differ = 2 * bowl.transform.yaw, (long - short) / 2
    values = [(long + short) / 2, differ * np.cos(turned), differ * np.sin(turned)]
    for ball in balls:
        values += [ball.transform.x / side - 0.5, ball.transform.y / side - 0.5]
    return np.array(values, np.float32)
