"""How good maps of Coloured Shapes are: whole shapes, stray pixels, colours that are none."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from datagen import recipe
from datagen.files import write_atomic
from datagen.frames import opened
from datagen.metrics.swd import swd
from datagen.rng import Stream, rng_for

ROOT = Path(__file__).parents[2]
NAMES = ("background", "circle", "rectangle", "square")  # class ids from 0, back to front
PALETTE = np.array([(0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0)], np.uint8)
STRAY = 8  # px: a piece of a class that is no larger belongs to no shape
NEAR = 16  # grey levels of a channel: what is further from every colour of the palette is of none
ABSENT = 20  # px of a shape of 100: fewer are none


@dataclass(frozen=True)
class Shapes:
    """Class maps uint8 [N, H, W], as layout learning reads them."""

    maps: np.ndarray
    classes: int = len(NAMES)
    size: tuple[int, int] = (64, 64)

    def __len__(self) -> int:
        return len(self.maps)

    def class_map(self, k: int) -> np.ndarray:
        return self.maps[k]


def shapes(out: Path, seed: int, count: int) -> np.ndarray:
    """Class maps uint8 [N, 64, 64] of our own renderer.

    Shapes lie at whole pixels, as in the paper: all circles are then the same 316 pixels.
    """
    text = (ROOT / "grammars" / "colored_shapes.scene").read_text()
    scene = out / "whole_pixels.scene"
    # By one rename: several runs write it at the same time.
    write_atomic(scene, text.replace("uniform(", "uniform_int("))
    described = recipe.load("colored_shapes", [f"grammar={scene}", f"seed={seed}"])
    with opened(described) as make:
        return np.stack([make(k)[1].class_map for k in range(count)])


def coloured(maps: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W, 3]."""
    return PALETTE[maps]


def snapped(images: np.ndarray) -> np.ndarray:
    """Class maps by the nearest colour."""
    return np.stack([_apart(image, np.square).argmin(2) for image in images]).astype(np.uint8)


def off_palette(images: np.ndarray) -> float:
    """Share of pixels that are no colour of the palette."""
    return float(np.mean([_apart(image, None).min(2) > NEAR for image in images]))


def _apart(image: np.ndarray, square: np.ufunc | None) -> np.ndarray:
    """int32 [H, W, K]: squared distance to each colour, or the largest of a channel."""
    gaps = np.abs(image[:, :, None].astype(np.int32) - PALETTE)
    return gaps.max(3) if square is None else square(gaps).sum(3)


def distances(images: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """SWD x 1000 at 64, 32 and 16 px, both normalisations."""
    found = swd(images, real, rng_for(0, 0, Stream.EVALUATE))
    named = {f"whole {level.side}": level.whole_set for level in found}
    return named | {f"patch {level.side}": level.per_patch for level in found}


def scores(maps: np.ndarray) -> dict[str, float]:
    """What maps look like, without looking at others."""
    named = {f"share {name}": float((maps == k).mean()) for k, name in enumerate(NAMES)}
    return named | {"stray": stray(maps)} | validity(maps)


def stray(maps: np.ndarray) -> float:
    """Share of pixels in 4-connected pieces of one class of at most `STRAY` px."""
    return float(np.mean([_pieces(m)[_pieces(m) <= STRAY].sum() for m in maps]) / maps[0].size)


def _pieces(class_map: np.ndarray) -> np.ndarray:
    """Areas of all pieces."""
    areas = []
    for number in np.unique(class_map):
        mask = (class_map == number).astype(np.uint8)
        areas.append(cv2.connectedComponentsWithStats(mask, connectivity=4)[2][1:, -1])
    return np.concatenate(areas)


def validity(maps: np.ndarray) -> dict[str, float]:
    """Maps against the nearest scene of one circle, one rectangle and one square.

    Fitted from front to back, each to what of its class is seen beside those before it.
    """
    drawn = torch.zeros(maps.shape, dtype=torch.bool)  # what those in front cover
    fitted = torch.zeros(maps.shape, dtype=torch.int64)
    values: dict[str, float] = {}
    for number in (3, 2, 1):
        seen = torch.from_numpy(maps == number)
        place, iou = _best(seen, ~drawn, _template(number))
        fitted[place & ~drawn] = number
        values[f"iou {NAMES[number]}"] = float(iou.median())
        if number == 1:
            share = seen.sum((1, 2)) / (place & ~drawn).sum((1, 2)).clamp(min=1)
            values["circle area within 10 %"] = float(((share - 1).abs() <= 0.1).float().mean())
        drawn |= place
    wrong = (fitted != torch.from_numpy(maps.astype(np.int64))).float().mean((1, 2))
    values["mismatch"] = float(wrong.mean())
    values["whole scenes (mismatch <= 2 %)"] = float((wrong <= 0.02).float().mean())
    return values | _squares(maps == 3)


def _template(number: int) -> torch.Tensor:
    """bool [h, w]."""
    if number > 1:
        return torch.ones((20, 12) if number == 2 else (10, 10), dtype=torch.bool)
    axis = (torch.arange(20) - 9.5) ** 2
    return axis[:, None] + axis <= 101  # the renderer's circle of radius 10, 316 px


def _best(
    seen: torch.Tensor, free: torch.Tensor, template: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where a shape fits best, bool [N, H, W], and its IoU with what is seen, [N]."""
    window = template.float()[None, None]
    shared, visible = (F.conv2d(x[:, None].float(), window)[:, 0] for x in (seen & free, free))
    union = visible + (seen & free).sum((1, 2))[:, None, None] - shared
    iou = shared / union.clamp(min=1)
    best = iou.flatten(1).argmax(1)
    spots = F.one_hot(best, iou[0].numel()).view_as(iou).float()[:, None]
    place = F.conv_transpose2d(spots, window)[:, 0] > 0.5
    return place, iou.flatten(1).amax(1)


def _squares(masks: np.ndarray) -> dict[str, float]:
    """How many maps have exactly one square, of about 10 x 10 px, and how many have none."""
    right = []
    for mask in masks.astype(np.uint8):
        found = cv2.connectedComponentsWithStats(mask, connectivity=4)[2][1:]
        large = found[found[:, -1] > STRAY]
        sides = large[:, 2:4]
        full = large[:, -1] >= 90
        right.append(len(large) == 1 and full.all() and ((sides >= 9) & (sides <= 11)).all())
    areas = masks.sum((1, 2))
    return {
        "one square of 10 x 10": float(np.mean(right)),
        "square absent": float((areas < ABSENT).mean()),
        "square px": float(np.median(areas)),
    }


def of_maps(maps: np.ndarray, real: np.ndarray) -> Mapping[str, float]:
    """All readings of class maps."""
    return scores(maps) | distances(coloured(maps), coloured(real))
