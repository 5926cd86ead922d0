"""CamVid: boxes from label maps of classes. A map says which pixels are car, not which car.

- A thing is a piece of a class that hangs together (by sides or corners).
- A piece below MIN_SHARE of the picture (100 px of 480 x 360) is ignored: too small to ask for.
- A piece that does not look like one thing of its class is ignored, by LOOKS: cars that touch are
  one piece, and a post cuts a car in two. Who finds a single car in it is neither right nor wrong.
- Void says nothing. Where a piece borders it, mostly a hedge or a kerb stands there.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from datagen import rle
from datagen.errors import InputError
from datagen.labelled import Labelled, Picture, Thing
from datagen.reading.images import opened, pictures_in, sizes_of
from datagen.reading.left_out import Rejected, check_enough

CLASSES = {8: "car", 9: "pedestrian", 10: "cyclist"}  # value in the map -> category
VOID = 11  # the largest value
MIN_SHARE = 100 / (480 * 360)


@dataclass(frozen=True)
class Look:
    """How one thing of a class looks; what looks otherwise is several, or a part of one."""

    narrowest: float  # width / height of its box
    widest: float
    solid: float  # least share of its convex hull that it fills
    full: float  # least share of its box that it fills


# Set by eye, on pictures of the pieces of CamVid's training frames (docs/labelled-data.md).
LOOKS = {
    "car": Look(narrowest=0.4, widest=2.5, solid=0.86, full=0.62),
    "pedestrian": Look(narrowest=0.0, widest=0.5, solid=0.0, full=0.0),
    "cyclist": Look(narrowest=0.0, widest=1.2, solid=0.0, full=0.0),
}


def maps_of(folder: Path) -> Path:
    """The folder of the label maps: `trainannot` beside `train`."""
    folder = Path(os.path.abspath(folder))  # links are not followed: the maps lie beside the link
    return folder.with_name(f"{folder.name}annot")


def read(folder: Path) -> Labelled:
    """The pictures of `folder` with things from the maps beside it, names equal but for the end."""
    maps = maps_of(folder)
    if not maps.is_dir():
        raise InputError(f"{folder}: no folder of label maps `{maps.name}` lies beside it")
    lost: Rejected = []
    pictures = []
    for name, (width, height) in sizes_of(folder, pictures_in(folder), lost).items():
        file = maps / f"{Path(name).stem}.png"
        if not file.is_file():
            lost.append((name, f"it has no label map in {maps.name}"))
            continue
        things = tuple(_things(_classes(file, width, height)))
        pictures.append(Picture(name, folder / name, width, height, things))
    check_enough(folder, pictures, lost)
    return Labelled(folder, "camvid", tuple(CLASSES.values()), tuple(pictures), True, tuple(lost))


def _classes(file: Path, width: int, height: int) -> np.ndarray:
    """uint8 [H, W]."""
    with opened(file) as image:
        if image.mode not in ("L", "P"):
            raise InputError(
                f"{file}: its pixels are colours ({image.mode}); give maps of class numbers "
                f"0 to {VOID}"
            )
        classes = np.array(image)
    if classes.shape != (height, width):
        size = f"{classes.shape[1]} x {classes.shape[0]}"
        raise InputError(f"{file}: has {size} px, its picture {width} x {height}; make them equal")
    if classes.max() > VOID:
        raise InputError(f"{file}: holds the class {classes.max()}; CamVid's are 0 to {VOID}")
    return classes


def _things(classes: np.ndarray) -> list[Thing]:
    """Class by class, from the upper rows to the lower ones."""
    things = []
    for category, (value, name) in enumerate(CLASSES.items()):
        count, pieces, stats, _ = cv2.connectedComponentsWithStats(
            (classes == value).astype(np.uint8), connectivity=8
        )
        for k in range(1, count):
            things.append(_thing(pieces == k, category, LOOKS[name], stats[k].tolist()))
    return things


def _thing(piece: np.ndarray, category: int, look: Look, stats: list[int]) -> Thing:
    """`piece`: bool [H, W]; `stats`: OpenCV's x, y, width, height, area."""
    x, y, w, h, area = stats
    is_one = look.narrowest <= w / h <= look.widest and area >= look.full * w * h
    is_one = is_one and area >= look.solid * _hull_area(piece[y : y + h, x : x + w])
    return Thing(
        category=category,
        box=(float(x), float(y), float(w), float(h)),
        area=float(area),
        mask=rle.encode(piece),
        ignored=not is_one or area < MIN_SHARE * piece.size,
    )


def _hull_area(piece: np.ndarray) -> int:
    """Pixels of the convex hull of a bool [h, w] mask with at least one pixel."""
    outlines, _ = cv2.findContours(
        piece.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    filled = np.zeros(piece.shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(np.concatenate(outlines)), 1)
    return int(np.count_nonzero(filled))
