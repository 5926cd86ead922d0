"""Cityscapes' folders: images, label maps in its three codings, and cameras."""

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datagen.dataset.export import class_maps
from datagen.dataset.export.cityscapes_labels import COUNTED, IGNORED, TRAIN_IDS, label_id
from datagen.dataset.export.publish import Written, place_image
from datagen.dataset.export.selection import Item, Selection
from datagen.errors import InputError
from datagen.frame import Pinhole

_WHOLE = "train"  # the part's name when there are no splits: readers insist on one
_MOST = 1000  # things of one label in an image: the coding of instances holds no more


def write(selection: Selection, out: Path) -> Written:
    """`leftImg8bit`, `gtFine` and, where there are cameras, `camera`."""
    class_maps.needed(selection, "cityscapes", ("class", "instance"))
    city = _city(selection)
    for part in selection.parts:
        for item in selection.watched(part, "images"):
            _write_image(selection, item, out, f"{part or _WHOLE}/{city}", city)
    return Written()


def image_path(selection: Selection, part: str, item: Item) -> str:
    """Where an image lies in the export."""
    city = _city(selection)
    return f"leftImg8bit/{part or _WHOLE}/{city}/{_stem(city, item)}_leftImg8bit.png"


def _city(selection: Selection) -> str:
    """The world's name as Cityscapes' tools read a city's: without `_`."""
    world = "".join(str(one.get("supercategory", "")) for one in selection.categories[:1])
    return re.sub(r"[^A-Za-z0-9-]+", "-", world) or "world"


def _stem(city: str, item: Item) -> str:
    return f"{city}_000000_{item.image['id'] - 1:06d}"


def _write_image(selection: Selection, item: Item, out: Path, place: str, city: str) -> None:
    stem = _stem(city, item)
    pictures, truth, cameras = (out / name / place for name in ("leftImg8bit", "gtFine", "camera"))
    pictures.mkdir(parents=True, exist_ok=True)
    truth.mkdir(parents=True, exist_ok=True)
    _write_picture(item, pictures / f"{stem}_leftImg8bit.png", link=selection.link)
    labels, instances = label_maps(selection, item)
    trained = np.full(256, IGNORED, np.uint8)
    trained[list(TRAIN_IDS)] = list(TRAIN_IDS.values())
    for kind, values in (
        ("labelIds", labels),
        ("labelTrainIds", trained[labels]),
        ("instanceIds", instances),
    ):
        Image.fromarray(values).save(truth / f"{stem}_gtFine_{kind}.png")
    if item.camera is not None:
        cameras.mkdir(parents=True, exist_ok=True)
        text = json.dumps(camera_json(item.camera), indent=4)
        (cameras / f"{stem}_camera.json").write_text(f"{text}\n", encoding="ascii")


def _write_picture(item: Item, path: Path, *, link: bool) -> None:
    if item.source.suffix == ".png":
        place_image(item, path, link=link)
    else:
        with Image.open(item.source) as image:
            image.save(path)


def label_maps(selection: Selection, item: Item) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [H, W] of label ids, and uint16 [H, W]: label id * 1000 + n where things are counted.

    Things that the policy left out are unlabeled.
    """
    classes, things = class_maps.classes(item, selection), class_maps.instances(item)
    named = [*selection.categories, *selection.stuff]
    table = np.zeros(len(named) + 1, np.uint8)
    table[[one["id"] for one in named]] = [label_id(str(one["name"])) for one in named]
    labels = table[classes]
    counts: Counter[int] = Counter()
    codes = np.zeros(max(int(things.max(initial=0)), *_ids(item), 0) + 1, np.uint16)
    for one in item.annotations:
        label = int(table[one["category_id"]])
        counted = label in COUNTED
        codes[one["instance_id"]] = label * 1000 + counts[label] if counted else label
        counts[label] += counted
    if max(counts.values(), default=0) > _MOST:
        raise InputError(
            f"{selection.dataset}: image {item.image['id']} has more than {_MOST} things of one "
            "label, more than Cityscapes' coding holds; leave small ones out with --min-pixels"
        )
    labels[np.isin(things, [one["instance_id"] for one in item.dropped])] = 0
    return labels, np.where(things > 0, codes[things], labels).astype(np.uint16)


def _ids(item: Item) -> list[int]:
    return [one["instance_id"] for one in item.annotations]


def camera_json(camera: Pinhole) -> dict[str, Any]:
    """Cityscapes' schema: the camera in a vehicle's frame (x ahead, y left, z up, from the ground).

    Angles in radians; pitch above 0 looks down. There is no second camera, so no baseline.
    """
    pose = np.array(camera.pose).reshape(4, 4)
    right, down, ahead = pose[:3, :3]  # the camera's axes in the scene: x right, y ahead, z up
    x, y, z = -pose[:3, :3].T @ pose[:3, 3]
    extrinsic = {
        "baseline": 0.0,
        "pitch": math.asin(max(-1.0, min(1.0, -ahead[2]))),
        "roll": math.atan2(-right[2], -down[2]),
        "x": y,
        "y": -x,
        "yaw": math.atan2(-ahead[0], ahead[1]),
        "z": z,
    }
    return {
        "extrinsic": {key: float(value) + 0.0 for key, value in extrinsic.items()},  # no -0.0
        "intrinsic": {"fx": camera.fx, "fy": camera.fy, "u0": camera.cx, "v0": camera.cy},
    }
