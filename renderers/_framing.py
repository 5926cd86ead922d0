"""From owners of pixels to a Frame: who is an instance, and what box it fills."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from datagen.frame import Box3D, Frame, Instance, Pinhole, Silhouette

from ._camera import View
from ._stage import Stage, Thing, world


def framed(
    stage: Stage,
    view: View,
    *,
    parts: np.ndarray,
    depth: np.ndarray,
    silhouettes: Sequence[Silhouette],
    **others: Any,
) -> Frame:
    """A Frame of parts uint32 [H, W]; a thing without a pixel even alone is no instance.

    `silhouettes`: one for each of the stage's things; none of them, and there are no instances.
    `others`: the fields of Frame that are handed on.
    """
    ids = np.zeros(len(stage.things) + 1, np.int32)  # the last: of what is no thing
    instances = []
    for k, (thing, silhouette) in enumerate(zip(stage.things, silhouettes, strict=False)):
        if silhouette.mask.any():
            ids[k] = len(instances) + 1
            box = _box(stage, thing, view)
            instances.append(Instance(int(ids[k]), thing.category, thing.path, silhouette, box))
    return Frame(
        class_map=stage.classes.take(parts),
        instance_map=ids.take(stage.owner).take(parts),
        depth=depth,
        instances=tuple(instances),
        **others,
    )


def pinhole_of(view: View, distortion: tuple[float, float]) -> Pinhole:
    """Pixel centres are at whole numbers there, and at halves here."""
    return Pinhole(
        width=view.width,
        height=view.height,
        fx=view.focal,
        fy=view.focal,
        cx=view.width / 2 - 0.5,
        cy=view.horizon - 0.5,
        distortion=distortion,
        pose=(1, 0, 0, 0, 0, 0, -1, view.eye, 0, 1, 0, 0, 0, 0, 0, 1),
    )


def _box(stage: Stage, thing: Thing, view: View) -> Box3D:
    """The box around all pieces of a thing, upright and along its own axes."""
    at = world(thing.at)
    turn, place = at[:, :3] / thing.at.scale, at[:, 3]
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for k in thing.pieces:
        matrix = turn.T @ stage.matrices[k].astype(float)
        bounds = stage.pieces[k].geometry.bounds
        middle, half = bounds.mean(axis=0), (bounds[1] - bounds[0]) / 2
        centre = matrix[:, :3] @ middle + matrix[:, 3] - turn.T @ place
        reach = np.abs(matrix[:, :3]) @ half
        low, high = np.minimum(low, centre - reach), np.maximum(high, centre + reach)
    x, y, z = turn @ ((low + high) / 2) + place
    width, length, height = high - low
    return Box3D(
        centre=(float(x), view.eye - float(z), float(y)),
        size=(float(length), float(width), float(height)),
        rotation_y=math.remainder(-(thing.at.yaw + math.pi / 2), math.tau),
    )
