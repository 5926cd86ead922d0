"""Flat pictures that stand upright and face the camera; their colours come with each thing.

A picture is uint8 [h, w, 4]: light of three materials, premultiplied, and coverage.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from datagen.scene import Transform

from ._camera import NEAR
from ._canvas import Drawing, Patch
from ._colours import RGB
from ._painting import Site
from ._solids import HAZE, NOTHING, haze
from ._textures import Picture
from ._upright import hang


def billboard(
    site: Site,
    at: Transform,
    picture: Picture,
    size: tuple[float, float],
    colours: Sequence[RGB],
    *,
    mirrored: bool = False,
) -> Drawing:
    """The picture, `size` = width and height in metres, with its foot at the thing's place."""
    if at.y < NEAR:
        return NOTHING
    half, tall = size[0] / 2 * at.scale, size[1] * at.scale
    left, right = (half, -half) if mirrored else (-half, half)
    feet = [(at.x + left, at.y, 0.0), (at.x + right, at.y, 0.0)]
    wall = np.array([*feet, (*feet[1][:2], tall), (*feet[0][:2], tall)])
    window = site.view.bounds(site.view.project(wall))
    if window is None:
        return NOTHING
    pixels = hang(picture, (picture.width, picture.height), wall, window, site.view)
    share = haze(at.y)
    paint = np.zeros((3, 4))
    paint[:, :3] = np.array(colours, float).T * ((1 - share) / 255)
    paint[:, 3] = np.array(HAZE) * (share / 255)
    return Drawing(
        Patch(window[0], window[1], cv2.extractChannel(pixels, 3), cv2.transform(pixels, paint))
    )
