"""Masks as polygons that run along pixel borders, so that they rasterise back exactly.

A corner is a point of the pixel grid where the outline turns. Sorted by rows, corners pair up into
the horizontal edges of the outline; sorted by columns, into the vertical ones; walking both in
turn closes the rings. Where two pixels touch only at a point, two rings pass through it, and the
pixels belong to different parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

Point = tuple[int, int]  # x, y in pixels; (0, 0) is the top left border of the first pixel
Ring = list[Point]


@dataclass(frozen=True)
class _Corners:
    """Corner k and the corners at the other ends of its two edges."""

    x: np.ndarray
    y: np.ndarray
    across: list[int]
    along: list[int]  # the vertical edge


def polygons(mask: np.ndarray) -> list[Ring]:
    """One closed ring for each part of a bool [H, W] mask (parts touch at most at a point).

    A hole is cut open: the ring walks from its outer border along a vertical line to the hole,
    round it, and the same way back. The line has no area, so any fill rule draws the same pixels.
    """
    corners = _corners(mask)
    rings = _rings(corners)
    below = np.pad(mask, 1)[1:, 1:]  # the pixel down and right of a corner
    # A ring starts at its topmost leftmost corner: the thing lies inside it, or it is a hole.
    solid = [bool(below[corners.y[ring[0]], corners.x[ring[0]]]) for ring in rings]
    # Holes are walked the other way round, so that areas add up with their signs.
    holes = [ring[::-1] for ring, full in zip(rings, solid, strict=True) if not full]
    cuts = _cuts(corners, holes)
    return [_walk(corners, ring, cuts) for ring, full in zip(rings, solid, strict=True) if full]


def rings(mask: np.ndarray) -> list[Ring]:
    """Every closed ring of the outline, holes too; the even-odd fill of all is the mask.

    The first side of a ring is horizontal, the next vertical, and so on in turn.
    """
    corners = _corners(mask)
    x, y = corners.x.tolist(), corners.y.tolist()
    return [[(x[k], y[k]) for k in ring] for ring in _rings(corners)]


def joined(rings: Sequence[Ring]) -> Ring:
    """All parts as one ring, for formats that know but one; the joints have no area."""
    whole = list(rings[0])
    for ring in rings[1:]:
        a, b = _nearest(whole, ring)
        whole[a:a] = [whole[a], *ring[b:], *ring[: b + 1]]
    return whole


def area(ring: Ring) -> float:
    """px."""
    return cv2.contourArea(np.array(ring, np.int32))


def simpler(ring: Ring) -> Ring:
    """The ring by Douglas and Peucker, within a pixel of itself; as it is where no area is left."""
    kept = cv2.approxPolyDP(np.array(ring, np.int32), 1.0, True)[:, 0]
    found = [(int(x), int(y)) for x, y in kept]
    return found if len(found) >= 3 and area(found) > 0 else ring


def _nearest(whole: Ring, ring: Ring) -> tuple[int, int]:
    """Places of the two points that lie nearest to each other."""
    gap = np.array(whole)[:, None] - np.array(ring)[None]  # [n, m, 2]
    place = int((gap**2).sum(axis=2).argmin())
    return divmod(place, len(ring))


def _corners(mask: np.ndarray) -> _Corners:
    padded = np.pad(mask, 1)
    up_left, up_right = padded[:-1, :-1], padded[:-1, 1:]
    down_left, down_right = padded[1:, :-1], padded[1:, 1:]
    cross = (up_left == down_right) & (up_right == down_left) & (up_left != up_right)
    turn = up_left ^ up_right ^ down_left ^ down_right
    # A crossing is two corners: copy 0 has the edge to the left, copy 1 the one to the right.
    y, x = np.nonzero(turn | cross)
    twice = cross[y, x]
    falling = up_left[y, x]  # which of the two is the upper one depends on the diagonal
    y, x, falling = (np.repeat(one, 1 + twice) for one in (y, x, falling))
    second = np.zeros(len(y), bool)
    second[1:] = (y[1:] == y[:-1]) & (x[1:] == x[:-1])
    upper = np.where(np.repeat(twice, 1 + twice), second ^ ~falling, False)
    rows = np.lexsort((second, x, y))
    columns = np.lexsort((upper, y, x))
    return _Corners(x, y, _partners(rows), _partners(columns))


def _partners(order: np.ndarray) -> list[int]:
    """Neighbours in a sorted row or column are the two ends of an edge."""
    other = np.zeros_like(order)
    other[order[0::2]] = order[1::2]
    other[order[1::2]] = order[0::2]
    return other.tolist()


def _rings(corners: _Corners) -> list[list[int]]:
    """Corner numbers of each ring, from its topmost leftmost corner, the horizontal edge first."""
    seen = bytearray(len(corners.across))
    rings = []
    for start in range(len(seen)):  # corners are sorted by y, then x
        if seen[start]:
            continue
        ring, here = [], start
        while not seen[here]:
            there = corners.across[here]
            seen[here] = seen[there] = 1
            ring += (here, there)
            here = corners.along[there]
        rings.append(ring)
    return rings


def _cuts(corners: _Corners, holes: Sequence[list[int]]) -> dict[int, list[list[int]]]:
    """Left end of a horizontal edge -> holes that hang from the edge, from left to right.

    A hole's last corner is its topmost leftmost one. Straight above it both sides are solid up to
    the first edge that is met; that edge belongs to the part's own ring or to a hole further up,
    never to another part.
    """
    if not holes:
        return {}
    left = np.flatnonzero(np.array(corners.across) > np.arange(len(corners.across)))
    right = np.array(corners.across)[left]
    x0, x1, y = corners.x[left], corners.x[right], corners.y[left]
    cuts: dict[int, list[list[int]]] = {}
    for hole in sorted(holes, key=lambda ring: int(corners.x[ring[-1]])):
        x_here, y_here = corners.x[hole[-1]], corners.y[hole[-1]]
        met = np.flatnonzero((x0 <= x_here) & (x1 >= x_here) & (y < y_here))
        cuts.setdefault(int(left[met[y[met].argmax()]]), []).append(hole)
    return cuts


def _walk(corners: _Corners, ring: list[int], cuts: dict[int, list[list[int]]]) -> Ring:
    """The points of a ring, with a detour to every hole that hangs from one of its edges."""
    points: Ring = []
    todo: list[Point | list[int]] = [ring]
    while todo:
        step = todo.pop()
        if isinstance(step, tuple):
            if points[-1:] != [step]:
                points.append(step)
        else:
            todo.extend(reversed(_steps(corners, step, cuts)))
    return points


def _steps(
    corners: _Corners, ring: list[int], cuts: dict[int, list[list[int]]]
) -> list[Point | list[int]]:
    """A ring's points, with holes still to be walked as lists."""
    steps: list[Point | list[int]] = []
    for start, stop in zip(ring[0::2], ring[1::2], strict=True):
        y = int(corners.y[start])
        steps.append((int(corners.x[start]), y))
        holes = cuts.get(min(start, stop), [])
        for hole in holes if start < stop else reversed(holes):
            x = int(corners.x[hole[-1]])
            steps += [(x, y), (x, int(corners.y[hole[-1]])), hole, (x, y)]
        steps.append((int(corners.x[stop]), y))
    return steps
