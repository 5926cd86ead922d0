"""A dataset in the formats of other tools; filters, taxonomies and splits are applied here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.dataset.export import (
    cameras,
    to_cityscapes,
    to_coco,
    to_kitti,
    to_panoptic,
    to_yolo,
)
from datagen.dataset.export.publish import Written, published
from datagen.dataset.export.selection import Policy, Selection, select
from datagen.errors import InputError

_Writer = Callable[[Selection, Path], Written]
_WRITERS: Mapping[str, tuple[_Writer, cameras.ImagePath]] = {
    "coco": (to_coco.write, to_coco.image_path),
    "coco-polygons": (to_coco.write_polygons, to_coco.image_path),
    "yolo": (to_yolo.write_boxes, to_yolo.image_path),
    "yolo-seg": (to_yolo.write_segments, to_yolo.image_path),
    "panoptic": (to_panoptic.write, to_coco.image_path),
    "kitti": (to_kitti.write, to_kitti.image_path),
    "cityscapes": (to_cityscapes.write, to_cityscapes.image_path),
}
FORMATS = tuple(_WRITERS)


@dataclass(frozen=True)
class ExportReport:
    """What was written. `dropped` labels did not pass the policy."""

    format: str
    folder: str
    images: int
    annotations: int
    dropped: int
    categories: tuple[str, ...]
    splits: Mapping[str, int]  # name -> images; empty without splits
    worst_iou: float | None  # of a polygon with its mask; None for formats without polygons
    kept_as_rle: int  # labels whose polygons would not have been exact enough

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "categories": list(self.categories), "splits": dict(self.splits)}


def export(
    dataset: Path,
    format: str,
    out: Path,
    *,
    min_visible_fraction: float = 0.0,
    min_pixels: int = 1,
    merge: Mapping[str, str] | None = None,
    splits: Mapping[str, float] | None = None,
    link: bool = False,
) -> ExportReport:
    """Write `dataset` to the new or empty folder `out`, as one of FORMATS.

    With `link` the images are hard links: no room is used, but they are the dataset's own files.
    """
    if format not in _WRITERS:
        raise InputError(f"unknown format `{format}`; there are: {', '.join(FORMATS)}")
    policy = Policy(min_visible_fraction, min_pixels, merge or {}, splits or {})
    with published(out, dataset) as aside:
        selection = select(dataset, policy, link=link)
        write, image_path = _WRITERS[format]
        written = write(selection, aside)
        cameras.write(selection, aside, image_path)
    items = selection.items
    return ExportReport(
        format=format,
        folder=str(out),
        images=len(items),
        annotations=sum(len(item.annotations) for item in items),
        dropped=sum(len(item.dropped) for item in items),
        categories=tuple(str(one["name"]) for one in selection.categories),
        splits={name: len(part) for name, part in selection.parts.items() if name},
        worst_iou=written.worst_iou,
        kept_as_rle=written.kept_as_rle,
    )
