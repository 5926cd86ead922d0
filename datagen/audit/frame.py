"""The labels of one frame, before it is written.

Nothing here calls `labels`: masks are decoded by pycocotools and compared pixel by pixel with the
maps of the frame, so that a fault of the labeller cannot hide itself.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from datagen import rle
from datagen.audit.finding import Finding
from datagen.audit.space import audit_space
from datagen.frame import Instance, Layout, Silhouette
from datagen.labels import Annotation, Box

_DECODED_BYTES = 4 << 20  # masks decoded at once; a big canvas with many things needs parts


@dataclass(frozen=True)
class _Pixels:
    """Every pixel of every mask: number of the annotation, and place counted down columns."""

    owner: np.ndarray
    place: np.ndarray

    def owners(self, wrong: np.ndarray) -> list[int]:
        """Annotations that own a wrong pixel."""
        return np.unique(self.owner[wrong]).tolist()


def audit_frame(layout: Layout, annotations: Sequence[Annotation]) -> list[Finding]:
    """Findings about one frame's labels; an empty list lets the frame be written."""
    found = list(_audit_ids(layout, annotations))
    size = [layout.height, layout.width]
    totals = rle.lengths([a.segmentation["counts"] for a in annotations])
    sound: list[Annotation] = []
    for annotation, total in zip(annotations, totals.tolist(), strict=True):
        if list(annotation.segmentation["size"]) == size and total == layout.instance_map.size:
            sound.append(annotation)
        else:
            found.append(_of(annotation, "rle", "the mask does not cover the image's pixels"))
    pixels = _decode(sound, layout.instance_map.size)
    found += _audit_maps(layout, sound, pixels)
    found += _audit_masks(layout, sound, pixels)
    found += audit_space(layout, annotations)
    return found


def _of(annotation: Annotation, code: str, message: str) -> Finding:
    what = f"instance {annotation.instance_id} ({annotation.path or 'root'})"
    return Finding(code, f"{what}: {message}", annotation=annotation.instance_id)


def _audit_ids(layout: Layout, annotations: Sequence[Annotation]) -> Iterator[Finding]:
    """Tables against each other: things, labels, categories, and the ids that can be seen."""
    things = {thing.id: thing for thing in layout.instances}
    for key, count in Counter(thing.id for thing in layout.instances).items():
        if count > 1 or key < 1:
            yield Finding("instance-id", f"instance id {key} occurs {count} times", annotation=key)
    for key, count in Counter(a.instance_id for a in annotations).items():
        if count > 1:
            yield Finding("duplicate", f"instance {key} has {count} labels", annotation=key)
    seen = set(np.flatnonzero(_histogram(layout.instance_map)).tolist()) - {0}
    for key in sorted(seen - things.keys()):
        yield Finding("unknown-id", f"instance map shows {key}, which is no thing", annotation=key)
    for key in sorted((seen & things.keys()) - {a.instance_id for a in annotations}):
        yield Finding("missing", f"instance {key} is visible but has no label", annotation=key)
    for annotation in annotations:
        yield from _audit_category(layout, things, annotation)
        hider = annotation.occluder
        if hider is not None and (hider not in seen or hider == annotation.instance_id):
            yield _of(annotation, "occluder", f"hidden by {hider}, which is not another thing")


def _histogram(instance_map: np.ndarray) -> np.ndarray:
    return np.bincount(instance_map.ravel(order="K"))


def _audit_category(
    layout: Layout, things: dict[int, Instance], annotation: Annotation
) -> Iterator[Finding]:
    number, names = annotation.category_id, layout.categories
    if not 1 <= number <= len(names) or names[number - 1] != annotation.category:
        yield _of(annotation, "category", f"category {number} is not `{annotation.category}`")
    thing = things.get(annotation.instance_id)
    if thing is None:
        yield _of(annotation, "unknown-id", "there is no such thing in the frame")
    elif thing.category != number or thing.path != annotation.path:
        yield _of(annotation, "category", f"the thing is {thing.category} at `{thing.path}`")


def _decode(annotations: Sequence[Annotation], size: int) -> _Pixels:
    """All masks as pixel lists, a bounded number of masks at a time."""
    step = max(1, _DECODED_BYTES // size)
    flat = [np.zeros(0, np.int64)]
    for start in range(0, len(annotations), step):
        masks = rle.decode([a.segmentation for a in annotations[start : start + step]])
        flat.append(np.flatnonzero(masks.reshape(-1).view(bool)) + start * size)
    return _Pixels(*np.divmod(np.concatenate(flat), size))


def _audit_maps(
    layout: Layout, annotations: Sequence[Annotation], pixels: _Pixels
) -> Iterator[Finding]:
    """The masks against the instance map, the class map and the depth."""
    ids = layout.instance_map.ravel(order="F")
    cover = np.bincount(pixels.place, minlength=ids.size)
    twice = cover > 1
    if twice.any():
        owners = pixels.owners(twice[pixels.place])
        names = ", ".join(str(annotations[k].instance_id) for k in owners[:8])
        yield Finding("overlap", f"{int(twice.sum())} pixels lie in two masks (instances {names})")
    stray = int(np.count_nonzero((cover > 0) != (ids > 0)))
    if stray:
        yield Finding("union", f"{stray} pixels differ between the masks' union and the map")
    own = np.array([a.instance_id for a in annotations], np.int64)
    for k in pixels.owners(ids[pixels.place] != own[pixels.owner]):
        yield _of(annotations[k], "map", "the mask holds pixels that the map gives to another")
    kind = np.array([a.category_id for a in annotations], np.int64)
    classes = layout.class_map.ravel(order="F")
    for k in pixels.owners(classes[pixels.place] != kind[pixels.owner]):
        yield _of(annotations[k], "class-map", "the class map says otherwise under the mask")
    yield from _audit_stuff(layout, classes[ids == 0])
    if layout.depth is not None:
        finite = np.isfinite(layout.depth.ravel(order="F"))
        for k in pixels.owners(~finite[pixels.place]):
            yield _of(annotations[k], "depth", "the depth under the mask is not finite")


def _audit_stuff(layout: Layout, classes: np.ndarray) -> Iterator[Finding]:
    """Where there is no thing, the class map may say stuff, but no category."""
    things = len(layout.categories)
    known = range(things + 1, things + len(layout.stuff) + 1)
    for number in np.flatnonzero(np.bincount(classes)).tolist():
        if number != 0 and number not in known:
            text = f"the class map shows {number} outside all masks, which is no stuff"
            yield Finding("class-map", text)


def _audit_masks(
    layout: Layout, annotations: Sequence[Annotation], pixels: _Pixels
) -> Iterator[Finding]:
    """Each mask against the numbers stored beside it and against its silhouette."""
    things = {thing.id: thing for thing in layout.instances}
    borders = np.searchsorted(pixels.owner, np.arange(len(annotations) + 1)).tolist()
    columns, rows = np.divmod(pixels.place, layout.height)
    for annotation, start, stop in zip(annotations, borders, borders[1:], strict=False):
        if start == stop:
            yield _of(annotation, "empty", "the mask has no pixel")
            continue
        x, y = columns[start:stop], rows[start:stop]  # x is sorted: COCO counts down columns
        left, top = int(x[0]), int(y.min())
        box = (left, top, int(x[-1]) - left + 1, int(y.max()) - top + 1)
        if tuple(annotation.bbox) != box:
            yield _of(annotation, "bbox", f"box {annotation.bbox}, but the mask's is {box}")
        if annotation.area != stop - start:
            yield _of(annotation, "area", f"area {annotation.area}, not {stop - start}")
        thing = things.get(annotation.instance_id)
        if thing is not None:
            yield from _audit_silhouette(layout, annotation, thing.silhouette, box, x, y)


def _audit_silhouette(
    layout: Layout,
    annotation: Annotation,
    shape: Silhouette,
    box: Box,
    x: np.ndarray,
    y: np.ndarray,
) -> Iterator[Finding]:
    left, top, width, height = box
    h, w = shape.mask.shape
    held = shape.x <= left and shape.y <= top
    held = held and left + width <= shape.x + w and top + height <= shape.y + h
    if not (held and shape.mask[y - shape.y, x - shape.x].all()):
        yield _of(annotation, "silhouette", "visible pixels lie outside the silhouette")
    total = shape.area
    if total == 0:
        return
    outside = total - int(np.count_nonzero(shape.inside(layout.height, layout.width)))
    if annotation.amodal_area != total or annotation.visible_fraction != len(x) / total:
        said = f"{annotation.visible_fraction} of {annotation.amodal_area}"
        yield _of(annotation, "visible-fraction", f"{said} pixels, but {len(x)} of {total} show")
    if annotation.truncation != outside / total:
        yield _of(annotation, "truncation", f"{annotation.truncation}, not {outside}/{total}")
    if tuple(annotation.amodal_bbox) != _box_of(shape):
        yield _of(annotation, "amodal-bbox", f"{annotation.amodal_bbox}, not {_box_of(shape)}")


def _box_of(shape: Silhouette) -> Box:
    rows: np.ndarray = np.any(shape.mask, axis=1)
    columns: np.ndarray = np.any(shape.mask, axis=0)
    top, left = int(rows.argmax()), int(columns.argmax())
    width = len(columns) - int(columns[::-1].argmax()) - left
    height = len(rows) - int(rows[::-1].argmax()) - top
    return shape.x + left, shape.y + top, width, height
