"""Scene -> Frame in 3D with OpenGL: image, owners and depth from one pass over the geometry.

A scene's frame: x to the right of the camera, y ahead of it, z up from the ground, metres; yaw
anticlockwise from above. A pixel belongs to what its centre shows. A drawn node without a
category is part of the nearest thing above it in the tree; where there is none, its pixels are
stuff, if its symbol says what, or nothing. Depth is metres along the optical axis.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from datagen.errors import InputError
from datagen.frame import Frame
from datagen.grammar import Grammar
from datagen.interfaces import LABELS, Component, Rngs
from datagen.motion import later
from datagen.scene import Scene

from ._camera import Camera, View
from ._framing import framed, pinhole_of
from ._gl import context
from ._sensor import Sensor
from ._stage import Cast, moved, staged, within_parts

if TYPE_CHECKING:
    from ._gl.rasterizer import Rasterizer


class Renderer(Component):
    """Streets in three dimensions, as a camera in them sees them."""

    takes: ClassVar[type[Scene]] = Scene

    camera: Camera = Camera()
    supersample: int = Field(default=2, ge=1, le=4)  # samples a pixel and axis, for smooth edges
    textures: bool = True
    shadows: int = Field(default=1024, ge=0, le=8192)  # texels of the shadow map's side; 0: none
    sensor: Sensor = Sensor()
    time: float = Field(default=0.0, ge=-60.0, le=60.0)  # s; what has a speed has moved by then
    interval: float = Field(default=0.1, gt=0.0, le=10.0)  # s until the instant the flow leads to

    def software(self) -> dict[str, str]:
        """The device and the driver: others round colours, and edges, in other ways."""
        with context.opened() as device:
            return {"opengl": f"{device.renderer}; {device.version}"}

    @contextmanager
    def open(
        self, grammar: Grammar, passes: frozenset[str]
    ) -> Iterator[Callable[[Sequence[Scene], Rngs], list[Frame]]]:
        from ._families.table import families_of

        classes = len(grammar.categories) + len(grammar.stuffs)
        if classes > 255:
            raise InputError(f"{grammar.world} has {classes} classes, over 255")
        cast = Cast.of(grammar, families_of(grammar))
        with context.opened():
            from ._gl.rasterizer import Look, Rasterizer

            with closing(Rasterizer(Look(self.textures, self.shadows))) as rasterizer:
                shot = _Shot(self, cast, grammar.stuffs, rasterizer, passes)
                yield lambda scenes, rngs: [
                    shot.taken(scene, rng) for scene, rng in zip(scenes, rngs, strict=True)
                ]


class _Shot:
    """The camera of one open renderer."""

    def __init__(
        self,
        renderer: Renderer,
        cast: Cast,
        stuff: tuple[str, ...],
        rasterizer: "Rasterizer",
        passes: frozenset[str],
    ) -> None:
        self._renderer, self._cast, self._stuff = renderer, cast, stuff
        self._rasterizer, self._passes = rasterizer, passes

    def taken(self, scene: Scene, rng: np.random.Generator) -> Frame:
        from ._gl.optics import Optics

        renderer = self._renderer
        now = later(scene, renderer.time)
        stage = staged(now, self._cast)
        view = View.of(renderer.camera, *scene.canvas)
        optics = Optics.of(view, renderer.supersample, renderer.sensor.distortion)
        next_matrices = None
        if "flow" in self._passes:
            next_matrices = moved(stage, later(scene, renderer.time + renderer.interval))
        pixels, silhouettes = optics.seen(
            self._rasterizer,
            stage,
            next_matrices,
            normals="normals" in self._passes,
            alone=LABELS in self._passes,
        )
        return framed(
            stage,
            view,
            parts=pixels.parts,
            depth=within_parts(stage, pixels.parts, pixels.depth),
            silhouettes=silhouettes,
            categories=self._cast.categories,
            stuff=self._stuff,
            camera=pinhole_of(view, renderer.sensor.distortion),
            normals=pixels.normals,
            flow=pixels.flow,
            image=renderer.sensor.develop(pixels.image, rng),
        )
