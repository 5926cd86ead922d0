"""Scene -> Frame in 3D by casting rays on the CPU: exact and slow, in flat colours, without OpenGL.

It shares the geometry, the camera and the names of what is seen (_framing) with `mesh`, and nothing
of how a pixel's owner and depth are found, which makes it the judge of those (`datagen verify
--raycast`).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
from pydantic import Field

from datagen.frame import Frame, Pinhole, Silhouette
from datagen.grammar import Grammar
from datagen.interfaces import Component, Rngs
from datagen.motion import later
from datagen.scene import Scene

from ._camera import NEAR, REACH, Camera, View
from ._framing import framed, pinhole_of
from ._raycast import Placed, cast
from ._sensor import Sensor
from ._stage import Cast, Stage, staged


class Renderer(Component):
    """The options of `mesh` that decide what is where; of the sensor, only the lens."""

    takes: ClassVar[type[Scene]] = Scene

    camera: Camera = Camera()
    sensor: Sensor = Sensor()
    time: float = Field(default=0.0, ge=-60.0, le=60.0)  # s

    @contextmanager
    def open(
        self, grammar: Grammar, passes: frozenset[str]
    ) -> Iterator[Callable[[Sequence[Scene], Rngs], list[Frame]]]:
        from ._families.table import families_of

        players = Cast.of(grammar, families_of(grammar))

        def render(scenes: Sequence[Scene], rngs: Rngs) -> list[Frame]:
            return [self._seen(scene, players, grammar.stuffs) for scene in scenes]

        yield render

    def _seen(self, scene: Scene, players: Cast, stuff: tuple[str, ...]) -> Frame:
        stage = staged(later(scene, self.time), players)
        view = View.of(self.camera, *scene.canvas)
        pinhole = pinhole_of(view, self.sensor.distortion)
        placed = _placed(stage, range(len(stage.pieces)))
        parts, depth = _cast(placed, pinhole, 0, 0, view.width, view.height)
        silhouettes = [_silhouette(stage, thing.pieces, pinhole) for thing in stage.things]
        return framed(
            stage,
            view,
            parts=parts.astype(np.uint32),
            depth=depth,
            silhouettes=silhouettes,
            categories=players.categories,
            stuff=stuff,
            camera=pinhole,
            image=_coloured(parts),
        )


def _placed(stage: Stage, pieces: Sequence[int] | range) -> list[Placed]:
    return [(stage.pieces[k].geometry, stage.matrices[k], int(stage.parts[k])) for k in pieces]


def _cast(
    placed: list[Placed], pinhole: Pinhole, left: int, top: int, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ids and depth, [height, width], of a window that may lie beyond the picture's border."""
    x, y = np.meshgrid(left + np.arange(width), top + np.arange(height))
    ids, depth = cast(placed, pinhole, np.stack([x.ravel(), y.ravel()], axis=1), NEAR)
    return ids.reshape(height, width), depth.reshape(height, width)


def _silhouette(stage: Stage, pieces: list[int], pinhole: Pinhole) -> Silhouette:
    """All pixels that the pieces cover, alone, within half a canvas of the picture."""
    w, h = pinhole.width, pinhole.height
    dx, dy = round(REACH * w), round(REACH * h)
    left, top, right, bottom = _window(stage, pieces, pinhole)
    left, top = max(left, -dx), max(top, -dy)
    right, bottom = min(right, w + dx), min(bottom, h + dy)
    if left >= right or top >= bottom:
        return Silhouette(0, 0, np.zeros((0, 0), bool))
    ids, _ = _cast(_placed(stage, pieces), pinhole, left, top, right - left, bottom - top)
    return Silhouette(left, top, ids > 0)


def _window(stage: Stage, pieces: list[int], pinhole: Pinhole) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is seen of some pieces; unbounded where they come near."""
    points = [
        stage.pieces[k].geometry.positions @ stage.matrices[k][:, :3].T + stage.matrices[k][:, 3]
        for k in pieces
    ]
    if not points:
        return 0, 0, 0, 0
    ahead = pinhole.to_camera(np.concatenate(points).astype(float))
    far = 1 << 20
    if ahead[:, 2].max() < NEAR:
        return 0, 0, 0, 0
    if ahead[:, 2].min() < NEAR:
        return -far, -far, far, far
    seen = pinhole.project(ahead)
    low, high = np.floor(seen.min(axis=0)), np.ceil(seen.max(axis=0)) + 1
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _coloured(parts: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3]: a colour for each drawn node, golden angles apart; black: nothing."""
    number = np.arange(int(parts.max(initial=0)) + 1)
    hue = number * (math.pi * (3 - math.sqrt(5)))
    wheel = np.stack([np.cos(hue), np.cos(hue - 2.1), np.cos(hue + 2.1)], axis=1)
    table = np.rint(140 + 90 * wheel).astype(np.uint8)
    table[0] = 0
    return table[parts]
