"""Labels out of RELATE: what of the picture changes when an object is taken away, or added alone.

Poses do not change meanwhile: Gamma is asked once, with all objects.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from datagen.frame import Frame, Instance, Silhouette
from datagen.models.relate import Generator, Latents, Scene, draw_latents
from datagen.rng import Stream, rng_for

# Of an object's largest change: what changes by more belongs to it. A pixel that is half covered
# changes half as much as one that is covered, and the largest change exceeds the usual one.
CUT = 0.42
_LOOKED_AT = 64  # samples that tell how a model's objects look as a rule
_WEAK, _SMALL = 0.5, 0.5  # of what is usual: an object below is not found
_OWN = 0.8  # share of an object's change that no other object changes: one below is not found
_FAINT = 0.35  # of the largest change: objects that change a pixel by this much share it
GATE = 0.9  # of soundness: labels of a picture below it are not to be trusted
LEAST = 0.4  # share of samples that the gate lets pass: a model below it is of little use
PAINTED = 0.5  # of `painted_background`: labels of a model below it are worthless


class Toggled(NamedTuple):
    """A picture and its objects, those that are there, by toggling each."""

    image: np.ndarray  # uint8 [H, W, 3]
    empty: np.ndarray  # uint8 [H, W, 3]: the background alone
    without: np.ndarray  # uint8 [K, H, W, 3]: the picture without each
    poses: np.ndarray  # float [K, 2]: x, y; -1 and 1 are the borders
    shown: np.ndarray  # float [K, H, W]: change by taking it away; largest of a channel, 1 = all
    alone: np.ndarray  # float [K, H, W]: change of the background by adding it


class Usual(NamedTuple):
    """How an object of a model is, in the median of its samples."""

    strength: float  # largest change by toggling, 1 = from black to white
    area: float  # px of its mask


@torch.inference_mode()
def toggled(net: Generator, latents: Latents) -> list[Toggled]:
    """One picture at a time: in a larger batch, rounding would depend on its neighbours."""
    return [taken_apart(net, net.lay(latents[n : n + 1])) for n in range(len(latents.background))]


@torch.inference_mode()
def taken_apart(net: Generator, scene: Scene) -> Toggled:
    """One scene."""
    slots = torch.nonzero(scene.present[0])[:, 0]
    count = len(slots)
    one = torch.eye(count, dtype=torch.bool)
    # All, each taken away, each alone, none.
    kept = torch.cat([torch.ones(1, count, dtype=torch.bool), ~one, one, one[:1] & False])
    if count == 0:
        kept = torch.zeros(2, 0, dtype=torch.bool)
    pictures = net.picture(_with(scene, slots, kept)).clamp(-0.5, 0.5) + 0.5
    whole, empty = pictures[0], pictures[-1]
    shown = (pictures[1 : 1 + count] - whole).abs().amax(1)
    alone = (pictures[1 + count : 1 + 2 * count] - empty).abs().amax(1)
    return Toggled(
        _bytes(whole),
        _bytes(empty),
        _bytes(pictures[1 : 1 + count]),
        scene.poses[0, slots].numpy(),
        shown.numpy(),
        alone.numpy(),
    )


def _with(scene: Scene, slots: Tensor, kept: Tensor) -> Scene:
    """The one scene, once for each row of `kept` [V, K], with those objects."""
    rows = len(kept)
    objects = scene.objects[:, slots] * kept[..., None, None, None]
    background = scene.background.expand(rows, -1, -1, -1)
    return Scene(background, objects, scene.poses[:, slots].expand(rows, -1, -1), kept)


def _bytes(picture: Tensor) -> np.ndarray:
    """float [..., 3, H, W] in 0..1 -> uint8 [..., H, W, 3]."""
    return (picture * 255).round().to(torch.uint8).movedim(-3, -1).contiguous().numpy()


# ----------------------------------------------------------------------------------------- labels


def masks(changes: np.ndarray, cut: float = CUT) -> np.ndarray:
    """Changes [K, H, W] -> bool [K, H, W]: each cut at this share of its own largest."""
    peaks = changes.max((1, 2), keepdims=True, initial=0)
    return (changes >= cut * peaks) & (changes > 0)


def visible(sample: Toggled, cut: float = CUT) -> np.ndarray:
    """int32 [H, W]: 1 + number of the object that a pixel shows, 0 for none.

    Where several are cut out of one pixel, that whose change is the larger share of its own peak.
    """
    found = masks(sample.shown, cut)
    if not len(found):
        return np.zeros(sample.image.shape[:2], np.int32)
    peaks = sample.shown.max((1, 2), keepdims=True).clip(1e-6)
    shares = np.where(found, sample.shown / peaks, -1)
    return np.where(found.any(0), shares.argmax(0) + 1, 0).astype(np.int32)


def frame_of(
    sample: Toggled,
    category: int,
    categories: tuple[str, ...],
    stuff: tuple[str, ...],
    cut: float,
    numbers: Sequence[int] | None = None,
) -> Frame:
    """Each object is a thing; its silhouette is what it shows alone, and what is seen of it.

    Of each only the largest piece: a speck far away would stretch its box over the picture.
    `numbers`: ids of the things; from 1 if not given.
    """
    alone, found = masks(sample.alone, cut), visible(sample, cut)
    numbers = range(1, len(alone) + 1) if numbers is None else numbers
    ids = np.zeros(found.shape, np.int32)
    things = []
    for k, (number, mask) in enumerate(zip(numbers, alone, strict=True), 1):
        seen = _largest_piece(found == k)
        ids[seen] = number
        path = f"{categories[category - 1]}.{number}"
        things.append(Instance(number, category, path, _silhouette(_largest_piece(mask) | seen)))
    return Frame(
        class_map=np.where(ids > 0, category, 0).astype(np.uint8),
        instance_map=ids,
        depth=None,
        instances=tuple(things),
        categories=categories,
        stuff=stuff,
        image=sample.image,
    )


def _largest_piece(mask: np.ndarray) -> np.ndarray:
    count, pieces, table, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    return mask if count <= 2 else pieces == 1 + table[1:, cv2.CC_STAT_AREA].argmax()


def _silhouette(mask: np.ndarray) -> Silhouette:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return Silhouette(x, y, mask[y : y + height, x : x + width])


# --------------------------------------------------------------------------------- what to believe


def looked_at(net: Generator, objects: tuple[int, int]) -> list[Toggled]:
    """Samples that tell of a model; the same for every model of these sizes."""
    least = (max(1, objects[0]), objects[1])
    return toggled(net, draw_latents(net.sizes, rng_for(0, 0, Stream.RELATE), _LOOKED_AT, least))


def usual_of(samples: Sequence[Toggled]) -> Usual:
    """The medians of samples."""
    peaks = [float(one.max()) for sample in samples for one in sample.shown]
    areas = [int(mask.sum()) for sample in samples for mask in masks(sample.shown)]
    # A model that shows no object at all has nothing usual; whatever it makes is refused.
    return Usual(max(float(np.median(peaks)), 1e-3), max(float(np.median(areas)), 1.0))


def soundness(sample: Toggled, usual: Usual, cut: float = CUT) -> float:
    """How well all objects were found, 0 to 1: the worst one's.

    An object is found as far as what is seen of it is one piece, of at least half the usual size,
    its toggling changes at least half as much as usual, and what it changes no other object
    changes: of objects that share one thing none is it. 1 for a picture without objects.
    """
    ids, changed = visible(sample, cut), masks(sample.shown, _FAINT)
    # Sizes at any other cut could not be held against the usual one.
    areas = np.bincount(visible(sample).ravel(), minlength=len(changed) + 1)[1:]
    shared = changed.sum(0) > 1
    scores = (
        _piece(ids == k + 1)
        * min(1.0, area / (_SMALL * usual.area))
        * min(1.0, change.max() / (_WEAK * usual.strength))
        * min(1.0, _own(mask, shared) / _OWN)
        for k, (change, mask, area) in enumerate(zip(sample.shown, changed, areas, strict=True))
    )
    return float(min(scores, default=1.0))


def _own(mask: np.ndarray, shared: np.ndarray) -> float:
    """Share of a mask that is not shared."""
    return 1 - float(np.count_nonzero(mask & shared)) / max(1, np.count_nonzero(mask))


def _piece(mask: np.ndarray) -> float:
    """Share of a mask that its largest piece is; 0 of nothing."""
    table = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)[2]
    return float(table[1:, cv2.CC_STAT_AREA].max(initial=0)) / max(1, np.count_nonzero(mask))


# ------------------------------------------------------------------------------------- the failure


def painted_background(samples: Sequence[Toggled]) -> float:
    """How much objects change a picture where they are, as a share of how much pictures differ.

    The median over toggles of the mean change within an object's mask, over the mean difference of
    two pictures. Below `PAINTED` the background paints everything, objects included: pictures may
    be the best of all then, and labels are worthless. It takes small objects as it takes large
    ones, which the difference of whole pictures does not.
    """
    whole = np.stack([one.image for one in samples]).astype(np.float32) / 255
    differ = np.abs(whole - np.roll(whole, 1, 0)).max(-1).mean()
    parts = [
        (change, mask)
        for sample in samples
        for change, mask in zip(sample.shown, masks(sample.shown), strict=True)
    ]
    inside = [change[mask].mean() if mask.any() else 0.0 for change, mask in parts]
    return float(np.median(inside) / max(differ, 1 / 255))


def sound_share(
    samples: Sequence[Toggled], usual: Usual, cut: float = CUT, gate: float = GATE
) -> float:
    """Share of samples whose labels are as sound as the gate asks for."""
    return float(np.mean([soundness(one, usual, cut) >= gate for one in samples]))
