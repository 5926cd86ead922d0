"""What is measured of a trained generator of bowls, and of real pictures as the floor."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from relate_bowls_world import Balls, Pictures, World, pictures, seen
from torch import Tensor, nn

from datagen.files import atomic_file
from datagen.learning.gap.distances import frechet_distance
from datagen.learning.relate.toggling import (
    GATE,
    Toggled,
    Usual,
    looked_at,
    masks,
    painted_background,
    sound_share,
    soundness,
    toggled,
    usual_of,
    visible,
)
from datagen.models.relate import Generator, draw_latents
from datagen.rng import Stream, rng_for

SAMPLES, TOGGLED, MORE = 2000, 500, 250
_SELDOM = 0.05  # of real pictures: a feature that fewer have is left out
_HELD_OUT, _OTHER, _LEARNED = 6000, 7000, 8000  # seeds of real pictures
_FEATURES, _STEPS, _BATCH = 64, 1200, 64


# ------------------------------------------------------------------------------- Frechet distance


class Features(nn.Module):
    """Pictures -> where everything is, by 64 numbers."""

    def __init__(self, side: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before, size = 3, side
        for after in (16, 32, 64, 64)[: 3 if side == 32 else 4]:
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
            before, size = after, size // 2
        self.body = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(before * size**2, _FEATURES), nn.ReLU()
        )
        self.head = nn.Linear(_FEATURES, 7)

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images.permute(0, 3, 1, 2).float() / 255 - 0.5)


def features(world: World, out: Path) -> tuple[Features, float]:
    """Trained once on real pictures, and the R2 of what it says of others."""
    net, path = Features(world.side), out / f"features-{world.name}.pt"
    if path.is_file():
        held = torch.load(path, weights_only=True)
        net.load_state_dict(held["net"])
        return net.eval(), held["r2"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Features(world.side)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    known, other = pictures(world, out, _LEARNED, 8000), pictures(world, out, _OTHER, SAMPLES)
    mean, spread = known.geometry.mean(0), known.geometry.std(0)
    _teach(net, known, torch.from_numpy((known.geometry - mean) / spread))
    net.eval()
    with torch.inference_mode():
        said = net.head(net(torch.from_numpy(other.images))).numpy() * spread + mean
    left = np.square(said - other.geometry).mean(0) / other.geometry.var(0)
    r2 = float(1 - left.max())
    with atomic_file(path) as file:
        torch.save({"net": net.state_dict(), "r2": r2}, file)
    return net, r2


def _teach(net: Features, known: Pictures, wanted: Tensor) -> None:
    images = torch.from_numpy(known.images)
    builder = torch.optim.Adam(net.parameters(), 2e-3)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(builder, _STEPS)
    for k in range(_STEPS):
        rng = rng_for(0, k, Stream.FEATURES)
        chosen = torch.from_numpy(rng.integers(len(images), size=_BATCH))
        loss = (net.head(net(images[chosen])) - wanted[chosen]).square().mean()
        builder.zero_grad()
        loss.backward()
        builder.step()
        falling.step()


def frechet(images: np.ndarray, world: World, out: Path) -> float:
    """From real pictures that nothing was learned from; columns in units of the real spread.

    Without those that are 0 for nearly all real pictures: two sets of real ones differ in the few
    others by chance, and by more than in all else.
    """
    net, _ = features(world, out)
    real = pictures(world, out, _HELD_OUT, SAMPLES).images
    with torch.inference_mode():
        ours, theirs = (net(torch.from_numpy(part)).numpy() for part in (images, real))
    spread = theirs.std(0)
    used = (theirs > 0).mean(0) > _SELDOM
    return frechet_distance(ours[:, used] / spread[used], theirs[:, used] / spread[used])


def floor(world: World, out: Path) -> dict[str, float]:
    """The same readings of real pictures."""
    other = pictures(world, out, _OTHER, SAMPLES)
    found = _validity([seen(image, world) for image in other.images], world, 0)
    return {
        **found,
        "frechet": frechet(other.images, world, out),
        "R2 of the features": features(world, out)[1],
        "pixel std": _spread(other.images),
    }


# ------------------------------------------------------------------------------------------ samples


def measured(net: Generator, objects: tuple[int, int], world: World, out: Path) -> dict[str, Any]:
    """All readings of one generator."""
    images = drawn(net, SAMPLES, objects)
    found: dict[str, Any] = _validity([seen(image, world) for image in images], world, 0)
    real = pictures(world, out, _OTHER, SAMPLES).images
    found["frechet"] = frechet(images, world, out)
    found["pixel std / real"] = _spread(images) / _spread(real)
    few = looked_at(net, objects)
    usual = usual_of(few)
    found["painted"], found["sound"] = painted_background(few), sound_share(few, usual)
    samples, seconds = _toggled(net, TOGGLED, objects, 1)
    found["samples/s"] = TOGGLED / seconds
    found |= _toggles(samples, world) | _labels(samples, usual, world)
    found |= {f"{k} balls": _counted(net, k, world, usual) for k in (1, 3, 4)}
    return found


def drawn(net: Generator, count: int, objects: tuple[int, int]) -> np.ndarray:
    """uint8 [N, S, S, 3]"""
    parts = []
    for k in range(0, count, 50):
        latents = draw_latents(net.sizes, rng_for(1, k, Stream.EVALUATE), 50, objects)
        with torch.inference_mode():
            made = (net(latents).clamp(-0.5, 0.5) + 0.5) * 255
        parts.append(made.round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return np.concatenate(parts)[:count]


def _toggled(
    net: Generator, count: int, objects: tuple[int, int], index: int
) -> tuple[list[Toggled], float]:
    began = time.process_time()
    found = []
    for k in range(count):
        latents = draw_latents(net.sizes, rng_for(2 + index, k, Stream.EVALUATE), 1, objects)
        found += toggled(net, latents)
    return found, time.process_time() - began


def _spread(images: np.ndarray) -> float:
    """Mean over pixels of their standard deviation over pictures, 1 = from black to white."""
    return float(images.std(0).mean() / 255)


def _validity(shown: list[Balls], world: World, index: int) -> dict[str, float]:
    """What pictures show by their colours."""
    both = [one for one in shown if one.both]
    found = {
        "both": len(both) / len(shown),
        "valid": float(np.mean([one.ok for one in shown])),
        "inside": float(np.mean([one.inside for one in shown])),
    }
    if len(both) < 2:
        return found | {"overlap": 0.0, "overlap shuffled": 0.0}
    centres = np.stack([one.centres for one in both])
    order = rng_for(9, index, Stream.EVALUATE).permutation(len(both))
    near = 1.8 * world.radius * world.side
    for name, other in (("overlap", centres[:, 1]), ("overlap shuffled", centres[order, 1])):
        far = np.linalg.norm(centres[:, 0] - other, axis=1)
        found[name] = float((far < near).mean())
    return found


# ------------------------------------------------------------------------------------------ toggles


def _toggles(samples: list[Toggled], world: World) -> dict[str, float]:
    """Where objects are and whether taking one away takes one ball away."""
    side = world.side
    offsets = np.stack([[_offset(s, k, side) for k in range(2)] for s in samples])  # N, 2, 2
    left = np.linalg.norm(offsets - np.median(offsets, 0), axis=2)
    return {
        "distance": float(np.median(np.linalg.norm(offsets, axis=2))),
        "distance after offset": float(np.median(left)),
        "worst object's after offset": float(np.median(left, 0).max()),
    }


def _offset(sample: Toggled, k: int, side: int) -> np.ndarray:
    """From an object's pose to the pixel that its toggling changes most, x, y in widths."""
    y, x = np.unravel_index(sample.shown[k].argmax(), sample.shown[k].shape)
    return (np.array([x, y]) + 0.5) / side - (sample.poses[k] + 1) / 2


def _clean(samples: list[Toggled], shown: list[Balls], world: World) -> float:
    """Share of toggles that leave exactly one ball, where there were both."""
    left = [
        sum(one.pieces) == 1 and not one.stray
        for sample, whole in zip(samples, shown, strict=True)
        if whole.both
        for one in (seen(image, world) for image in sample.without)
    ]
    return float(np.mean(left)) if left else 0.0


def _labels(samples: list[Toggled], usual: Usual, world: World) -> dict[str, Any]:
    """Masks and boxes by toggling against those by colour; samples below the gate left out."""
    shown = [seen(sample.image, world) for sample in samples]
    kept = [k for k, sample in enumerate(samples) if soundness(sample, usual) >= GATE]
    found: dict[str, Any] = {"clean": _clean(samples, shown, world)}
    found["rejected"] = 1 - len(kept) / len(samples)
    found["toggle IoU"] = _agreement(
        [(masks(samples[k].shown), shown[k]) for k in range(len(samples)) if shown[k].both]
    )["mask"]
    pairs = []
    for k in kept:
        ids = visible(samples[k])
        pairs.append((np.stack([ids == 1, ids == 2]), shown[k]))
    of_kept = _agreement(pairs)
    return found | {f"label {name} IoU": value for name, value in of_kept.items()}


def _agreement(pairs: list[tuple[np.ndarray, Balls]]) -> dict[str, float]:
    """Mean IoU of masks [2, S, S] with the balls' and of boxes; objects are paired once for all."""
    if not pairs:
        return {"mask": 0.0, "box": 0.0}
    best = {"mask": -1.0, "box": 0.0}
    for order in ([0, 1], [1, 0]):
        mask = np.mean([_iou(m, b.masks[order]) for m, b in pairs])
        box = np.mean([_iou(_boxes(m), _boxes(b.masks[order])) for m, b in pairs])
        if mask > best["mask"]:
            best = {"mask": float(mask), "box": float(box)}
    return best


def _iou(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Of masks [K, S, S], the mean over K."""
    both = (ours & theirs).sum((1, 2))
    return float((both / (ours | theirs).sum((1, 2)).clip(1)).mean())


def _boxes(found: np.ndarray) -> np.ndarray:
    """bool [K, S, S]: each mask's box, filled."""
    filled = np.zeros_like(found)
    for mask, box in zip(found, filled, strict=True):
        if mask.any():
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return filled


def _counted(net: Generator, count: int, world: World, usual: Usual) -> dict[str, float]:
    """Pictures with another number of objects than was learned: do they show as many balls?"""
    samples, _ = _toggled(net, MORE, (count, count), 2)
    right, kept = [], []
    for sample in samples:
        one = seen(sample.image, world)
        right.append(sum(one.pieces) == count and not one.stray)
        kept.append(soundness(sample, usual) >= GATE)
    passed = [r for r, k in zip(right, kept, strict=True) if k]
    return {
        "exact": float(np.mean(right)),
        "rejected": 1 - float(np.mean(kept)),
        "exact of the rest": float(np.mean(passed)) if passed else 0.0,
    }
