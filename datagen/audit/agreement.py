"""Two layouts of one scene, by renderers that share no step: do they see the same things?"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from datagen.audit.finding import Finding
from datagen.frame import Layout

LEAST = 0.999  # share of the pixels away from edges that must agree
_DEPTH = 0.01  # of the distance; what lies flat and far is seen at a grazing angle


@dataclass(frozen=True)
class Agreement:
    """Of the pixels away from edges, the share that both give to the same thing and class."""

    pixels: int  # away from the edges of both
    owners: float
    depth: float  # share whose depths are equal within 1 %; 1 where one layout has none


def agreement(one: Layout, other: Layout) -> Agreement:
    """Compares layouts of the same size; things are told by their nodes, not by their ids."""
    paths = {i.path for i in (*one.instances, *other.instances)}
    numbers = {path: number for number, path in enumerate(sorted(paths), 1)}
    first, second = _owners(one, numbers), _owners(other, numbers)
    inner = ~(edges(first) | edges(second))
    same = (first == second)[inner]
    return Agreement(
        pixels=int(inner.sum()),
        owners=float(same.mean()) if same.size else 1.0,
        depth=_same_depth(one.depth, other.depth, inner),
    )


def findings(index: int, found: Agreement) -> Iterator[Finding]:
    """What is wrong with image `index`, if anything."""
    for what, share in (("owners", found.owners), ("depth", found.depth)):
        if share < LEAST:
            text = f"image {index}: the {what} of {1 - share:.3%} of its pixels differ from a ray's"
            yield Finding("raycast", text, image=index + 1)


def edges(values: np.ndarray) -> np.ndarray:
    """bool [H, W]: pixels with another value among their eight neighbours."""
    low = high = np.pad(values, 1, mode="edge")
    for axis in (0, 1):
        n = low.shape[axis] - 2
        spans = [np.arange(n) + k for k in range(3)]
        low = np.min([low.take(span, axis) for span in spans], axis=0)
        high = np.max([high.take(span, axis) for span in spans], axis=0)
    return low != high


def _owners(layout: Layout, numbers: dict[str, int]) -> np.ndarray:
    """int32 [H, W]: the thing that a pixel shows, or, below 0, its class of stuff."""
    table = np.zeros(max((i.id for i in layout.instances), default=0) + 1, np.int32)
    for instance in layout.instances:
        table[instance.id] = numbers[instance.path]
    things = table[layout.instance_map]
    return np.where(things > 0, things, -layout.class_map.astype(np.int32))


def _same_depth(one: np.ndarray | None, other: np.ndarray | None, inner: np.ndarray) -> float:
    if one is None or other is None:
        return 1.0
    first, second = one[inner], other[inner]
    same = np.isclose(first, second, rtol=_DEPTH, atol=0.0)  # inf equals inf
    return float(same.mean()) if same.size else 1.0
