"""From what GNM has made to labels, and from pictures to the objects that it finds in them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datagen.frame import Frame, Instance, Silhouette
from datagen.learning.gnm.training import tensor_of
from datagen.models.glimpses import layers
from datagen.models.gnm import Gnm, Noise, Objects
from datagen.rng import Stream, rng_for

# From which on a pixel is part of an object, unless a threshold is given; of 0..1.
_LIGHT, _OPACITY = 0.3, 0.5
_AT_ONCE = 64  # pictures

Window = tuple[float, float, float, float]  # left, top, width, height, px
_LOOKED_AT = 16  # samples that tell whether a model makes objects at all


@dataclass(frozen=True)
class Found:
    """What was found in one picture, in the order of the cells."""

    boxes: np.ndarray  # float32 [N, 4] px: left, top, right, bottom; of what is drawn
    shapes: tuple[Silhouette | None, ...]  # [N]: what is drawn; None: nothing, and so the square
    squares: np.ndarray  # as boxes: of the glimpse around it, with its margin
    scores: np.ndarray  # float32 [N]: probability of presence
    what: np.ndarray  # float32 [N, numbers]: the mean of z_what


@dataclass(frozen=True)
class _Layer:
    """One object by itself, on a window of the plane that holds it."""

    x: int
    y: int
    strength: np.ndarray  # float32 [h, w]: what it is owned by, where objects overlap
    mask: np.ndarray  # bool [h, w]


def infer(
    model: Gnm,
    pictures: np.ndarray,
    threshold: float | None = None,
    windows: Sequence[Window] | None = None,
) -> list[Found]:
    """Objects in pictures uint8 [N, H, W, 3], as the model reads them: no sampling.

    A pixel belongs to an object where its light, or its mask, is above `threshold`; None: .3 of
    light, and half of a mask. `windows`: the parts of photos that the pictures show, in whose
    pixels the objects are then drawn and told.
    """
    windows = windows or [(0, 0, *model.sizes.canvas)] * len(pictures)
    found = []
    for start in range(0, len(pictures), _AT_ONCE):
        batch = pictures[start : start + _AT_ONCE]
        with torch.inference_mode():
            cells = model.cells(model.encode(tensor_of(batch[..., : model.sizes.channels])))
            presence = torch.sigmoid(cells.presence)
            objects = cells.mode()
            boxes, shown = model.boxes(objects), model.glimpses(objects)
        for n in range(len(batch)):
            at = _through(windows[start + n], boxes[n], model.sizes.canvas)
            found.append(_found(model, objects.values[n], presence[n], at, shown[n], threshold))
    return found


def _through(window: Window, boxes: Tensor, canvas: tuple[int, int]) -> Tensor:
    """Boxes [K, 4] of the canvas in the pixels of the photo that it shows a window of."""
    left, top, width, height = window
    scale = boxes.new_tensor([width / canvas[0], height / canvas[1]] * 2)
    return boxes * scale + boxes.new_tensor([left, top, 0, 0])


def _found(
    model: Gnm,
    values: Tensor,
    presence: Tensor,
    boxes: Tensor,
    shown: Tensor,
    threshold: float | None,
) -> Found:
    there = torch.nonzero(presence > 0.5)[:, 0]
    shapes = [_tight(_layer(model, shown[k], boxes[k], threshold)) for k in there.tolist()]
    squares = [_corners(boxes[k]) for k in there.tolist()]
    boxes_drawn = [
        square if shape is None else _around(shape)
        for shape, square in zip(shapes, squares, strict=True)
    ]
    return Found(
        np.array(boxes_drawn, np.float32).reshape(-1, 4),
        tuple(shapes),
        np.array(squares, np.float32).reshape(-1, 4),
        presence[there].numpy(),
        values[there][:, model.sizes.look].numpy(),
    )


def frame_of(
    model: Gnm,
    objects: Objects,
    category: int,
    categories: tuple[str, ...],
    threshold: float | None = None,
    numbers: Mapping[int, int] | None = None,
) -> Frame:
    """A picture and its labels, of one sample [1, K, ...].

    Where objects overlap, a pixel is of the one that gives the most to it. What is drawn nowhere
    is no object. `numbers`: ids of the objects by their cells; from 1 if not given.
    """
    width, height = model.sizes.canvas
    strongest = np.zeros((height, width), np.float32)
    ids = np.zeros((height, width), np.int32)
    things = []
    for cell, (layer, shape) in _drawn(model, objects, threshold).items():
        number = len(things) + 1 if numbers is None else numbers[cell]
        row, column = divmod(cell, model.sizes.grid[1])
        things.append(Instance(number, category, f"cell.{row}.{column}", shape))
        _own(layer, number, ids, strongest)
    classes = np.where(ids > 0, category, 0).astype(np.uint8)
    image = image_of(model.render(objects))[0]
    return Frame(classes, ids, None, tuple(things), categories, image=image)


def numbered(model: Gnm, objects: Objects, threshold: float | None) -> dict[int, int]:
    """Cell -> id, as `frame_of` numbers the objects."""
    return {cell: n for n, cell in enumerate(_drawn(model, objects, threshold), 1)}


@torch.inference_mode()
def filled(model: Gnm, threshold: float | None) -> float:
    """Share of the cells that show an object, in samples that are the same for such models."""
    rngs = [rng_for(0, k, Stream.GNM) for k in range(_LOOKED_AT)]
    scenes = [model.generate(Noise.of(model.sizes, rng, 1)) for rng in rngs]
    shown = sum(len(_drawn(model, objects, threshold)) for objects in scenes)
    return shown / (model.sizes.cells * _LOOKED_AT)


def _drawn(
    model: Gnm, objects: Objects, threshold: float | None
) -> dict[int, tuple[_Layer, Silhouette]]:
    """By cell, each object that is there and shows."""
    boxes, shown = model.boxes(objects)[0], model.glimpses(objects)[0]
    drawn = {}
    for k in torch.nonzero(objects.presence[0] > 0.5)[:, 0].tolist():
        layer = _layer(model, shown[k], boxes[k], threshold)
        shape = _tight(layer)
        if shape is not None:
            drawn[k] = layer, shape
    return drawn


def read(model: Gnm, picture: np.ndarray) -> Objects:
    """The likeliest objects, and the background, of a picture uint8 [H, W, 3]; [1, K, ...]."""
    features = model.encode(tensor_of(picture[None, ..., : model.sizes.channels]))
    cells = model.cells(features)
    behind = model.behind_seen(features).mean if model.sizes.background else None
    return cells.mode(behind)


def image_of(made: Tensor) -> np.ndarray:
    """Pictures [B, C, H, W] as uint8 [B, H, W, 3]."""
    bright = (made.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    return np.ascontiguousarray(bright.expand(-1, -1, -1, 3).numpy())


def _layer(model: Gnm, shown: Tensor, box: Tensor, threshold: float | None) -> _Layer:
    """One object, also what of it lies beyond the canvas."""
    x, y, w, h = box.tolist()
    # A glimpse's outermost pixels reach half a pixel of theirs beyond the box.
    beyond = 0.5 / model.sizes.glimpse
    left, right = (math.floor(x + side * (0.5 + beyond) * w) for side in (-1, 1))
    top, bottom = (math.floor(y + side * (0.5 + beyond) * h) for side in (-1, 1))
    drawn = layers(shown[None], box[None], (top, bottom + 1), (left, right + 1))[0]
    if model.sizes.alpha:
        weight, mask = drawn[-2].numpy(), drawn[-1].numpy()
        return _Layer(left, top, weight, mask > (threshold or _OPACITY))
    light = drawn.amax(0).numpy()
    return _Layer(left, top, light, light > (threshold or _LIGHT))


def _corners(box: Tensor) -> tuple[float, float, float, float]:
    x, y, w, h = box.tolist()
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def _bounds(layer: _Layer) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the mask, px; the last two are just beyond it."""
    rows, columns = np.flatnonzero(layer.mask.any(1)), np.flatnonzero(layer.mask.any(0))
    return (
        layer.x + int(columns[0]),
        layer.y + int(rows[0]),
        layer.x + int(columns[-1]) + 1,
        layer.y + int(rows[-1]) + 1,
    )


def _around(shape: Silhouette) -> tuple[int, int, int, int]:
    """Likewise, of a mask that has been cut to its bounds."""
    height, width = shape.mask.shape
    return shape.x, shape.y, shape.x + width, shape.y + height


def _tight(layer: _Layer) -> Silhouette | None:
    if not layer.mask.any():
        return None
    left, top, right, bottom = _bounds(layer)
    inner = layer.mask[top - layer.y : bottom - layer.y, left - layer.x : right - layer.x]
    return Silhouette(left, top, inner.copy())


def _own(layer: _Layer, number: int, ids: np.ndarray, strongest: np.ndarray) -> None:
    """Gives the object the pixels of its mask where it is the strongest so far."""
    height, width = ids.shape
    inside = Silhouette(layer.x, layer.y, layer.mask).inside(height, width)
    strength = np.zeros((height, width), np.float32)
    h, w = layer.strength.shape
    top, left = max(layer.y, 0), max(layer.x, 0)
    bottom, right = min(layer.y + h, height), min(layer.x + w, width)
    if top < bottom and left < right:
        part = layer.strength[top - layer.y : bottom - layer.y, left - layer.x : right - layer.x]
        strength[top:bottom, left:right] = part
    won = inside & (strength > strongest)
    ids[won], strongest[won] = number, strength[won]
