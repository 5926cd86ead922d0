"""A dataset in the formats of other tools; filters, taxonomies and splits are applied here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datagen import __version__
from datagen.dataset.export import (
    cameras,
    to_cityscapes,
    to_coco,
    to_kitti,
    to_mot,
    to_panoptic,
    to_yolo,
)
from datagen.dataset.export.publish import Written, refuse
from datagen.dataset.export.selection import Policy, Selection, refuse_unfinished, select
from datagen.dataset.store import read_json
from datagen.digest import canonical
from datagen.errors import InputError
from datagen.files import atomic_folder, sha256_of, write_atomic
from datagen.progress import Advance

_Writer = Callable[[Selection, Path], Written]
_WRITERS: Mapping[str, tuple[_Writer, cameras.ImagePath]] = {
    "coco": (to_coco.write, to_coco.image_path),
    "coco-polygons": (to_coco.write_polygons, to_coco.image_path),
    "yolo": (to_yolo.write_boxes, to_yolo.image_path),
    "yolo-seg": (to_yolo.write_segments, to_yolo.image_path),
    "panoptic": (to_panoptic.write, to_coco.image_path),
    "kitti": (to_kitti.write, to_kitti.image_path),
    "cityscapes": (to_cityscapes.write, to_cityscapes.image_path),
    "mot": (to_mot.write, to_mot.image_path),
}
FORMATS = tuple(_WRITERS)
ABOUT = "export.json"  # what an export is of, and what came of it


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
    resume: bool = False,
    progress: Advance = lambda done, total, words: None,
) -> ExportReport:
    """Write `dataset` to the new or empty folder `out`, as one of FORMATS.

    With `link` the images are hard links: no room is used, but they are the dataset's own files.
    With `resume` the very same export may be there already; it is not made again.
    """
    policy = Policy(min_visible_fraction, min_pixels, merge or {}, splits or {})
    check(dataset, format, out, resume=resume)
    if resume and (done := there(dataset, format, out, policy)) is not None:
        return done
    selection = replace(select(dataset, policy), link=link, progress=progress)
    write, image_path = _WRITERS[format]
    with atomic_folder(out) as aside:
        written = write(selection, aside)
        cameras.write(selection, aside, image_path)
        report = _report(selection, written, format, out)
        made = {name: value for name, value in report.to_json().items() if name != "folder"}
        about = {"datagen": __version__, **_asked(dataset, format, policy), "report": made}
        write_atomic(aside / ABOUT, canonical(about) + b"\n")
    return report


def check(dataset: Path, format: str, out: Path, *, resume: bool = False) -> None:
    """InputError where there is nothing to export, or where `out` is no place for it.

    With `resume` an export may lie there.
    """
    if format not in _WRITERS:
        raise InputError(f"unknown format `{format}`; there are: {', '.join(FORMATS)}")
    refuse_unfinished(dataset)
    if not (resume and (out / ABOUT).is_file()):
        refuse(out, dataset)


def there(dataset: Path, format: str, out: Path, policy: Policy) -> ExportReport | None:
    """The report of this very export, where it lies in `out` already; InputError for another."""
    if not (out / ABOUT).is_file():
        return None
    about = read_json(out / ABOUT)
    asked = _asked(dataset, format, policy)
    if {name: about.get(name) for name in asked} != asked:
        raise InputError(f"{out}: holds another export; choose another folder")
    return ExportReport(**about["report"], folder=str(out))


def _asked(dataset: Path, format: str, policy: Policy) -> dict[str, Any]:
    """What an export is of, without any path."""
    labels = sha256_of(dataset / "annotations.json")
    return {"annotations_sha256": labels, "format": format, "policy": policy.to_json()}


def _report(selection: Selection, written: Written, format: str, out: Path) -> ExportReport:
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
