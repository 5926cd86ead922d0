"""KITTI's object benchmark: images, labels of 15 columns with boxes in space, calibrations.

One camera stands for all four of KITTI's. Its velodyne is the scene's frame with KITTI's axes (x
ahead, y left, z up), so the ground is z = 0; the IMU is the velodyne.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datagen.dataset.export.publish import Written, place_image
from datagen.dataset.export.selection import Item, Selection
from datagen.errors import InputError
from datagen.frame import Box3D, Pinhole

TYPES: Mapping[str, str] = {  # others have no label in KITTI
    "car": "Car",
    "van": "Van",
    "truck": "Truck",
    "bus": "Misc",
    "pedestrian": "Pedestrian",
    "cyclist": "Cyclist",
}
# Least visible share of the part inside the image -> KITTI's column `occluded`; else 3, unknown.
OCCLUDED = ((0.8, 0), (0.5, 1))
HARDLY = 0.1  # at and below it: 3; above: 2

Labelled = tuple[Mapping[str, Any], str]  # a label, and its type in KITTI

_REMEDY = "generate the dataset with a renderer in 3D, such as `mesh`"
_WHOLE = "train"  # the list's name when there are no splits
_UNKNOWN = "-1 -1 -1 -1000 -1000 -1000 -10"  # size, place and turn of what nobody measured
_AXES = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])  # velodyne to scene


def image_path(_: Selection, part: str, item: Item) -> str:
    """Where an image lies in the export; splits are lists of numbers, not folders."""
    return f"training/image_2/{_stem(item)}{item.source.suffix}"


def write(selection: Selection, out: Path) -> Written:
    """`training/image_2`, `label_2` and `calib`, and the list of each split in `ImageSets`."""
    for folder in ("training/image_2", "training/label_2", "training/calib", "ImageSets"):
        (out / folder).mkdir(parents=True)
    for part, items in selection.parts.items():
        for item in selection.watched(part, "images"):
            _write_image(selection, out, part, item)
        stems = "".join(f"{_stem(item)}\n" for item in items)
        (out / "ImageSets" / f"{part or _WHOLE}.txt").write_text(stems, encoding="ascii")
    return Written()


def _stem(item: Item) -> str:
    return f"{item.image['id'] - 1:06d}"


def _write_image(selection: Selection, out: Path, part: str, item: Item) -> None:
    camera = _camera(selection, item)
    place_image(item, out / image_path(selection, part, item), link=selection.link)
    lines = [*_labels(selection, item), *_ignored(selection, item)]
    for folder, text in (("label_2", lines), ("calib", _calibration(camera))):
        path = out / "training" / folder / f"{_stem(item)}.txt"
        path.write_text("".join(f"{line}\n" for line in text), encoding="ascii")


def _camera(selection: Selection, item: Item) -> Pinhole:
    where = f"{selection.dataset}: image {item.image['id']}"
    if item.camera is None:
        raise InputError(f"{where} has no camera, which `kitti` needs; {_REMEDY}")
    if item.camera.distortion != (0.0, 0.0):
        raise InputError(
            f"{where} is seen through a distorted lens, which KITTI does not know; generate the "
            "dataset without distortion"
        )
    return item.camera


def _labels(selection: Selection, item: Item) -> Iterator[str]:
    for one, kind in _typed(selection, item.annotations):
        if "box3d" not in one:
            where = f"{selection.dataset}: annotation {one['id']}"
            raise InputError(f"{where} has no box in space, which `kitti` needs; {_REMEDY}")
        box = Box3D.from_json(one["box3d"])
        length, width, height = box.size
        x, y, z = box.centre
        numbers = (*_box(one), height, width, length, x, y + height / 2, z, box.rotation_y)
        seen = f"{one['truncation']:.4f} {occluded(one)} {box.alpha:.4f}"
        yield f"{kind} {seen} {' '.join(f'{v:.4f}' for v in numbers)}"


def _ignored(selection: Selection, item: Item) -> Iterator[str]:
    """What the policy left out: detectors are neither rewarded nor punished there."""
    for one, _ in _typed(selection, item.dropped):
        yield f"DontCare -1 -1 -10 {' '.join(f'{v:.4f}' for v in _box(one))} {_UNKNOWN}"


def _typed(selection: Selection, labels: Sequence[Mapping[str, Any]]) -> Iterator[Labelled]:
    """The labels that have a type in KITTI, each with it."""
    names = {one["id"]: str(one["name"]).lower() for one in selection.categories}
    for one in labels:
        if names[one["category_id"]] in TYPES:
            yield one, TYPES[names[one["category_id"]]]


def _box(annotation: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the visible pixels: centres of the outermost ones."""
    x, y, w, h = annotation["bbox"]
    return x, y, x + w - 1, y + h - 1


def occluded(annotation: Mapping[str, Any]) -> int:
    """0 to 3 by the visible share of what lies inside the image."""
    inside = annotation["amodal_area"] * (1 - annotation["truncation"])
    share = annotation["area"] / inside if inside > 0 else 0.0
    for least, number in OCCLUDED:
        if share >= least - 1e-9:  # the product above is rounded
            return number
    return 2 if share > HARDLY else 3


def _calibration(camera: Pinhole) -> Iterator[str]:
    projection = np.zeros((3, 4))
    projection[:, :3] = (camera.fx, 0, camera.cx), (0, camera.fy, camera.cy), (0, 0, 1)
    for number in range(4):
        yield _matrix(f"P{number}", projection)
    yield _matrix("R0_rect", np.eye(3))
    pose = np.array(camera.pose).reshape(4, 4)
    yield _matrix("Tr_velo_to_cam", (pose @ _AXES)[:3])
    yield _matrix("Tr_imu_to_velo", np.eye(4)[:3])


def _matrix(name: str, values: np.ndarray) -> str:
    return f"{name}: {' '.join(f'{v:.12e}' for v in values.ravel())}"
