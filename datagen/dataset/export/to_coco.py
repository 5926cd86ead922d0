"""COCO again: filtered, with run lengths as they are or with polygons."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from pycocotools import mask as coco_mask

from datagen import rle
from datagen.dataset import coco
from datagen.dataset.export import masks, outline
from datagen.dataset.export.publish import Written, place_images
from datagen.dataset.export.selection import Item, Selection

EXACT_ENOUGH = 0.99  # IoU; below it a polygon is not the thing any more
_ALIKE = 0.9  # IoU of a polygon that is there to be corrected


def image_path(_: Selection, part: str, item: Item) -> str:
    """Where an image lies in the export."""
    return f"{part}/images/{item.name}" if part else f"images/{item.name}"


def write(selection: Selection, out: Path) -> Written:
    """`annotations.json` and `images/`, in one folder for each split."""
    for part in selection.parts:
        items = selection.watched(part, "labels")
        _write_part(selection, part, out, (one for item in items for one in item.annotations))
    return Written()


def write_polygons(selection: Selection, out: Path) -> Written:
    """The same with polygons; each label says how well its polygons repeat the mask."""
    ious: list[float] = []
    for part in selection.parts:
        items = selection.watched(part, "labels")
        _write_part(
            selection, part, out, (one for item in items for one in _as_polygons(item, ious))
        )
    as_rle = sum(iou < EXACT_ENOUGH for iou in ious)
    return Written(worst_iou=min(ious, default=None), kept_as_rle=as_rle)


def _write_part(
    selection: Selection, part: str, out: Path, annotations: Iterator[Mapping[str, Any]]
) -> None:
    items, folder = selection.parts[part], out / part
    place_images(selection, part, folder / "images")
    head = {
        "info": selection.info,
        "licenses": selection.licenses,
        "categories": selection.categories,
    }
    images = ({**item.image, "file_name": f"images/{item.name}"} for item in items)
    lists = {"images": images, "annotations": annotations}
    if selection.videos:
        shown = {item.image["video_id"] for item in items}
        lists["videos"] = (one for one in selection.videos if one["id"] in shown)
        lists["tracks"] = iter(_tracks(items).values())
    coco.write_lists(folder / "annotations.json", head, lists)


def _tracks(items: Sequence[Item]) -> dict[int, dict[str, Any]]:
    """Of what is left of the labels, and of its categories."""
    return {
        one["track_id"]: {
            "id": one["track_id"],
            "category_id": one["category_id"],
            "video_id": item.image["video_id"],
        }
        for item in items
        for one in item.annotations
    }


def _as_polygons(item: Item, ious: list[float]) -> Iterator[dict[str, Any]]:
    for annotation, mask in masks.exact(item):
        if annotation.get("iscrowd") == 1:  # COCO wants run lengths for crowds
            yield {**annotation, "segmentation": mask}
            continue
        rings, iou = polygons_of(mask)
        ious.append(iou)
        shape = rings if iou >= EXACT_ENOUGH else mask
        yield {**annotation, "segmentation": shape, "polygon_iou": iou}


def polygons_of(mask: rle.RLE) -> tuple[list[list[int]], float]:
    """COCO polygons [x, y, x, y, ...] and their IoU with the mask when pycocotools draws them."""
    inside = masks.pixels([mask])[0]
    if not inside.any():
        return [], 0.0
    rings = _flat(rings_of(inside))
    return rings, _iou(rings, mask)


def simpler_polygons_of(mask: rle.RLE) -> list[list[int]]:
    """Polygons that a person can drag: few points, the largest part first.

    They leave the mask's outline by a pixel at most; a mask that would lose too much by it keeps
    its exact ones.
    """
    inside = masks.pixels([mask])[0]
    exact = sorted(rings_of(inside), key=outline.area, reverse=True)
    rings = _flat([outline.simpler(ring) for ring in exact])
    return rings if _iou(rings, mask) >= _ALIKE else _flat(exact)


def _flat(rings: Sequence[outline.Ring]) -> list[list[int]]:
    return [[v for point in ring for v in point] for ring in rings]


def _iou(rings: list[list[int]], mask: rle.RLE) -> float:
    drawn = rle.of_segmentations([rings], *mask["size"])[0]
    iou = coco_mask.iou(cast(Any, [drawn]), cast(Any, [mask]), [False])
    return float(np.asarray(iou)[0, 0])


def rings_of(inside: np.ndarray) -> list[outline.Ring]:
    """Outlines of a bool [H, W] mask with at least one pixel; only its box is looked at."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    rings = outline.polygons(inside[top : rows[-1] + 1, left : columns[-1] + 1])
    return [[(x + left, y + top) for x, y in ring] for ring in rings]
