"""From a class map to a layout: what hangs together is one thing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from datagen.frame import Instance, Layout, Silhouette


@dataclass(frozen=True)
class Piece:
    """A connected piece of one class, by its 8 neighbours."""

    kind: int  # class
    x: int
    y: int
    mask: np.ndarray  # bool [h, w], tight

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.mask))

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of its box."""
        h, w = self.mask.shape
        return slice(self.y, self.y + h), slice(self.x, self.x + w)


def pieces(class_map: np.ndarray, kinds: Sequence[int]) -> Iterator[Piece]:
    """All pieces of these classes, of each class from the top row down."""
    for kind in kinds:
        mask = (class_map == kind).astype(np.uint8)
        count, labels, table, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        numbers, first = np.unique(labels, return_index=True)
        # The number 0 is what is not of the class, unless all of the map is.
        known = [k for k in range(1, count) if table[k, cv2.CC_STAT_AREA] > 0]
        order = dict(zip(numbers.tolist(), first.tolist(), strict=True))
        for k in sorted(known, key=order.__getitem__):
            x, y, w, h = table[k, :4].tolist()
            yield Piece(kind, x, y, labels[y : y + h, x : x + w] == k)


def cleaned(class_map: np.ndarray, smallest: int) -> np.ndarray:
    """Pieces of fewer than `smallest` pixels given to the class that is most around them.

    From the smallest up; a piece that grows so is looked at again.
    """
    class_map = class_map.copy()
    while True:
        found = pieces(class_map, np.unique(class_map).tolist())
        small = sorted((p for p in found if p.area < smallest), key=lambda p: p.area)
        changed = np.zeros(class_map.shape, bool)
        for piece in small:
            _give_away(piece, class_map, changed)
        if not changed.any():
            return class_map


def _give_away(piece: Piece, class_map: np.ndarray, changed: np.ndarray) -> None:
    """One piece, unless what is around it has just changed: then it is another piece now."""
    rows, columns = (slice(max(0, s.start - 1), s.stop + 1) for s in piece.place)
    around = class_map[rows, columns]
    own = np.zeros(around.shape, np.uint8)
    top, left = piece.y - rows.start, piece.x - columns.start
    h, w = piece.mask.shape
    own[top : top + h, left : left + w] = piece.mask
    ring = cv2.dilate(own, np.ones((3, 3), np.uint8)) > own
    if not ring.any() or changed[rows, columns][ring | (own > 0)].any():
        return
    class_map[piece.place][piece.mask] = np.bincount(around[ring]).argmax()
    changed[piece.place][piece.mask] = True


def layout_of(class_map: np.ndarray, categories: tuple[str, ...], stuff: tuple[str, ...]) -> Layout:
    """Each piece of a category is a thing, and all that is known of it is what is seen.

    Things of one category that touch are one thing: a class map does not say where one ends.
    """
    ids = np.zeros(class_map.shape, np.int32)
    things = []
    for piece in pieces(class_map, range(1, len(categories) + 1)):
        number = len(things) + 1
        ids[piece.place][piece.mask] = number
        shape = Silhouette(piece.x, piece.y, piece.mask)
        path = f"{categories[piece.kind - 1]}.{number}"
        things.append(Instance(number, piece.kind, path, shape))
    return Layout(class_map, ids, None, tuple(things), categories, stuff)
