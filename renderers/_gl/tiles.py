"""Amodal silhouettes: every thing alone in a tile of a large picture, in as few passes as fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from OpenGL import GL as gl

from datagen.frame import Silhouette

from .._camera import NEAR, REACH
from .._stage import Stage
from . import targets
from .lineup import LineUp
from .pool import Pool
from .program import Programs
from .targets import Target
from .view import FineView

_WIDTH = 4096  # px of the atlas, where no tile is wider
_LEAST_HEIGHT = 512
_MOST_HEIGHT = 8192  # where no tile is taller; what does not fit goes on another sheet
_PLANE = int(gl.GL_CLIP_DISTANCE0)


@dataclass(frozen=True)
class _Window:
    """A part of the image around a thing; left and top may be negative."""

    left: int
    top: int
    width: int
    height: int


@dataclass
class _Sheet:
    """Tiles that are drawn together: of each thing's number, left and top."""

    width: int
    height: int = 0
    places: dict[int, tuple[int, int]] = field(default_factory=dict)


class Tiles:
    """Draws silhouettes of things at the image's own resolution, whatever is in front of them."""

    def __init__(self, pool: Pool, programs: Programs) -> None:
        self._pool, self._programs = pool, programs
        self._atlas: Target | None = None

    def silhouettes(self, stage: Stage, fine: FineView, parts: np.ndarray) -> list[Silhouette]:
        """One for each of the stage's things; empty where a thing is out of reach."""
        view = FineView(fine.view, 1)
        windows = [_window(stage, thing.pieces, view) for thing in stage.things]
        line, owners = LineUp.of(self._pool, stage), stage.owner[parts]
        made = [Silhouette(0, 0, np.zeros((0, 0), bool)) for _ in windows]
        for sheet in _sheets(windows):
            atlas = self._draw(stage, line, view, windows, sheet)
            for number, (x, y) in sheet.places.items():
                window = windows[number]
                assert window is not None
                mask = atlas[y : y + window.height, x : x + window.width] > 0
                _add_visible(mask, window, owners, number)
                made[number] = Silhouette(window.left, window.top, mask)
        return made

    def delete(self) -> None:
        if self._atlas is not None:
            self._atlas.delete()
            self._atlas = None

    def _draw(
        self,
        stage: Stage,
        line: LineUp,
        view: FineView,
        windows: list[_Window | None],
        sheet: _Sheet,
    ) -> np.ndarray:
        """uint8, above 0 where a sheet's tiles are covered."""
        tiles = np.zeros((len(stage.pieces), 6), np.float32)
        chosen = np.zeros(len(stage.pieces), bool)
        for number, place in sheet.places.items():
            window, pieces = windows[number], stage.things[number].pieces
            assert window is not None
            tiles[pieces] = (window.left, window.top, window.width, window.height, *place)
            chosen[pieces] = True
        drawn = line.drawn(chosen)
        target = self._target(sheet.width, sheet.height)
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
        return target.read(0, sheet.height)

    def _target(self, width: int, height: int) -> Target:
        atlas = self._atlas
        if atlas is None or atlas.width < width or atlas.height < height:
            self.delete()
            rows = max(_LEAST_HEIGHT, 1 << (height - 1).bit_length())
            self._atlas = atlas = Target(width, rows, [targets.COVER], depth=False)
        return atlas


def _window(stage: Stage, pieces: list[int], view: FineView) -> _Window | None:
    """The pixels within reach that the pieces' boxes cover; None where they cover none."""
    corners = [_corners(stage, k) for k in pieces]
    if not corners:
        return None
    points = np.concatenate(corners)
    if points[:, 1].max() <= NEAR:
        return None
    v = view.view
    left, top = -round(REACH * v.width), -round(REACH * v.height)
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


def _sheets(windows: Sequence[_Window | None]) -> Iterator[_Sheet]:
    """Where each tile lies: tall ones first, on shelves."""
    order = [(-w.height, k, w) for k, w in enumerate(windows) if w is not None]
    width = max([_WIDTH, *(w.width for _, _, w in order)])
    sheet = _Sheet(width)
    x = y = 0
    for _, k, window in sorted(order, key=lambda entry: entry[:2]):
        if x + window.width > width:
            x, y = 0, sheet.height
        if x == 0 and y > 0 and y + window.height > _MOST_HEIGHT:
            yield sheet
            sheet, y = _Sheet(width), 0
        sheet.places[k] = x, y
        x, sheet.height = x + window.width, max(sheet.height, y + window.height)
    if sheet.places:
        yield sheet


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
