"""Scenes in motion: what must keep apart or lie inside rolls about, and bounces off what it meets.

Discs of one material slide without friction: their speed changes only when they hit each other,
and what the grammar asks of them holds at every instant. A step that would break it is not made;
the velocities are reflected in its place, so no energy comes or goes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from datagen.clearance import (
    Spot,
    lies_inside,
    nearest_before,
    on_ellipse,
    seen_from,
    spot_of,
    stands_apart,
)
from datagen.errors import InputError
from datagen.grammar import Grammar
from datagen.placement import replaced
from datagen.scene import Scene, SceneNode

_STEP = 0.05  # of the smallest radius that anything goes at once
_MOST_STEPS = 1_000_000


def rolled(
    grammar: Grammar,
    scene: Scene,
    instants: Sequence[float],
    speed: float,
    rng: np.random.Generator,
) -> list[Scene]:
    """The scene at each of these instants, s, in rising order from 0 on.

    Each node with `apart` or `inside` starts at `speed` (base units a second: px or m) in a random
    direction. Nodes keep their paths, which tell them apart from picture to picture. InputError
    for a world in which nothing can roll.
    """
    if list(instants) != sorted(instants) or any(t < 0 for t in instants):
        raise InputError("rolling: instants must rise from 0 on")
    if not grammar.has_conditions:
        raise InputError(f"nothing in {grammar.world} has `apart` or `inside`, so nothing rolls")
    discs = _discs(grammar, scene, speed, rng)
    scenes, now = [], 0.0
    for instant in instants:
        _go_on(discs, instant - now, speed)
        now = instant
        places = {disc.path: {"x": disc.spot.x, "y": disc.spot.y} for disc in discs}
        scenes.append(replaced(grammar, scene, places))
    return scenes


@dataclass(slots=True)
class _Disc:
    """A node that rolls."""

    path: str
    parent: str
    spot: Spot
    around: Spot | None  # what it lies inside
    vx: float
    vy: float


def _discs(grammar: Grammar, scene: Scene, speed: float, rng: np.random.Generator) -> list[_Disc]:
    found = []
    for placed in scene.walk():
        before: list[Spot] = []
        for k, child in enumerate(placed.node.children):
            spot = spot_of(child.symbol, child.transform, child.attributes)
            if grammar.symbols[child.symbol].is_conditioned:
                path = f"{placed.path}.{k}" if placed.path else f"{k}"
                angle = rng.uniform(0, 2 * math.pi)
                velocity = speed * math.cos(angle), speed * math.sin(angle)
                found.append(_Disc(path, placed.path, spot, _around(child, before), *velocity))
            before.append(spot)
    return found


def _around(node: SceneNode, before: Sequence[Spot]) -> Spot | None:
    name = node.attributes.get("inside")
    return None if name is None else nearest_before(str(name), before)


def _go_on(discs: Sequence[_Disc], seconds: float, speed: float) -> None:
    smallest = min((disc.spot.radius for disc in discs if disc.spot.radius > 0), default=1.0)
    # Who is hit may become faster than any was at the start: by the energy of all, at the most.
    steps = math.ceil(seconds * speed * math.sqrt(len(discs)) / (_STEP * smallest))
    if steps > _MOST_STEPS:
        raise InputError(
            f"rolling: {seconds:g} s at {speed:g} a second takes {steps:,} steps, and "
            f"{_MOST_STEPS:,} are allowed; lower clips.speed or clips.interval"
        )
    beside = [[o for o in discs if o.parent == d.parent and o is not d] for d in discs]
    for _ in range(steps):
        for disc, others in zip(discs, beside, strict=True):
            _step(disc, others, seconds / steps)


def _step(disc: _Disc, others: Sequence[_Disc], seconds: float) -> None:
    ahead = replace(disc.spot, x=disc.spot.x + disc.vx * seconds, y=disc.spot.y + disc.vy * seconds)
    hit = next((other for other in others if not stands_apart(ahead, [other.spot])), None)
    if hit is not None:
        _collide(disc, hit)
    elif disc.around is not None and not lies_inside(ahead, disc.around):
        _reflect(disc, disc.around)
    else:
        disc.spot = ahead


def _collide(a: _Disc, b: _Disc) -> None:
    """Elastic, with masses like areas; nothing happens to discs that part already."""
    x, y = b.spot.x - a.spot.x, b.spot.y - a.spot.y
    away = math.hypot(x, y) or 1.0
    x, y = x / away, y / away
    closing = (a.vx - b.vx) * x + (a.vy - b.vy) * y
    masses = a.spot.radius**2, b.spot.radius**2
    if closing <= 0 or sum(masses) == 0:
        return
    push = 2 * closing / sum(masses)
    a.vx, a.vy = a.vx - push * masses[1] * x, a.vy - push * masses[1] * y
    b.vx, b.vy = b.vx + push * masses[0] * x, b.vy + push * masses[0] * y


def _reflect(disc: _Disc, around: Spot) -> None:
    """Off the rim, at the point of it that is nearest; what comes in already is let in."""
    a, b = around.half_width, around.half_height
    px, py = on_ellipse(*seen_from(disc.spot, around), a, b)
    u, v = px / (a * a), py / (b * b)
    c, s = math.cos(around.yaw), math.sin(around.yaw)
    length = math.hypot(u, v)
    x, y = (c * u - s * v) / length, (s * u + c * v) / length
    outwards = max(0.0, disc.vx * x + disc.vy * y)
    disc.vx, disc.vy = disc.vx - 2 * outwards * x, disc.vy - 2 * outwards * y
