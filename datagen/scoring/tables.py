"""Truth and detections as the tables that COCO's evaluators read. All ids count from 1."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np
from pycocotools import mask as coco_mask

from datagen import rle
from datagen.errors import InputError
from datagen.labelled import ANY, Box, Detections, Labelled, Picture, Thing

Kind = Literal["bbox", "segm"]
Table = dict[str, Any]


def truth_table(truth: Labelled, kind: Kind) -> Table:
    """What is ignored is a crowd to COCO: found or not, once or often, it counts for nothing.

    A region of ANY category is a crowd in every one.
    """
    if kind == "segm" and not truth.masks:
        raise InputError(f"{truth.folder}: its labels have no masks; score boxes instead")
    numbers = range(len(truth.categories))
    rows: list[Table] = []
    for place, picture in enumerate(truth.pictures):
        for thing in picture.things:
            for category in numbers if thing.category == ANY else (thing.category,):
                row = _row(rows, place, category, thing.box) | {"area": float(thing.area)}
                row["iscrowd"] = int(not thing.counts)
                if kind == "segm":
                    row["segmentation"] = dict(thing.mask or _filled(thing, picture))
                rows.append(row)
    return _headed(truth) | {"annotations": rows}


def found_table(truth: Labelled, found: Sequence[Detections], kind: Kind) -> Table:
    """Detections with the areas that COCO sorts them by: of the mask, or of the box."""
    if len(found) != len(truth.pictures):
        raise InputError(
            f"{truth.folder}: there are detections of {len(found)} pictures, and "
            f"{len(truth.pictures)} pictures; detect in the same dataset again"
        )
    rows: list[Table] = []
    for place, (picture, one) in enumerate(zip(truth.pictures, found, strict=True)):
        masks = list(_masks(picture, one)) if kind == "segm" else []
        sides = one.boxes.reshape(-1, 4)[:, 2:].astype(np.float64)
        areas = rle.areas(masks) if masks else sides.prod(axis=1)
        for k, category in enumerate(one.categories.tolist()):
            row = _row(rows, place, category, one.boxes[k].tolist())
            row |= {"area": float(areas[k]), "score": float(one.scores[k])}
            if kind == "segm":
                row["segmentation"] = masks[k]
            rows.append(row)
    return _headed(truth) | {"annotations": rows}


def _headed(truth: Labelled) -> Table:
    images = [
        {"id": k, "file_name": one.name, "width": one.width, "height": one.height}
        for k, one in enumerate(truth.pictures, 1)
    ]
    categories = [{"id": k, "name": name} for k, name in enumerate(truth.categories, 1)]
    return {"info": {}, "images": images, "categories": categories}


def _row(rows: Sequence[Table], place: int, category: int, box: Sequence[float]) -> Table:
    number = {"id": len(rows) + 1, "image_id": place + 1, "category_id": category + 1}
    return number | {"bbox": [float(v) for v in box]}


def _filled(thing: Thing, picture: Picture) -> Mapping[str, Any]:
    """The box as a mask, for an ignored region that has none."""
    return box_mask(thing.box, picture.height, picture.width)


def box_mask(box: Box, height: int, width: int) -> rle.RLE:
    """A filled box as run lengths."""
    boxes = np.array([box], np.float64)
    return rle.as_text(cast(Any, coco_mask.frPyObjects(cast(Any, boxes), height, width))[0])


def _masks(picture: Picture, one: Detections) -> Iterator[Table]:
    if one.masks is None and len(one.scores):
        raise InputError(f"{picture.name}: its detections have no masks; score boxes instead")
    for mask in one.masks or ():
        if list(mask["size"]) != [picture.height, picture.width]:
            raise InputError(
                f"{picture.name}: a detection's mask has the size {list(mask['size'])}, the "
                f"picture {[picture.height, picture.width]}; detect in the same pictures"
            )
        yield dict(mask)
