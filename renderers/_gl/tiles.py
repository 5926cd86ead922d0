"""Amodal silhouettes: every thing alone in a tile of one large picture, in one pass."""

from dataclasses import dataclass

import numpy as np
from OpenGL import GL as gl

from datagen.frame import Silhouette

from .._camera import NEAR
from .._stage import Stage
from . import targets
from .lineup import LineUp
from .pool import Pool
from .program import Programs
from .targets import Target
from .view import FineView

_WIDTH = 4096  # px of the atlas
_LEAST_HEIGHT = 512
_PLANE = int(gl.GL_CLIP_DISTANCE0)
_REACH = 0.5  # canvases; what lies farther beyond the border is cut off a silhouette


@dataclass(frozen=True)
class _Window:
    """A part of the image around a thing; left and top may be negative."""

    left: int
    top: int
    width: int
    height: int


class Tiles:
    """Draws silhouettes of things at the image's own resolution, whatever is in front of them."""

    def __init__(self, pool: Pool, programs: Programs) -> None:
        self._pool, self._programs = pool, programs
        self._atlas: Target | None = None

    def silhouettes(self, stage: Stage, fine: FineView, parts: np.ndarray) -> list[Silhouette]:
        """One for each of the stage's things; empty where a thing is out of reach."""
        view = FineView(fine.view, 1)
        windows = [_window(stage, thing.pieces, view) for thing in stage.things]
        places, height = _shelves(windows)
        if height == 0:
            return [Silhouette(0, 0, np.zeros((0, 0), bool)) for _ in windows]
        atlas = self._draw(stage, view, windows, places, height)
        owners = stage.owner[parts]
        made = []
        for number, (window, place) in enumerate(zip(windows, places, strict=True)):
            if window is None:
                made.append(Silhouette(0, 0, np.zeros((0, 0), bool)))
                continue
            x, y = place
            mask = atlas[y : y + window.height, x : x + window.width] > 0
            _add_visible(mask, window, owners, number)
            made.append(Silhouette(window.left, window.top, mask))
        return made

    def _draw(
        self,
        stage: Stage,
        view: FineView,
        windows: list[_Window | None],
        places: list[tuple[int, int]],
        height: int,
    ) -> np.ndarray:
        tiles = np.zeros((len(stage.pieces), 6), np.float32)
        chosen = np.zeros(len(stage.pieces), bool)
        for thing, window, place in zip(stage.things, windows, places, strict=True):
            if window is not None:
                tiles[thing.pieces] = (
                    window.left, window.top, window.width, window.height, *place
                )  # fmt: skip
                chosen[thing.pieces] = True
        line = LineUp.of(self._pool, stage)
        drawn = line.drawn(chosen)
        target = self._target(height)
        target.bind()
        gl.glDisable(gl.GL_DEPTH_TEST)
        gl.glClearBufferfv(gl.GL_COLOR, 0, np.zeros(4, np.float32))
        for k in range(4):
            gl.glEnable(_PLANE + k)
        self._pool.load(line.records[drawn.pieces], tiles[drawn.pieces], 6)
        program = self._programs.silhouette
        program.use()
        size = np.array([target.width, target.height], np.float32)
        program.set({"projection": view.projection, "image": np.array(view.size), "atlas": size})
        self._pool.draw(drawn.solid)
        for k in range(4):
            gl.glDisable(_PLANE + k)
        return target.read(0, height)

    def _target(self, height: int) -> Target:
        if self._atlas is None or self._atlas.height < height:
            if self._atlas is not None:
                self._atlas.delete()
            rows = max(_LEAST_HEIGHT, 1 << (height - 1).bit_length())
            self._atlas = Target(_WIDTH, rows, [targets.COVER], depth=False)
        return self._atlas


def _window(stage: Stage, pieces: list[int], view: FineView) -> _Window | None:
    """The pixels within reach that the pieces' boxes cover; None where they cover none."""
    corners = [_corners(stage, k) for k in pieces]
    if not corners:
        return None
    points = np.concatenate(corners)
    if points[:, 1].max() <= NEAR:
        return None
    v = view.view
    left, top = -round(_REACH * v.width), -round(_REACH * v.height)
    right, bottom = v.width - left, v.height - top
    if points[:, 1].min() > NEAR:
        pixels = v.project(points)
        low, high = np.floor(pixels.min(axis=0)), np.ceil(pixels.max(axis=0))
        left, right = max(left, int(low[0]) - 1), min(right, int(high[0]) + 1)
        top, bottom = max(top, int(low[1]) - 1), min(bottom, int(high[1]) + 1)
    if left >= right or top >= bottom:
        return None
    return _Window(left, top, right - left, bottom - top)


def _corners(stage: Stage, piece: int) -> np.ndarray:
    """float [8, 3]: a piece's box in the scene's frame."""
    bounds = stage.pieces[piece].geometry.bounds
    corners = np.array([[bounds[i, 0], bounds[j, 1], bounds[k, 2]] for i, j, k in _PICKS])
    matrix = stage.matrices[piece]
    return corners @ matrix[:, :3].T + matrix[:, 3]


_PICKS = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]


def _shelves(windows: list[_Window | None]) -> tuple[list[tuple[int, int]], int]:
    """Where each tile lies, tall ones first on shelves, and the height of all."""
    places = [(0, 0)] * len(windows)
    x = y = shelf = 0
    order = [(-w.height, k, w) for k, w in enumerate(windows) if w is not None]
    for _, k, window in sorted(order, key=lambda entry: entry[:2]):
        if x + window.width > _WIDTH:
            x, y, shelf = 0, y + shelf, 0
        places[k] = x, y
        x, shelf = x + window.width, max(shelf, window.height)
    return places, y + shelf


def _add_visible(mask: np.ndarray, window: _Window, owners: np.ndarray, number: int) -> None:
    """A pixel that shows the thing is part of it, however the edge was rounded in the tile."""
    height, width = owners.shape
    top, left = max(window.top, 0), max(window.left, 0)
    bottom, right = min(window.top + window.height, height), min(window.left + window.width, width)
    if top < bottom and left < right:
        inside = mask[
            top - window.top : bottom - window.top, left - window.left : right - window.left
        ]
        inside |= owners[top:bottom, left:right] == number
