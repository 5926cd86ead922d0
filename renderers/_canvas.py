"""The one compositing step: the coverage that blends a thing's pixels also takes its labels."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from datagen.frame import Silhouette

HALF = 128  # a thing owns a pixel that it covers by at least HALF / 255

_LONGEST = 32_000  # px on a side of a patch: OpenCV's warp counts in 16 bits
_MOST_PIXELS = 2**26  # of one patch; the largest canvas has as many


@dataclass(frozen=True, slots=True)
class Patch:
    """Paint on its way to the canvas; its top left pixel is column `x`, row `y`, maybe outside.

    cover: uint8 [h, w], 255 where the paint hides everything below.
    ink: uint8 [h, w, 3], colour times cover ("premultiplied"); None is black.
    opaque: the cover is 255 everywhere, so there is nothing to blend with.
    """

    x: int
    y: int
    cover: np.ndarray
    ink: np.ndarray | None = None
    opaque: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a painter makes of one node: its body, and a soft shadow that lies below it.

    The body is the node's silhouette. A shadow covers less than half everywhere, so it can
    darken the pixels of other things but never take them.
    """

    body: Patch
    shadow: Patch | None = None


class Canvas:
    """Image and labels under construction: things are put down from the farthest to the nearest."""

    def __init__(self, width: int, height: int) -> None:
        self.image = np.zeros((height, width, 3), np.uint8)
        # Number of the layer on top of each pixel; 0 = nothing. Labels are looked up from it.
        self.top = np.zeros((height, width), np.intp)

    def put(self, drawing: Drawing, layer: int) -> Silhouette:
        """Blend the drawing; give the pixels that its body covers by half or more to `layer`."""
        if drawing.shadow is not None:
            self._blend(drawing.shadow)
        body = drawing.body
        silhouette = Silhouette(body.x, body.y, body.cover >= HALF)
        window = self._blend(body)
        if window is not None:
            rows, columns, inner = window
            where = True if body.opaque else silhouette.mask[inner]
            np.copyto(self.top[rows, columns], layer, where=where)
        return silhouette

    def _blend(self, patch: Patch) -> tuple[slice, slice, tuple[slice, slice]] | None:
        """Blend; return rows and columns of the canvas and the part of the patch inside, if any."""
        height, width = self.top.shape
        h, w = patch.cover.shape
        top, left = max(patch.y, 0), max(patch.x, 0)
        bottom, right = min(patch.y + h, height), min(patch.x + w, width)
        if top >= bottom or left >= right:
            return None
        rows, columns = slice(top, bottom), slice(left, right)
        inner = slice(top - patch.y, bottom - patch.y), slice(left - patch.x, right - patch.x)
        region = self.image[rows, columns]
        if patch.opaque:
            region[...] = 0 if patch.ink is None else patch.ink[inner]
            return rows, columns, inner
        through = cv2.cvtColor(255 - patch.cover[inner], cv2.COLOR_GRAY2RGB)
        below = cv2.multiply(region, through, scale=1 / 255)
        region[...] = below if patch.ink is None else cv2.add(below, patch.ink[inner])
        return rows, columns, inner


def tint(cover: np.ndarray, rgb: tuple[int, int, int]) -> np.ndarray:
    """Ink of one colour: uint8 [h, w] -> uint8 [h, w, 3]."""
    r, g, b = rgb
    if r == g == b:
        grey = cover if r == 255 else cv2.convertScaleAbs(cover, alpha=r / 255)
        return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    return cv2.merge([cv2.convertScaleAbs(cover, alpha=c / 255) for c in rgb])


def soak(cover: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Ink of a coloured patch: uint8 [h, w] and [h, w, 3] -> uint8 [h, w, 3]."""
    return cv2.multiply(colour, cv2.cvtColor(cover, cv2.COLOR_GRAY2RGB), scale=1 / 255)


def lit(patch: Patch, daylight: tuple[float, float, float]) -> Patch:
    """The patch with its red, green and blue multiplied."""
    if patch.ink is None or daylight == (1.0, 1.0, 1.0):
        return patch
    return replace(patch, ink=cv2.transform(patch.ink, np.diag(daylight)))


def cast(body: Patch, dx: int, dy: int, strength: float) -> Patch:
    """The shadow that a body throws on the ground, `dx`, `dy` pixels away."""
    assert strength < 0.5, "a shadow must never own a pixel"
    return Patch(body.x + dx, body.y + dy, cv2.convertScaleAbs(body.cover, alpha=strength))


def window(left: float, top: float, right: float, bottom: float) -> tuple[int, int, int, int]:
    """Column, row, width, height of the smallest patch of whole pixels around a box."""
    w, h = right - left, bottom - top
    near = abs(left) < 1e9 and abs(top) < 1e9  # false for NaN too
    if not (near and max(w, h) < _LONGEST and w * h < _MOST_PIXELS):
        raise ValueError(
            f"it would be {w:.0f} x {h:.0f} px at ({left:.0f}, {top:.0f}); "
            f"{_LONGEST} px on a side and {_MOST_PIXELS} px in all are the most"
        )
    x, y = int(left // 1), int(top // 1)
    return x, y, max(int(-(-right // 1)) - x, 1), max(int(-(-bottom // 1)) - y, 1)


def union(parts: list[Silhouette]) -> Silhouette:
    """The silhouette of a thing that has several parts."""
    if len(parts) == 1:
        return parts[0]
    left, top = min(p.x for p in parts), min(p.y for p in parts)
    right = max(p.x + p.mask.shape[1] for p in parts)
    bottom = max(p.y + p.mask.shape[0] for p in parts)
    left, top, w, h = window(left, top, right, bottom)
    mask = np.zeros((h, w), bool)
    for part in parts:
        rows = slice(part.y - top, part.y - top + part.mask.shape[0])
        columns = slice(part.x - left, part.x - left + part.mask.shape[1])
        mask[rows, columns] |= part.mask
    return Silhouette(left, top, mask)
