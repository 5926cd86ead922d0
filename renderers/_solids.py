"""Solid things in perspective: flat faces in their light, filled from the back to the front."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from datagen.scene import Transform

from . import _shapes
from ._camera import NEAR, clip_near, on_map
from ._canvas import Drawing, Patch
from ._colours import RGB
from ._painting import Site

NOTHING = Drawing(Patch(0, 0, np.zeros((1, 1), np.uint8)))  # owns no pixel and changes none

HAZE: RGB = (205, 209, 213)
_CLEAR = 260.0  # m at which haze takes 1 - 1/e of a colour
_SUN = np.array([-0.50, -0.36, 0.79])  # direction to the light, on the map
_FINE_PIXELS = 2**19  # of one patch; what fills the canvas needs no finer edges
_FARTHEST = 1e6  # px from the canvas; keeps OpenCV's fixed-point numbers from overflowing

Corners = Sequence[tuple[float, float, float]]


@dataclass(frozen=True)
class Mesh:
    """Flat convex faces, each anticlockwise as seen from outside, in the order of painting.

    points: float [P, 3], the corners of all faces; starts, ends: int [K], the span of
    each; materials: int [K], what each is made of.
    """

    points: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    materials: np.ndarray

    @classmethod
    def of(cls, faces: Sequence[tuple[Corners, int]]) -> "Mesh":
        ends = np.cumsum([len(corners) for corners, _ in faces])
        starts = np.concatenate([[0], ends[:-1]])
        points = np.array([corner for corners, _ in faces for corner in corners], float)
        return cls(points, starts, ends, np.array([material for _, material in faces]))


def haze(distance: float) -> float:
    """Share of the haze in a colour seen from `distance` metres."""
    return 1 - math.exp(-max(distance, 0.0) / _CLEAR)


def light(normals: np.ndarray) -> np.ndarray:
    """Brightness float [K] of faces with unit normals float [K, 3] on the map: sun and sky."""
    return 0.50 + 0.62 * np.maximum(normals @ _SUN, 0) + 0.06 * normals[:, 2]


def lit_faces(points: np.ndarray, starts: np.ndarray, eye: float) -> tuple[np.ndarray, np.ndarray]:
    """Which faces an eye above the map's origin sees, int [N], and the brightness of those.

    points: float [P, 3] on the map; starts: int [K], the first corner of each face.
    """
    corners = points[starts]
    (ax, ay, az), (bx, by, bz) = (points[starts + k].T - corners.T for k in (1, 2))
    normals = np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
    towards = (normals * (corners - (0, 0, eye)).T).sum(axis=0)
    seen = np.flatnonzero(towards < 0)
    shown = normals[:, seen]
    return seen, light((shown / np.sqrt((shown * shown).sum(axis=0))).T)


def solid(site: Site, at: Transform, mesh: Mesh, size: np.ndarray, palette: np.ndarray) -> Drawing:
    """A mesh stretched by `size` float [3] and stood at its place; NOTHING where it is not seen.

    palette: float [M, 3], the colour of each material in full light.
    """
    points = on_map(at, mesh.points * size)
    seen, bright = lit_faces(points, mesh.starts, site.view.eye)
    colours = palette[mesh.materials[seen]] * bright[:, None]
    firsts, ends = mesh.starts[seen].tolist(), mesh.ends[seen].tolist()
    return faces(site, points, list(zip(firsts, ends, strict=True)), faded(colours, at.y))


def faded(colours: np.ndarray, distance: float) -> np.ndarray:
    """Colours float [K, 3] as seen from a distance in metres."""
    share = haze(distance)
    return np.clip(colours * (1 - share) + np.array(HAZE) * share, 0, 255)


def faces(
    site: Site, points: np.ndarray, spans: Sequence[tuple[int, int]], colours: np.ndarray
) -> Drawing:
    """Convex polygons, each a span of points float [P, 3] on the map, one over the other."""
    inks = [(*colour, 255) for colour in colours.tolist()]
    if points[:, 1].min() >= NEAR:
        pixels = site.view.project(points)
        return _filled(site, [pixels[first:end] for first, end in spans], inks)
    drawn: list[np.ndarray] = []
    kept: list[tuple[float, ...]] = []
    for (first, end), ink in zip(spans, inks, strict=True):
        shown = clip_near(points[first:end])
        if len(shown) >= 3:
            drawn.append(site.view.project(shown))
            kept.append(ink)
    return _filled(site, drawn, kept)


def outlined(site: Site, at: Transform, parts: Sequence[tuple[np.ndarray, RGB]]) -> Drawing:
    """Convex outlines float [N, 3] in the thing's own frame with their colours, of any side."""
    ends = np.cumsum([len(outline) for outline, _ in parts]).tolist()
    points = on_map(at, np.concatenate([outline for outline, _ in parts]))
    colours = faded(np.array([ink for _, ink in parts], float), at.y)
    return faces(site, points, list(zip([0, *ends[:-1]], ends, strict=True)), colours)


def _filled(
    site: Site, outlines: Sequence[np.ndarray], inks: Sequence[tuple[float, ...]]
) -> Drawing:
    """Convex polygons float [N, 2] in canvas pixels, each with red, green, blue and 255."""
    if not outlines:
        return NOTHING
    pixels = np.concatenate(outlines).clip(-_FARTHEST, _FARTHEST)
    window = site.view.bounds(pixels)
    if window is None:
        return NOTHING
    grid = _grid(site, window)
    page = grid.blank(4)
    fixed, first = grid.fixed(pixels), 0
    for outline, ink in zip(outlines, inks, strict=True):
        corners = fixed[first : first + len(outline)]
        cv2.fillConvexPoly(page, corners, ink, cv2.LINE_8, _shapes.SHIFT)
        first += len(outline)
    page = grid.average(page)
    cover, ink = cv2.extractChannel(page, 3), cv2.cvtColor(page, cv2.COLOR_RGBA2RGB)
    return Drawing(Patch(grid.x, grid.y, cover, ink))


def coverage(
    site: Site, outlines: Sequence[np.ndarray], window: tuple[int, int, int, int]
) -> np.ndarray:
    """Coverage uint8 [h, w] of convex polygons float [N, 2] in a window of the canvas.

    A window is its first column and row, its width and height.
    """
    grid = _grid(site, window)
    page = grid.blank()
    for outline in outlines:
        grid.fill(page, outline.clip(-_FARTHEST, _FARTHEST)[None], [(255,)])
    return grid.average(page)


def _grid(site: Site, window: tuple[int, int, int, int]) -> _shapes.FineGrid:
    x, y, w, h = window
    fine = max(1, min(site.supersample, int(math.sqrt(_FINE_PIXELS / (w * h)))))
    return _shapes.FineGrid(np.array([[x, y], [x + w, y + h]], float), fine)


def ground_shadow(
    site: Site, at: Transform, width: float, height: float, strength: float
) -> Patch | None:
    """A soft dark spot of `width` x `height` metres on the ground below a thing."""
    assert strength < 0.5, "a shadow must never own a pixel"
    ring = _shapes.ring(16, width, height)
    outline = clip_near(on_map(at, np.column_stack([ring, np.zeros(16)])))
    if len(outline) < 3:
        return None
    pixels = site.view.project(outline)
    soft = 0.08 * min(float(np.ptp(pixels[:, 0])), 120.0) + 0.4
    bounds = site.view.bounds(pixels, margin=2 * soft)
    if bounds is None:
        return None
    x, y, w, h = bounds
    cover = np.zeros((h, w), np.uint8)
    local = (pixels.clip(-_FARTHEST, _FARTHEST) - (x, y) - 0.5) * (1 << _shapes.SHIFT)
    shade = round(255 * strength)
    cv2.fillConvexPoly(cover, np.rint(local).astype(np.int32), (shade,), cv2.LINE_8, _shapes.SHIFT)
    return Patch(x, y, cv2.GaussianBlur(cover, (0, 0), soft, sigmaY=0.5 * soft))
