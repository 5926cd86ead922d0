"""Any tool's COCO file: ids, boxes, areas and masks against each other."""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard, cast

import numpy as np
from pycocotools import mask as coco_mask

from datagen import rle
from datagen.audit.clips import clip_faults, listed
from datagen.audit.finding import Finding
from datagen.audit.space import box_faults, camera_faults
from datagen.dataset import coco
from datagen.errors import InputError

_MAX_SIDE = 1 << 15  # pixels; more is a typing error, and pycocotools counts in 32 bits
# A polygon's box and area are of the drawn outline, its mask is of whole pixels.
_POLYGON_SLACK = 2.0  # pixels
_MASK_SLACK = 0.5  # pixels: float noise, but not the common "width = right - left"

Item = Mapping[str, Any]


def audit_coco(path: Path, *, overlap: bool = False) -> list[Finding]:
    """Findings about a COCO file or a dataset folder's.

    Masks that overlap are findings in our own files, where they partition the image; in those of
    others, where they are legal, only with `overlap`.
    """
    data = coco.read(path)
    info = data.get("info")
    ours = isinstance(info, dict) and info.get("contributor") == coco.CONTRIBUTOR
    found = [*_ids(data), *_categories(data["categories"])]
    images = {image["id"]: image for image in data["images"] if _is_id(image.get("id"))}
    found += [*_images(data["images"]), *clip_faults(data)]
    known = {one["id"] for one in data["categories"] if _is_id(one.get("id"))}
    of_image: dict[int, list[Item]] = {key: [] for key in images}
    for annotation in data["annotations"]:
        found += _references(annotation, images.keys(), known)
        image = annotation.get("image_id")
        if _is_id(image) and image in of_image:
            of_image[image].append(annotation)
    for key, annotations in of_image.items():
        if ours:
            found += _space(images[key], annotations)
        if annotations and _sides(images[key]) is not None:
            found += _masks(images[key], annotations, overlap=overlap or ours)
    return found


def audit_image(image: Item, annotations: Sequence[Item], categories: int) -> list[Finding]:
    """Findings about one image of ours, whose categories are numbered from 1."""
    found = list(_image(image))
    for annotation in annotations:
        found += _references(annotation, {image["id"]}, range(1, categories + 1))
    found += _space(image, annotations)
    if annotations and _sides(image) is not None:
        found += _masks(image, annotations, overlap=True)
    return found


def _is_id(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _ids(data: Item) -> Iterator[Finding]:
    for name in ("images", "annotations", "categories", "videos", "tracks"):
        ids = [item.get("id") for item in listed(data, name)]
        odd = sum(not _is_id(key) for key in ids)
        if odd:
            yield Finding("id", f"{odd} of the {name} have no whole number as id")
        for key, count in Counter(key for key in ids if _is_id(key)).items():
            if count > 1:
                yield Finding("duplicate-id", f"{count} {name} have the id {key}")


def _categories(categories: Sequence[Item]) -> Iterator[Finding]:
    for one in categories:
        if one.get("id") == 0:
            message = f"category `{one.get('name')}` has id 0, which detectors take for background"
            yield Finding("category-zero", message, severity="warning")
    for name, count in Counter(str(one.get("name")) for one in categories).items():
        if count > 1:
            yield Finding("category-name", f"{count} categories are called `{name}`")


def _images(images: Sequence[Item]) -> Iterator[Finding]:
    for image in images:
        yield from _image(image)
    for name, count in Counter(str(image.get("file_name")) for image in images).items():
        if count > 1:
            yield Finding("file-name", f"{count} images share the file `{name}`")


def _image(image: Item) -> Iterator[Finding]:
    key, name = image.get("id"), image.get("file_name")
    if not isinstance(name, str) or not name:
        yield Finding("file-name", f"image {key} has no file name", image=key)
    elif PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        yield Finding("file-name", f"image {key}: `{name}` leaves the folder", image=key)
    if _sides(image) is None:
        sides = f"{image.get('width')} x {image.get('height')}"
        yield Finding("image-size", f"image {key} is {sides} pixels", image=key)


def _sides(image: Item) -> tuple[int, int] | None:
    """(height, width), when they are such as an image can have."""
    height, width = image.get("height"), image.get("width")
    if not isinstance(height, int) or not isinstance(width, int):
        return None
    return (height, width) if 0 < height <= _MAX_SIDE and 0 < width <= _MAX_SIDE else None


def _references(
    annotation: Item, images: Container[int], categories: Container[int]
) -> Iterator[Finding]:
    image, category = annotation.get("image_id"), annotation.get("category_id")
    if not _is_id(image) or image not in images:
        yield _of(annotation, "orphan-image", "its image is not in the file")
    if not _is_id(category) or category not in categories:
        yield _of(annotation, "orphan-category", "its category is not in the file")
    if annotation.get("iscrowd", 0) not in (0, 1):
        yield _of(annotation, "iscrowd", "iscrowd is neither 0 nor 1")
    for name in ("visible_fraction", "truncation"):
        share = annotation.get(name, 0)
        if not isinstance(share, int | float) or not 0 <= share <= 1:
            yield _of(annotation, name.replace("_", "-"), f"{name} {share} is not within 0 and 1")


def _of(annotation: Item, code: str, message: str) -> Finding:
    key, image = annotation.get("id"), annotation.get("image_id")
    return Finding(code, f"image {image}, annotation {key}: {message}", image, key)


def _space(image: Item, annotations: Sequence[Item]) -> Iterator[Finding]:
    """Cameras and boxes in space, which have these names in our own files only."""
    if "camera" in image:
        for fault in camera_faults(image):
            yield Finding("camera", f"image {image.get('id')}: {fault}", image=image.get("id"))
    for annotation in annotations:
        if "box3d" in annotation:
            yield from (_of(annotation, "box3d", fault) for fault in box_faults(annotation))


def _masks(image: Item, annotations: Sequence[Item], *, overlap: bool) -> Iterator[Finding]:
    """Boxes, areas and masks of one image, whose sides are sound."""
    sides = _sides(image)
    assert sides is not None
    masks = rle.of_segmentations([a.get("segmentation") for a in annotations], *sides)
    sound = [(a, m) for a, m in zip(annotations, masks, strict=True) if isinstance(m, dict)]
    for annotation, mask in zip(annotations, masks, strict=True):
        yield from _box(annotation, sides)
        if isinstance(mask, InputError):
            yield _of(annotation, "segmentation", str(mask))
    if not sound:
        return
    packed = cast(Any, [mask for _, mask in sound])
    areas = rle.areas(packed).tolist()
    boxes = cast(np.ndarray, coco_mask.toBbox(packed)).tolist()
    for (annotation, _), area, box in zip(sound, areas, boxes, strict=True):
        yield from _numbers(annotation, area, box)
    union = int(coco_mask.area(coco_mask.merge(packed)))
    if overlap and union != sum(areas):
        shared = sum(areas) - union
        message = f"image {image['id']}: masks overlap, {shared} pixels too many"
        yield Finding("overlap", message, image=image["id"])


def _slack(annotation: Item) -> float:
    return _POLYGON_SLACK if isinstance(annotation.get("segmentation"), list) else _MASK_SLACK


def _box_of(annotation: Item) -> list[float] | None:
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        return None
    return box if all(isinstance(v, int | float) and abs(v) < 1e9 for v in box) else None


def _box(annotation: Item, sides: tuple[int, int]) -> Iterator[Finding]:
    box, slack = _box_of(annotation), _slack(annotation)
    if box is None:
        yield _of(annotation, "bbox", "the box is not four numbers")
    elif box[2] <= 0 or box[3] <= 0:
        yield _of(annotation, "bbox-empty", f"box {box} has no width or no height")
    elif (
        min(box[:2]) < -slack
        or box[0] + box[2] > sides[1] + slack
        or box[1] + box[3] > sides[0] + slack
    ):
        yield _of(annotation, "bbox-outside", f"box {box} leaves the {sides[1]} x {sides[0]} image")


def _numbers(annotation: Item, area: int, tight: Sequence[float]) -> Iterator[Finding]:
    """The stored area and box against those of the mask."""
    if area == 0:
        yield _of(annotation, "empty", "the mask has no pixel")
        return
    box, slack = _box_of(annotation), _slack(annotation)
    if box is not None and any(
        abs(a - b) > slack for a, b in zip(_edges(box), _edges(tight), strict=True)
    ):
        yield _of(annotation, "bbox", f"box {box}, but the mask's is {[int(v) for v in tight]}")
    stored = annotation.get("area")
    polygon = slack == _POLYGON_SLACK
    allowed = _POLYGON_SLACK + tight[2] + tight[3] if polygon else _MASK_SLACK
    if not isinstance(stored, int | float) or abs(stored - area) > allowed:
        yield _of(annotation, "area", f"area {stored}, but the mask has {area} pixels")


def _edges(box: Sequence[float]) -> tuple[float, ...]:
    """Left, top, right, bottom."""
    return box[0], box[1], box[0] + box[2], box[1] + box[3]
