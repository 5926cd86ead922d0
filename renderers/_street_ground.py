"""Painters of what lies flat in the street: land, pavements, carriageways and their markings."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from datagen.scene import Transform

from ._attributes import Name, Number, Values
from ._camera import clip_near, on_map
from ._canvas import Drawing, Patch, soak
from ._colours import RGB
from ._lying import SURFACES, lay, surface
from ._painting import InPerspective, Site
from ._solids import HAZE, NOTHING, coverage, haze, outlined

_KERB = 0.11  # m
_KERBSTONE: RGB = (148, 146, 140)
_WHITE: RGB = (206, 206, 200)
_YELLOW: RGB = (186, 158, 62)
_FAR = 400.0  # m; markings are drawn as far as this


class Land(InPerspective):
    """Everything below the horizon."""

    stands = False
    reads = (Name("surface", "paving", SURFACES),)

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        top = min(math.floor(site.view.horizon), site.height - 1)
        window = 0, top, site.width, site.height - top
        ink = _covered(self.reads[0].of(values), window, site, at)
        return Drawing(Patch(0, top, np.full(ink.shape[:2], 255, np.uint8), ink, opaque=True))


class Pavement(InPerspective):
    """A strip of `width` x `height` metres, a kerb above the road."""

    stands = False
    reads = (
        Number("width", 2.5, 0.0, 1000.0),
        Number("height", 200.0, 0.0, 2000.0),
        Name("surface", "paving", SURFACES),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        width, height, kind = self.reads
        w, h = width.of(values), height.of(values)
        outline = on_map(at, _rectangle(0, 0, w, h, _KERB))
        body = _sheet(outline, kind.of(values), at, site)
        if body is None:
            return NOTHING
        return Drawing(_with_lines(body, at, _kerbs(w, h), _KERBSTONE, site))


class Carriageway(InPerspective):
    """A road of `width` x `height` metres along its own y, with a centre line and edge lines."""

    stands = False
    reads = (
        Number("width", 7.0, 0.0, 1000.0),
        Number("height", 200.0, 0.0, 2000.0),
        Name("centre", "dashes", ("dashes", "solid", "none")),
        Name("edges", "none", ("none", "yellow", "white")),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        width, height, centre, edges = self.reads
        w, h = width.of(values), height.of(values)
        body = _sheet(on_map(at, _rectangle(0, 0, w, h)), "asphalt", at, site)
        if body is None:
            return NOTHING
        body = _with_lines(body, at, _centre_line(h, centre.of(values)), _WHITE, site)
        lines, paint = _edge_lines(w, h, edges.of(values))
        return Drawing(_with_lines(body, at, lines, paint, site))


class Marking(InPerspective):
    """Paint on the road, `width` x `height` metres: a stop line, a zebra crossing, a box."""

    stands = False
    reads = (
        Number("width", 3.0, 0.1, 100.0),
        Number("height", 0.3, 0.1, 100.0),
        Name("kind", "stop", ("stop", "zebra", "box", "arrow")),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        width, height, kind = self.reads
        w, h, name = width.of(values), height.of(values), kind.of(values)
        paint = _YELLOW if name == "box" else _WHITE
        return outlined(site, at, [(shape, paint) for shape in _shapes_of(name, w, h)])


def _sheet(outline: np.ndarray, kind: str, at: Transform, site: Site) -> Patch | None:
    """A surface cut out along a convex outline float [N, 3] on the map; inside the canvas only."""
    shown = clip_near(outline)
    if len(shown) < 3:
        return None
    pixels = site.view.project(shown)
    window = _inside(pixels, site)
    if window is None:
        return None
    cover = coverage(site, [pixels], window)
    return Patch(*window[:2], cover, soak(cover, _covered(kind, window, site, at)))


def _inside(pixels: np.ndarray, site: Site) -> tuple[int, int, int, int] | None:
    """Column, row, width, height of the part of the canvas around pixels float [N, 2]."""
    left, top = np.maximum(np.floor(pixels.min(axis=0)), 0).astype(int).tolist()
    size = (site.width, site.height)
    right, bottom = np.minimum(np.ceil(pixels.max(axis=0)), size).astype(int).tolist()
    return (left, top, right - left, bottom - top) if left < right and top < bottom else None


def _covered(kind: str, window: tuple[int, int, int, int], site: Site, at: Transform) -> np.ndarray:
    """Ground in its haze; only where its grain lies is random."""
    origin = site.rng.uniform(0, 512, 2).tolist()
    turn = math.cos(at.yaw), math.sin(at.yaw)
    ink = lay(surface(kind), window, site.view, (origin[0], origin[1]), turn)
    rows = np.maximum(window[1] + np.arange(window[3]) + 0.5 - site.view.horizon, 0.25)
    distance = site.view.focal * site.view.eye / rows
    far = int(np.count_nonzero(distance > _HAZY))  # the upper rows
    share = np.array([haze(metres) for metres in distance[:far].tolist()]).reshape(-1, 1, 1)
    ink[:far] = ink[:far] * (1 - share) + np.array(HAZE) * share
    return ink


def _with_lines(
    body: Patch, at: Transform, lines: Sequence[np.ndarray], paint: RGB, site: Site
) -> Patch:
    """Lines in the thing's own frame over its body, of which they stay a part."""
    clipped = [clip_near(on_map(at, line)) for line in lines]
    outlines = [site.view.project(line) for line in clipped if len(line) >= 3]
    if not outlines or body.ink is None:
        return body
    h, w = body.cover.shape
    cover = cv2.min(coverage(site, outlines, (body.x, body.y, w, h)), body.cover)
    above = cv2.cvtColor(cover, cv2.COLOR_GRAY2RGB)
    kept = cv2.multiply(body.ink, cv2.bitwise_not(above), scale=1 / 255)
    ink = cv2.add(kept, soak(cover, np.full_like(kept, paint)))
    return Patch(body.x, body.y, body.cover, ink)


_HAZY = 15.0  # m; haze on the ground is left out up to here


def _rectangle(x: float, y: float, width: float, height: float, z: float = 0.0) -> np.ndarray:
    """Corners float [4, 3] around (x, y)."""
    w, h = width / 2, height / 2
    return np.array([(x - w, y - h, z), (x + w, y - h, z), (x + w, y + h, z), (x - w, y + h, z)])


def _kerbs(width: float, height: float) -> list[np.ndarray]:
    """Stones along both edges."""
    lines = []
    for side in (-1, 1):
        x = side * width / 2
        lines.append(_rectangle(x - side * 0.07, 0, 0.14, height, _KERB))
    return lines


def _centre_line(height: float, kind: str) -> list[np.ndarray]:
    if kind == "none":
        return []
    if kind == "solid":
        return [_rectangle(0, 0, 0.12, height)]
    first, last = -height / 2 + 1.0, min(height / 2, -height / 2 + _FAR)
    return [_rectangle(0, y + 1.0, 0.12, 2.0) for y in np.arange(first, last - 2, 6.0).tolist()]


def _edge_lines(width: float, height: float, kind: str) -> tuple[list[np.ndarray], RGB]:
    if kind == "none":
        return [], _WHITE
    insets = (0.25, 0.50) if kind == "yellow" else (0.3,)
    places = [side * (width / 2 - inset) for side in (-1, 1) for inset in insets]
    paint = _YELLOW if kind == "yellow" else _WHITE
    return [_rectangle(x, 0, 0.10, height) for x in places], paint


def _shapes_of(kind: str, width: float, height: float) -> list[np.ndarray]:
    """The painted parts of a marking in its own frame."""
    if kind == "zebra":
        bars = max(2, round(width / 1.2))
        pitch = width / bars
        return [
            _rectangle(-width / 2 + (k + 0.5) * pitch, 0, 0.5 * pitch, height) for k in range(bars)
        ]
    if kind == "box":
        return _hatching(width, height)
    if kind == "arrow":
        head = np.array([(-width / 2, 0.1 * height, 0), (width / 2, 0.1 * height, 0),
                         (0, height / 2, 0)])  # fmt: skip
        return [_rectangle(0, -0.2 * height, 0.25 * width, 0.6 * height), head]
    return [_rectangle(0, 0, width, height)]


def _hatching(width: float, height: float) -> list[np.ndarray]:
    """A yellow box: its border and diagonals."""
    line, lines = 0.15, []
    for side in (-1, 1):
        lines.append(_rectangle(side * width / 2, 0, line, height))
        lines.append(_rectangle(0, side * height / 2, width, line))
    n = max(2, round((width + height) / 3.5))
    for k in range(1, n):
        t = k * (width + height) / n
        a = (-width / 2 + min(t, width), -height / 2 + max(0.0, t - width))
        b = (-width / 2 + max(0.0, t - height), -height / 2 + min(t, height))
        for flip in (1, -1):
            lines.append(_stroke((flip * a[0], a[1]), (flip * b[0], b[1]), line))
    return lines


def _stroke(a: tuple[float, float], b: tuple[float, float], width: float) -> np.ndarray:
    along = np.subtract(b, a)
    side = np.array([-along[1], along[0]]) * (width / 2 / max(float(np.hypot(*along)), 1e-9))
    corners = [np.add(a, side), np.subtract(a, side), np.subtract(b, side), np.add(b, side)]
    return np.array([(*corner, 0.0) for corner in corners])
