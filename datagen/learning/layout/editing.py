"""Layouts with edits: a thing elsewhere or gone, and what is around it in its place."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.ndimage import distance_transform_edt

from datagen.edits import Edits
from datagen.frame import Instance, Layout


def edited(layout: Layout, edits: Edits) -> Layout:
    """Pixels that a thing leaves are of the nearest class that is no thing's, for nothing tells
    what is behind it. A moved thing lies on top of all others, and hides them.
    """
    ids, classes = layout.instance_map.copy(), layout.class_map.copy()
    left = np.isin(ids, [*edits.dropped, *edits.moved])
    background = ids == 0
    ids[left] = classes[left] = 0
    if background.any():
        rows, columns = np.asarray(
            distance_transform_edt(~background, return_distances=False, return_indices=True)
        )
        classes[left] = classes[rows[left], columns[left]]
    things = tuple(_those_left(layout, edits))
    for thing in things:
        if thing.id in edits.moved:
            inside = thing.silhouette.inside(layout.height, layout.width)
            ids[inside], classes[inside] = thing.id, thing.category
    return replace(layout, instance_map=ids, class_map=classes, instances=things)


def _those_left(layout: Layout, edits: Edits) -> Iterator[Instance]:
    for thing in layout.instances:
        if thing.id in edits.dropped:
            continue
        right, down = edits.moved.get(thing.id, (0, 0))
        at = thing.silhouette
        shape = replace(at, x=at.x + round(right), y=at.y + round(down))
        yield replace(thing, silhouette=shape)
