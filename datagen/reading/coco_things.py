"""COCO's annotations as Things; of our own datasets everything that is known of a thing."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from pycocotools import mask as coco_mask

from datagen import rle
from datagen.dataset.coco import CONTRIBUTOR
from datagen.errors import InputError
from datagen.labelled import Box, Thing
from datagen.reading.boxes import box_of, clipped, is_number
from datagen.reading.left_out import Rejected

Entry = Mapping[str, Any]
Mask = rle.RLE | InputError | None
Key = int | str  # of an image


def things_of(
    file: Path, data: Entry, sides: Mapping[Key, tuple[int, int]]
) -> tuple[dict[Key, list[Thing]], Rejected]:
    """The things of the images that `sides` names (width, height), and labels that are none.

    A crowd is ignored, and so is a label whose mask is broken. Empty boxes are left out.
    """
    labels = [one for one in data["annotations"] if one["image_id"] in sides]
    category = {one["id"]: k for k, one in enumerate(data["categories"])}
    info = data.get("info")
    ours = isinstance(info, dict) and info.get("contributor") == CONTRIBUTOR
    hiders = _instances(data) if ours else {}
    things: dict[Key, list[Thing]] = {}
    odd: Rejected = []
    for one, mask in zip(labels, _masks(labels, sides), strict=True):
        key = one["image_id"]
        where = f"{file.name}, annotation {one.get('id')!r} of image {key!r}"
        box = clipped(_box(one, mask, f"{file.parent / where}"), *sides[key])
        if box is None:
            odd.append((where, "its box has no pixel in the picture; the label is left out"))
            continue
        if isinstance(mask, InputError):
            odd.append((where, f"{mask}; the label is ignored"))
        facts = dict(_facts(one, hiders, f"{file.parent / where}")) if ours else {}
        things.setdefault(key, []).append(
            Thing(
                category=category[one["category_id"]],
                box=box,
                area=_area(one, box, mask),
                mask=None if isinstance(mask, InputError) else mask,
                ignored=bool(one.get("iscrowd") or one.get("ignore"))
                or isinstance(mask, InputError),
                facts=facts,
            )
        )
    return things, odd


def _masks(labels: Sequence[Entry], sides: Mapping[Key, tuple[int, int]]) -> list[Mask]:
    """Each label's mask; None where it has a box only; the error where it is broken."""
    masks: list[Mask] = [None] * len(labels)
    of_size: dict[tuple[int, int], list[int]] = {}
    for k, one in enumerate(labels):
        if one.get("segmentation"):
            of_size.setdefault(sides[one["image_id"]], []).append(k)
    for (width, height), chosen in of_size.items():  # in one pass: calls cost more than masks
        found = rle.of_segmentations([labels[k]["segmentation"] for k in chosen], height, width)
        for k, mask in zip(chosen, found, strict=True):
            masks[k] = mask
    return masks


def _box(label: Entry, mask: Mask, where: str) -> Box:
    if label.get("bbox") is None and isinstance(mask, dict):
        return box_of(np.asarray(coco_mask.toBbox(cast(Any, mask))).tolist(), where)
    return box_of(label.get("bbox"), where)


def _area(label: Entry, box: Box, mask: Mask) -> float:
    """As the file says, else the mask's, else the box's."""
    stated = label.get("area")
    if is_number(stated) and float(cast(float, stated)) > 0:
        return float(cast(float, stated))
    pixels = float(coco_mask.area(cast(Any, mask))) if isinstance(mask, dict) else 0.0
    return pixels or box[2] * box[3]


def _instances(data: Entry) -> dict[tuple[Key, Any], str]:
    """(image id, instance id) -> name of its category."""
    names = {one["id"]: one["name"] for one in data["categories"]}
    return {
        (one["image_id"], one["instance_id"]): names[one["category_id"]]
        for one in data["annotations"]
        if isinstance(one.get("instance_id"), int)
    }


def _facts(
    label: Entry, hiders: Mapping[tuple[Key, Any], str], where: str
) -> Iterator[tuple[str, float | str]]:
    """Only our own files have these keys with these meanings."""
    for name in ("visible_fraction", "truncation"):
        if name in label:
            if not is_number(label[name]) or not 0 <= label[name] <= 1:
                raise InputError(f"{where}: its {name} is not within 0 and 1; `verify` says more")
            yield name, float(label[name])
    if isinstance(label.get("path"), str):
        yield "path", label["path"]
    hider = label.get("occluder")
    if isinstance(hider, int) and (label["image_id"], hider) in hiders:
        yield "occluder", hiders[label["image_id"], hider]
    if "box3d" in label:
        yield "distance", _ahead(label["box3d"], where)


def _ahead(box: Any, where: str) -> float:
    """Metres along the camera's axis to the middle of a box in space."""
    centre = box.get("centre") if isinstance(box, dict) else None
    if not isinstance(centre, list) or len(centre) != 3 or not is_number(centre[2]):
        raise InputError(f"{where}: its box3d has no centre; `datagen verify` says more")
    return float(centre[2])
