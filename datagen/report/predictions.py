"""A sheet of pictures with what is in them and, beside it, what a detector finds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from datagen import rle
from datagen.labelled import Box, Detections, Thing
from datagen.report import colour_of, ink_on
from datagen.report.sheet import contact_sheet

LEAST = 0.3  # score of what is shown
_SIDE = 360  # px of a picture's longer side, about
_FILL = 0.35  # opacity of a mask
_GREY = (150, 150, 150)  # of what is neither right nor wrong to find
_TAG = 12  # px, height of a score


@dataclass(frozen=True)
class _Drawn:
    """A box in a picture, as the sheet draws it and counts it."""

    bbox: Box
    colour: tuple[int, int, int]
    mask: Mapping[str, Any] | None
    tag: str = ""
    category: str = ""
    category_id: int = 0

    @property
    def segmentation(self) -> Mapping[str, Any]:
        return self.mask or {}


def predictions_sheet(
    images: Sequence[np.ndarray],
    truths: Sequence[Sequence[Thing]],
    found: Sequence[Detections],
    categories: Sequence[str],
    names: Sequence[str],
) -> np.ndarray:
    """uint8 [H, W, 3] RGB: two cells a picture, the labels and the detections with their scores.

    Categories of both are numbers of `categories`; the legend counts what the labels have. Grey
    boxes are neither right nor wrong to find.
    """
    cells: list[np.ndarray] = []
    counted: list[list[_Drawn]] = []
    captions: list[str] = []
    for image, things, one, name in zip(images, truths, found, names, strict=True):
        labels = [_of_thing(thing, categories) for thing in things]
        sure = [_of_found(one, k, categories) for k in np.flatnonzero(one.scores >= LEAST).tolist()]
        cells += [_cell(image, labels), _cell(image, sure)]
        counts = [label for label in labels if label.category_id]
        counted += [counts, []]
        captions += [f"{name}: {len(counts)} labelled", f"{len(sure)} found, score {LEAST} or more"]
    columns = 4 if len(images) > 1 else 2
    return contact_sheet(
        cells, counted, columns=columns, scale=1.0, boxes=False, masks=False, captions=captions
    )


def _of_thing(thing: Thing, categories: Sequence[str]) -> _Drawn:
    if not thing.counts:
        return _Drawn(thing.box, _GREY, None)
    number = thing.category + 1
    name = categories[thing.category]
    return _Drawn(thing.box, colour_of(number), thing.mask, "", name, number)


def _of_found(found: Detections, k: int, categories: Sequence[str]) -> _Drawn:
    number = int(found.categories[k]) + 1
    left, top, width, height = found.boxes[k].tolist()
    mask = None if found.masks is None else found.masks[k]
    tag = f"{math.floor(100 * float(found.scores[k]))}"  # 100 must mean certain
    name = categories[number - 1]
    return _Drawn((left, top, width, height), colour_of(number), mask, tag, name, number)


def _cell(image: np.ndarray, drawn: Sequence[_Drawn]) -> np.ndarray:
    longer = max(image.shape[:2])
    scale = round(_SIDE / longer) if longer <= _SIDE / 1.5 else min(1.0, _SIDE * 1.3 / longer)
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    method = cv2.INTER_NEAREST if scale >= 1 else cv2.INTER_AREA
    cell = np.array(cv2.resize(image, size, interpolation=method))
    order = sorted(drawn, key=lambda one: -one.bbox[2] * one.bbox[3])  # large ones first
    for one in order:
        if one.mask is not None:
            _draw_mask(cell, one.mask, one.colour)
    for one in order:
        left, top, right, bottom = _corners(one.bbox, scale)
        cv2.rectangle(cell, (left, top), (right, bottom), one.colour, 1)
    return _tagged(cell, order, scale)


def _draw_mask(cell: np.ndarray, mask: Mapping[str, Any], colour: tuple[int, int, int]) -> None:
    shown = cv2.resize(
        np.ascontiguousarray(rle.decode([mask])[0].T),
        cell.shape[1::-1],
        interpolation=cv2.INTER_NEAREST,
    )
    inside = shown.astype(bool)
    cell[inside] = (cell[inside] * (1 - _FILL) + np.array(colour) * _FILL).astype(np.uint8)


def _corners(box: Box, scale: float) -> tuple[int, int, int, int]:
    x, y, w, h = box
    right, bottom = round((x + w) * scale) - 1, round((y + h) * scale) - 1
    return round(x * scale), round(y * scale), right, bottom


def _tagged(cell: np.ndarray, drawn: Sequence[_Drawn], scale: float) -> np.ndarray:
    """Scores, in percent, on the boxes' upper edges; one that would cover another is left out."""
    picture = Image.fromarray(cell)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(10)
    taken: list[tuple[int, int, int]] = []
    for one in drawn:
        if not one.tag:
            continue
        left, top, _, _ = _corners(one.bbox, scale)
        width = math.ceil(font.getlength(one.tag)) + 4
        x = max(0, min(left, cell.shape[1] - width))
        y = top - _TAG if top >= _TAG else top
        if any(abs(y - b) < _TAG and x < a + w and a < x + width for a, b, w in taken):
            continue
        taken.append((x, y, width))
        draw.rectangle((x, y, x + width - 1, y + _TAG - 1), fill=one.colour)
        place = (x + 2, y + _TAG // 2)
        draw.text(place, one.tag, fill=ink_on(one.colour), font=font, anchor="lm")
    return np.array(picture)
