"""Balls in a bowl by their grammar, and what colours tell of any such picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from datagen import recipe
from datagen.files import atomic_file
from datagen.frames import opened
from datagen.recipe import Recipe
from datagen.scene import Scene

COLOURS = {  # as in the grammars
    "table": (0x2B, 0x2B, 0x30),
    "bowl": (0xB9, 0xB4, 0xA8),
    "red": (0xD8, 0x34, 0x2C),
    "blue": (0x2C, 0x50, 0xD8),
}
_BALLS = ("red", "blue")
_CLASSES = tuple(COLOURS)
# Of a ball as it should look: share of the nominal area, of its pixels outside the largest piece.
_LEAST, _MOST, _STRAY = 0.5, 1.7, 0.3
_APART, _INSIDE = 1.8, 0.4  # radii: between centres, from a centre to the bowl's rim


@dataclass(frozen=True)
class World:
    """Pictures of one kind."""

    name: str
    grammar: str
    side: int  # px
    radius: float  # of a ball, in widths of the picture


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


# ------------------------------------------------------------------------------ what colours tell


class Balls(NamedTuple):
    """What a picture shows by its colours."""

    masks: np.ndarray  # bool [2, S, S]: red, blue; the largest piece of each
    centres: np.ndarray  # [2, 2]: x, y in px; nan where there is none
    both: bool  # each ball is there once, of about its size
    ok: bool  # they are, do not overlap, and lie inside the bowl
    inside: bool  # both lie inside the bowl
    pieces: tuple[int, int]  # red and blue ones of about a ball's size
    stray: bool  # something of a ball's colour is no ball


def seen(image: np.ndarray, world: World) -> Balls:
    """uint8 [S, S, 3] -> what it shows; each pixel is of the nearest colour."""
    colours = np.array(list(COLOURS.values()), np.int32)
    nearest = np.square(image[:, :, None].astype(np.int32) - colours).sum(3).argmin(2)
    radius = world.radius * world.side
    nominal = np.pi * radius**2
    found = [_ball(nearest == _CLASSES.index(name), nominal) for name in _BALLS]
    masks = np.stack([one.mask for one in found])
    centres = np.stack([_centre(mask) for mask in masks])
    both = all(one.good for one in found)
    inside = both and _within(nearest == _CLASSES.index("bowl"), centres, _INSIDE * radius)
    apart = both and float(np.linalg.norm(centres[0] - centres[1])) >= _APART * radius
    return Balls(
        masks,
        centres,
        both,
        bool(inside and apart),
        inside,
        (found[0].pieces, found[1].pieces),
        any(one.stray for one in found),
    )


class _Found(NamedTuple):
    mask: np.ndarray
    good: bool
    pieces: int
    stray: bool


def _ball(mask: np.ndarray, nominal: float) -> _Found:
    count, labels, table, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    if count == 1:
        return _Found(mask, good=False, pieces=0, stray=False)
    areas = table[1:, cv2.CC_STAT_AREA]
    fits = (areas >= _LEAST * nominal) & (areas <= _MOST * nominal)
    rest = areas.sum() - areas.max()
    good = bool(fits[areas.argmax()] and rest <= _STRAY * areas.sum())
    stray = bool(areas[~fits].sum() > _STRAY * nominal)
    return _Found(labels == 1 + areas.argmax(), good, int(fits.sum()), stray)


def _centre(mask: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(mask)
    return np.array([x.mean(), y.mean()]) if len(x) else np.full(2, np.nan)


def _within(bowl: np.ndarray, centres: np.ndarray, margin: float) -> bool:
    """Do the centres lie that far inside the hull of the bowl's pixels? px."""
    points = np.argwhere(bowl)[:, ::-1].astype(np.float32)
    if len(points) < 3:
        return False
    hull = cv2.convexHull(points)
    far = [cv2.pointPolygonTest(hull, (float(x), float(y)), measureDist=True) for x, y in centres]
    return min(far) >= margin
