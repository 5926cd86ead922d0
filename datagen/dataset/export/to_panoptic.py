"""COCO panoptic: a PNG whose colours are segment ids, and a JSON file that lists the segments.

Where the dataset stores the class pass, its stuff has segments, too: one of a kind and image.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datagen.dataset import coco
from datagen.dataset.export import class_maps, masks
from datagen.dataset.export.publish import Written, place_images
from datagen.dataset.export.selection import Item, Selection
from datagen.errors import InputError


def write(selection: Selection, out: Path) -> Written:
    """`panoptic.json`, `panoptic/*.png` and `images/`, in one folder for each split.

    A segment's id counts from 1 within its image; 0 is void: nothing that is labelled.
    """
    if selection.stuff and any("class" in item.passes for item in selection.items):
        class_maps.needed(selection, "panoptic", ("class",))
    else:
        selection = replace(selection, stuff=())
    for part in selection.parts:
        _write_part(selection, part, out / part)
    return Written()


def _write_part(selection: Selection, part: str, folder: Path) -> None:
    items = selection.parts[part]
    place_images(selection, part, folder / "images")
    (folder / "panoptic").mkdir()
    head = {
        "info": selection.info,
        "licenses": selection.licenses,
        "categories": [
            *({**one, "isthing": 1} for one in selection.categories),
            *({**one, "isthing": 0} for one in selection.stuff),
        ],
    }
    images = ({**item.image, "file_name": f"images/{item.name}"} for item in items)
    watched = selection.watched(part, "labels")
    annotations = (_annotation(selection, item, folder / "panoptic") for item in watched)
    lists = {"images": images, "annotations": annotations}
    coco.write_lists(folder / "panoptic.json", head, lists)


def _annotation(selection: Selection, item: Item, folder: Path) -> dict[str, Any]:
    """Writes the PNG, on the way of the stream that writes the JSON."""
    ids, segments = _segments(item)
    if selection.stuff:
        segments += _stuff_segments(selection, item, ids)
    name = f"{Path(item.name).stem}.png"
    colours = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=2).astype(np.uint8)
    Image.fromarray(colours).save(folder / name)
    return {"image_id": item.image["id"], "file_name": name, "segments_info": segments}


def _segments(item: Item) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """int32 [H, W] of segment ids, and what each of them is."""
    ids = np.zeros((item.image["height"], item.image["width"]), np.int32)
    segments = []
    for number, (one, mask) in enumerate(masks.exact(item), start=1):
        inside = masks.pixels([mask])[0]
        if (ids[inside] > 0).any():
            raise InputError(
                f"image {item.image['id']}: the mask of annotation {one.get('id')} overlaps "
                "another; panoptic segments may not"
            )
        ids[inside] = number
        segments.append(
            {
                "id": number,
                "category_id": one["category_id"],
                "area": int(inside.sum()),
                "bbox": one["bbox"],
                "iscrowd": one.get("iscrowd", 0),
            }
        )
    return ids, segments


def _stuff_segments(selection: Selection, item: Item, ids: np.ndarray) -> Iterator[dict[str, Any]]:
    """What each piece of stuff is; marks it in `ids`, int32 [H, W], where it must lie alone."""
    classes = class_maps.classes(item, selection)
    number = int(ids.max(initial=0))
    for one in selection.stuff:
        inside = classes == one["id"]
        if not inside.any():
            continue
        number += 1
        ids[inside] = number
        yield {
            "id": number,
            "category_id": one["id"],
            "area": int(inside.sum()),
            "bbox": list(_box(inside)),
            "iscrowd": 0,
        }


def _box(inside: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1
