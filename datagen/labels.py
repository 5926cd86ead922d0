"""The only labeller: what is visible, how much of it, and what hides the rest, as exact counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from datagen import rle
from datagen.errors import AuditError
from datagen.frame import Box3D, Instance, Layout

Box = tuple[int, int, int, int]  # x, y, width, height in pixels


@dataclass(frozen=True)
class Annotation:
    """One thing with at least one visible pixel.

    `visible_fraction` = area / amodal_area; `truncation` = share of the silhouette that lies
    outside the image; `occluder` = id of the instance that covers most of the silhouette, or None.
    """

    instance_id: int
    category_id: int
    category: str
    path: str  # of the scene node
    bbox: Box  # tight around the visible pixels
    area: int  # visible pixels
    segmentation: Mapping[str, Any]  # compressed COCO run lengths of the visible pixels
    visible_fraction: float
    truncation: float
    occluder: int | None
    amodal_bbox: Box  # tight around the silhouette; may leave the image
    amodal_area: int
    box3d: Box3D | None = None  # in camera coordinates, where the renderer knows it

    def to_json(self) -> dict[str, Any]:
        """Plain data, boxes as lists; `box3d` only where there is one."""
        plain = vars(self) | {"bbox": list(self.bbox), "amodal_bbox": list(self.amodal_bbox)}
        del plain["box3d"]
        return plain if self.box3d is None else plain | {"box3d": self.box3d.to_json()}


@dataclass(frozen=True)
class _Visible:
    """What the instance map shows of one thing."""

    bbox: Box
    area: int
    segmentation: rle.RLE


def annotate(layout: Layout) -> list[Annotation]:
    """Labels in the order of instance ids; things without a visible pixel have none."""
    visible = _visible(layout.instance_map)
    seen = [thing for thing in layout.instances if thing.id in visible]
    return [_annotation(layout, thing, visible[thing.id]) for thing in sorted(seen, key=_id)]


def amodal_rle(instance: Instance, height: int, width: int) -> rle.RLE:
    """The part of the silhouette inside the image, hidden pixels included, as COCO run lengths."""
    return rle.encode(instance.silhouette.inside(height, width))


def _id(instance: Instance) -> int:
    return instance.id


def _visible(instance_map: np.ndarray) -> dict[int, _Visible]:
    """Mask, box and area of every id above 0, from one pass over the runs of the map."""
    height, width = instance_map.shape
    flat = instance_map.ravel(order="F")
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    ends = np.append(starts[1:], flat.size)
    ids = flat[starts]
    keep = np.flatnonzero(ids > 0)
    if not len(keep):
        return {}
    keep = keep[np.argsort(ids[keep], kind="stable")]
    ids, starts, ends = ids[keep], starts[keep], ends[keep]
    first = np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1))
    areas = np.add.reduceat(ends - starts, first).tolist()
    boxes = _boxes(starts, ends, first, height)
    masks = rle.compressed(_counts(starts, ends, first, flat.size), height, width)
    return {
        key: _Visible((x, y, w, h), area, mask)
        for key, (x, y, w, h), area, mask in zip(
            ids[first].tolist(), boxes, areas, masks, strict=True
        )
    }


def _boxes(starts: np.ndarray, ends: np.ndarray, first: np.ndarray, height: int) -> list[list[int]]:
    """x, y, w, h of each group of runs; a run that crosses a column border spans all rows."""
    left, top = np.divmod(starts, height)
    right, bottom = np.divmod(ends - 1, height)
    crosses = left != right
    x = np.minimum.reduceat(left, first)
    y = np.minimum.reduceat(np.where(crosses, 0, top), first)
    w = np.maximum.reduceat(right, first) - x + 1
    h = np.maximum.reduceat(np.where(crosses, height - 1, bottom), first) - y + 1
    return np.stack((x, y, w, h), axis=1).tolist()


def _counts(starts: np.ndarray, ends: np.ndarray, first: np.ndarray, size: int) -> list[np.ndarray]:
    """Each group's alternating lengths, as views of one array: gap, run, ..., gap to the end."""
    groups, runs = len(first), len(starts)
    gaps = starts - np.concatenate(([0], ends[:-1]))
    gaps[first] = starts[first]
    last = np.append(first[1:], runs)  # exclusive
    # Group g has one number more than two a run: its last gap.
    slot = 2 * np.arange(runs) + np.repeat(np.arange(groups), last - first)
    numbers = np.zeros(2 * runs + groups, np.uint32)
    numbers[slot], numbers[slot + 1] = gaps, ends - starts
    rest = size - ends[last - 1]
    stop = 2 * last + np.arange(groups)
    numbers[stop] = rest
    begin = (2 * first + np.arange(groups)).tolist()
    # A last gap of 0 is left out, as pycocotools does, so that equal masks have equal strings.
    return [numbers[a:b] for a, b in zip(begin, (stop + (rest > 0)).tolist(), strict=True)]


def _annotation(layout: Layout, thing: Instance, visible: _Visible) -> Annotation:
    where = f"instance {thing.id} ({thing.path or 'root'})"
    if not 1 <= thing.category <= len(layout.categories):
        raise AuditError(f"{where}: category {thing.category} is not in the world's list")
    amodal_area = thing.silhouette.area
    if amodal_area == 0:
        raise AuditError(f"{where}: {visible.area} visible pixels, but its silhouette is empty")
    inside = _ids_inside(layout.instance_map, thing)
    return Annotation(
        instance_id=thing.id,
        category_id=thing.category,
        category=layout.categories[thing.category - 1],
        path=thing.path,
        bbox=visible.bbox,
        area=visible.area,
        segmentation=visible.segmentation,
        visible_fraction=visible.area / amodal_area,
        truncation=(amodal_area - len(inside)) / amodal_area,
        occluder=None if visible.area == amodal_area else _occluder(inside, thing.id),
        amodal_bbox=_amodal_box(thing),
        amodal_area=amodal_area,
        box3d=thing.box3d,
    )


def _ids_inside(instance_map: np.ndarray, thing: Instance) -> np.ndarray:
    """Values of the instance map under the part of the silhouette that lies inside the image."""
    height, width = instance_map.shape
    shape = thing.silhouette
    h, w = shape.mask.shape
    top, left = max(shape.y, 0), max(shape.x, 0)
    bottom, right = max(min(shape.y + h, height), top), max(min(shape.x + w, width), left)
    mask = shape.mask[top - shape.y : bottom - shape.y, left - shape.x : right - shape.x]
    return instance_map[top:bottom, left:right][mask]


def _occluder(inside: np.ndarray, own: int) -> int | None:
    """The other id seen most often; the lowest of several; None when no labelled thing hides it."""
    others = np.bincount(inside)
    others[0:1] = 0
    others[own : own + 1] = 0
    return int(others.argmax()) if others.any() else None


def _amodal_box(thing: Instance) -> Box:
    rows = np.flatnonzero(thing.silhouette.mask.any(axis=1))
    columns = np.flatnonzero(thing.silhouette.mask.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    width, height = int(columns[-1]) - x + 1, int(rows[-1]) - y + 1
    return thing.silhouette.x + x, thing.silhouette.y + y, width, height
