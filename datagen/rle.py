"""COCO run-length masks: from an id map to strings, and guards for strings of strangers.

COCO counts pixels down the columns (Fortran order): background, thing, background, ...
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from pycocotools import mask as coco_mask

from datagen.errors import InputError

_AT_ONCE = 255  # masks that pycocotools 2.0.11 counts the pixels of; more overflow its 8 bits

RLE = dict[str, Any]  # {"size": [height, width], "counts": str}


def compressed(counts: Sequence[np.ndarray], height: int, width: int) -> list[RLE]:
    """COCO strings of run lengths that alternate between background and thing."""
    if not counts:
        return []
    plain = [{"size": [height, width], "counts": c} for c in counts]
    return [
        as_text(one)
        for one in cast(list[RLE], coco_mask.frPyObjects(cast(Any, plain), height, width))
    ]


def encode(mask: np.ndarray) -> RLE:
    """The string of one bool [H, W] mask."""
    return as_text(cast(RLE, coco_mask.encode(np.asfortranarray(mask, np.uint8))))


def boxes(masks: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """float64 [N, 4]: x, y, width, height of what each mask covers, px."""
    if not masks:
        return np.zeros((0, 4))
    return np.asarray(coco_mask.toBbox(cast(Any, list(masks))))


def area(mask: Mapping[str, Any]) -> int:
    """Pixels that a mask covers."""
    return int(coco_mask.area(cast(Any, mask)))


def as_text(rle: Mapping[str, Any]) -> RLE:
    """The same mask with `counts` as text, as JSON wants it."""
    counts = rle["counts"]
    text = counts.decode("ascii") if isinstance(counts, bytes) else counts
    return {"size": [int(n) for n in rle["size"]], "counts": text}


def lengths(counts: Sequence[str]) -> np.ndarray:
    """Pixels that each string covers, background included; -1 where the string is broken.

    pycocotools trusts its input: a string that ends early decodes to uninitialised memory.
    All strings are read in one pass, because a call per string would cost more than decoding.
    """
    # A blank lies outside COCO's alphabet and so marks the string as broken.
    raw = [text.encode() if text.isascii() else b" " for text in counts]
    total = np.full(len(raw), -1, np.int64)
    filled = np.array([k for k, text in enumerate(raw) if text and len(text) < 1 << 26], np.intp)
    if len(filled):
        total[filled] = _lengths([raw[k] for k in filled])
    return total


def _lengths(raw: Sequence[bytes]) -> np.ndarray:
    """`lengths` of strings that are not empty."""
    sizes = np.array([len(text) for text in raw])
    code = np.frombuffer(b"".join(raw), np.uint8).astype(np.int64) - 48
    owner = np.repeat(np.arange(len(raw)), sizes)
    ends = np.cumsum(sizes) - 1
    final = (code & 0x20) == 0  # the last character of a number
    bad = np.bincount(owner, (code < 0) | (code > 63), len(raw)) > 0
    bad |= ~final[ends]
    final[ends] = True  # a broken string must not run into its neighbour
    first = np.flatnonzero(np.concatenate(([True], final[:-1])))
    digits = np.diff(np.append(first, len(code)))
    value_owner = owner[first]
    bad |= np.bincount(value_owner, digits > 7, len(raw)) > 0  # beyond 35 bits: not a count
    shift = 5 * np.minimum(np.arange(len(code)) - np.repeat(first, digits), 7)
    value = np.add.reduceat((code & 0x1F) << shift, first)
    negative = (code[first + digits - 1] & 0x10) != 0
    value -= np.where(negative, np.int64(1) << (5 * np.minimum(digits, 8)), 0)
    return _undo_differences(value, value_owner, bad)


def _undo_differences(value: np.ndarray, owner: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Sums of counts per string; from the fourth on, a number is stored less the last but one."""
    start = np.searchsorted(owner, np.arange(len(bad)))
    place = np.arange(len(value)) - start[owner]
    lane = np.where(place == 0, 0, 2 - place % 2)  # the first count is not a base for others
    order = np.argsort(owner * 3 + lane, kind="stable")
    sums = np.cumsum(value[order])
    new_lane = np.diff(owner[order] * 3 + lane[order], prepend=-1) != 0
    before = np.concatenate(([0], sums[:-1]))[new_lane]
    count = sums - before[np.cumsum(new_lane) - 1]
    bad = bad | (np.bincount(owner[order], count < 0, len(bad)) > 0)
    totals = np.add.reduceat(count, start)  # `order` keeps each string's numbers together
    return np.where(bad, -1, totals)


def decode(rles: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """uint8 [n, W, H] (mind the order: COCO's own) of n masks of one size, checked before."""
    return cast(np.ndarray, coco_mask.decode(cast(Any, list(rles)))).T


def areas(rles: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """int64 [n]: pixels of each mask, checked before."""
    parts = [rles[k : k + _AT_ONCE] for k in range(0, len(rles), _AT_ONCE)]
    found = [cast(np.ndarray, coco_mask.area(cast(Any, part))) for part in parts]
    return np.concatenate(found).astype(np.int64) if found else np.zeros(0, np.int64)


def of_segmentations(
    segmentations: Sequence[object], height: int, width: int
) -> list[RLE | InputError]:
    """Any COCO segmentations (compressed, plain counts, polygons) as compressed masks.

    What cannot be trusted comes back as the error that says why.
    """
    totals = lengths([_counts_text(one) for one in segmentations]).tolist()
    return [
        _of_segmentation(one, height, width, total)
        for one, total in zip(segmentations, totals, strict=True)
    ]


def _counts_text(segmentation: object) -> str:
    counts = segmentation.get("counts") if isinstance(segmentation, Mapping) else None
    return counts if isinstance(counts, str) else ""


def _of_segmentation(segmentation: object, height: int, width: int, total: int) -> RLE | InputError:
    if isinstance(segmentation, Mapping):
        size, counts = segmentation.get("size"), segmentation.get("counts")
        if size != [height, width]:
            return InputError(f"mask size {size!r} is not the image's [{height}, {width}]")
        if isinstance(counts, list) and _covers(counts, height * width):
            return compressed([np.array(counts, np.uint32)], height, width)[0]
        if isinstance(counts, str) and total == height * width:
            return {"size": [height, width], "counts": counts}
        return InputError("run lengths are broken: they do not cover exactly the image's pixels")
    if not isinstance(segmentation, list) or not segmentation:
        return InputError("segmentation is empty or neither polygons nor run lengths")
    if not all(_is_ring(ring) for ring in segmentation):
        return InputError("a polygon is not a list of at least three points, as x, y, x, y, ...")
    rings = cast(Any, coco_mask.frPyObjects(segmentation, height, width))
    return as_text(cast(RLE, coco_mask.merge(rings)))


def _covers(counts: list[Any], pixels: int) -> bool:
    return all(isinstance(c, int) and 0 <= c <= pixels for c in counts) and sum(counts) == pixels


def _is_ring(ring: object) -> bool:
    """Whether pycocotools can be trusted with it (it takes four numbers for a box)."""
    if not isinstance(ring, list) or len(ring) < 6 or len(ring) % 2:
        return False
    # Far beyond any image, coordinates times the number of columns overflow its integers.
    return all(isinstance(v, int | float) and abs(v) < 1e5 for v in ring)
