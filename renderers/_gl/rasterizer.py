"""The passes: shadows, then colour with the owner of each pixel, then silhouettes."""

from dataclasses import dataclass

import cv2
import numpy as np
from OpenGL import GL as gl

from datagen.frame import Silhouette

from .._families.sky import Light
from .._sensor import HEADROOM
from .._stage import Stage
from . import targets, textures
from .light import casts, sun_view
from .lineup import LineUp
from .pool import Pool
from .program import Program, Programs
from .targets import Target
from .tiles import Tiles
from .view import FineView, metres


@dataclass(frozen=True)
class Look:
    """What the colour pass does; each costs time (docs/results-streets.md)."""

    textures: bool = True
    shadows: int = 1024  # texels of the shadow map's side; 0: no shadows


@dataclass(frozen=True)
class Pixels:
    """What the passes gave, at the image's resolution."""

    image: np.ndarray  # uint8 [H, W, 3], gamma 2
    parts: np.ndarray  # uint32 [H, W], 0 where nothing is
    depth: np.ndarray  # float32 [H, W], metres, inf where nothing is
    normals: np.ndarray | None  # float32 [H, W, 3], camera coordinates
    flow: np.ndarray | None  # float32 [H, W, 2], px


class Rasterizer:
    """Draws stages; needs this process's context to be current (`context.opened`)."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._pool = Pool()
        self._programs = Programs()
        self._finish = textures.finish_table()
        self._textures = textures.load() if look.textures else None
        self._targets: dict[tuple[int, int, bool, bool], Target] = {}
        self._tiles = Tiles(self._pool, self._programs)
        self._shadow = Target(look.shadows, look.shadows, []) if look.shadows else None
        if self._shadow is not None:
            _compares(self._shadow)

    def draw(
        self, stage: Stage, fine: FineView, next_matrices: np.ndarray | None, *, normals: bool
    ) -> Pixels:
        """Image, owners and depth from one pass over the geometry.

        `next_matrices`: float32 [N, 3, 4], where the pieces stand at the next instant, for flow.
        """
        flow = next_matrices is not None
        line = LineUp.of(self._pool, stage)
        shadow = self._shadows(stage, line)
        drawn = line.drawn(fine.sees(line.spheres))
        extra = None if next_matrices is None else _rows(next_matrices[drawn.pieces])
        self._pool.load(line.records[drawn.pieces], extra, 0 if extra is None else 12)
        target = self._target(*fine.size, normals, flow)
        target.bind()
        _clear(stage.light, normals, flow)
        program = self._programs.scene(*self._defines(normals, flow))
        program.use()
        program.set(self._uniforms(stage, fine, shadow))
        self._pool.draw(drawn.solid)
        program.set({"haze": np.array([*stage.light.haze, 0.0])})
        self._pool.draw(drawn.sky)
        if self._shadow is not None:
            self._contacts(fine, drawn.contact)
        return _read(target, fine, normals=normals, flow=flow)

    def silhouettes(self, stage: Stage, fine: FineView, parts: np.ndarray) -> list[Silhouette]:
        """Of every thing: all pixels whose centres it covers as if it stood alone.

        `parts`: uint32 [H, W], what `draw` gave; a visible pixel is part of its silhouette.
        """
        return self._tiles.silhouettes(stage, fine, parts)

    def close(self) -> None:
        """Gives back all that it holds of the context, which lives on."""
        for target in (*self._targets.values(), self._shadow):
            if target is not None:
                target.delete()
        if self._textures is not None:
            gl.glDeleteTextures(1, [self._textures])
        for held in (self._tiles, self._pool, self._programs):
            held.delete()

    def _defines(self, normals: bool, flow: bool) -> list[str]:
        wanted = {
            "TEXTURED": self._look.textures,
            "SHADOWED": self._shadow is not None,
            "NORMALS": normals,
            "FLOW": flow,
        }
        return [name for name, is_wanted in wanted.items() if is_wanted]

    def _target(self, width: int, height: int, normals: bool, flow: bool) -> Target:
        key = width, height, normals, flow
        if key not in self._targets:
            kinds = [
                targets.COLOUR,
                targets.OWNER,
                targets.NORMAL if normals else None,
                targets.FLOW if flow else None,
            ]
            self._targets[key] = Target(width, height, kinds)
        return self._targets[key]

    def _shadows(self, stage: Stage, line: LineUp) -> np.ndarray:
        """The shadow map's projection; the map is drawn on the way."""
        matrix = sun_view(np.array(stage.light.direction))
        if self._shadow is None:
            return matrix
        drawn = line.drawn(casts(matrix, line.spheres))
        self._pool.load(line.records[drawn.pieces], None, 0)
        self._shadow.bind()
        gl.glEnable(gl.GL_DEPTH_TEST)
        gl.glEnable(gl.GL_POLYGON_OFFSET_FILL)
        gl.glPolygonOffset(1.5, 4.0)
        gl.glClear(gl.GL_DEPTH_BUFFER_BIT)
        self._programs.shadow.use()
        self._programs.shadow.set({"projection": matrix})
        self._pool.draw(drawn.solid)
        gl.glDisable(gl.GL_POLYGON_OFFSET_FILL)
        return matrix

    def _uniforms(self, stage: Stage, fine: FineView, shadow: np.ndarray) -> dict:
        light = stage.light
        if self._textures is not None:
            gl.glActiveTexture(gl.GL_TEXTURE0)
            gl.glBindTexture(gl.GL_TEXTURE_2D_ARRAY, self._textures)
        if self._shadow is not None:
            gl.glActiveTexture(gl.GL_TEXTURE1)
            gl.glBindTexture(gl.GL_TEXTURE_2D, self._shadow.depth)
            gl.glActiveTexture(gl.GL_TEXTURE0)
        return {
            "projection": fine.projection,
            "half_size": np.array(fine.size) / (2 * fine.fine),
            "eye": np.array([0.0, 0.0, fine.view.eye]),
            "to_camera": _TO_CAMERA,
            "sun_direction": np.array(light.direction),
            "sun": np.array(light.sun),
            "sky_up": np.array(light.ambient_up),
            "sky_down": np.array(light.ambient_down),
            "finish": self._finish,
            "haze": np.array([*light.haze, 1.4427 / light.haze_distance]),
            "shadow_projection": shadow,
            "textures": 0,
            "shadow_map": 1,
        }

    def _contacts(self, fine: FineView, drawn: np.ndarray) -> None:
        """Darken what lies under things; ids, depth and normals stay."""
        if not len(drawn):
            return
        program: Program = self._programs.contact
        program.use()
        program.set({"projection": fine.projection})
        gl.glDrawBuffers(1, [gl.GL_COLOR_ATTACHMENT0])
        gl.glEnable(gl.GL_BLEND)
        gl.glBlendFunc(gl.GL_SRC_ALPHA, gl.GL_ONE_MINUS_SRC_ALPHA)
        gl.glDepthMask(False)
        self._pool.draw(drawn)
        gl.glDepthMask(True)
        gl.glDisable(gl.GL_BLEND)


# x right, y ahead, z up -> x right, y down, z ahead.
_TO_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def _rows(matrices: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(matrices.reshape(-1, 12), np.float32)


def _clear(light: Light, normals: bool, flow: bool) -> None:
    count = 4 if flow else 3 if normals else 2
    gl.glDrawBuffers(count, _BUFFERS[:count])
    gl.glEnable(gl.GL_DEPTH_TEST)
    gl.glDepthFunc(gl.GL_LESS)
    gl.glClearBufferfv(gl.GL_COLOR, 0, np.sqrt(np.array([*light.haze, 1.0], np.float32) / HEADROOM))
    gl.glClearBufferuiv(gl.GL_COLOR, 1, np.zeros(4, np.uint32))
    if normals:
        gl.glClearBufferfv(gl.GL_COLOR, 2, np.zeros(4, np.float32))
    if flow:
        gl.glClearBufferfv(gl.GL_COLOR, 3, np.full(4, 1e9, np.float32))
    gl.glClear(gl.GL_DEPTH_BUFFER_BIT)


_BUFFERS = [targets.FIRST + k for k in range(4)]


def _compares(shadow: Target) -> None:
    """Reading the shadow map gives the share of its neighbouring texels that the sun reaches."""
    gl.glBindTexture(gl.GL_TEXTURE_2D, shadow.depth)
    for key, value in (
        (gl.GL_TEXTURE_COMPARE_MODE, gl.GL_COMPARE_REF_TO_TEXTURE),
        (gl.GL_TEXTURE_COMPARE_FUNC, gl.GL_LEQUAL),
        (gl.GL_TEXTURE_MIN_FILTER, gl.GL_LINEAR),
        (gl.GL_TEXTURE_MAG_FILTER, gl.GL_LINEAR),
    ):
        gl.glTexParameteri(gl.GL_TEXTURE_2D, key, value)


def _read(target: Target, fine: FineView, *, normals: bool, flow: bool) -> Pixels:
    colour = cv2.cvtColor(target.read(0), cv2.COLOR_RGBA2RGB)
    moves = None
    if flow:
        moves = np.ascontiguousarray(fine.centres(target.read(3)))
        moves[np.abs(moves).max(axis=2) > 1e8] = np.nan
    return Pixels(
        image=fine.averaged(colour),
        parts=np.ascontiguousarray(fine.centres(target.read(1))),
        depth=metres(np.ascontiguousarray(fine.centres(target.read_depth()))),
        normals=np.ascontiguousarray(fine.centres(target.read(2))[..., :3]) if normals else None,
        flow=moves,
    )
