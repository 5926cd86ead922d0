"""What is measured of a trained generator of bowls, and of real pictures as the floor."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from relate_bowls_world import Pictures, World, pictures
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
from datagen.metrics.balls import NEAREST, find_balls, validity
from datagen.metrics.disentanglement import agreement, overlap, place_error, places_of
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
    return {
        **valid(other.images, world),
        "frechet": frechet(other.images, world, out),
        "R2 of the features": features(world, out)[1],
        "pixel std": _spread(other.images),
    }


# ------------------------------------------------------------------------------------------ samples


def measured(net: Generator, objects: tuple[int, int], world: World, out: Path) -> dict[str, Any]:
    """All readings of one generator."""
    images = drawn(net, SAMPLES, objects)
    found: dict[str, Any] = valid(images, world)
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


def valid(images: np.ndarray, world: World) -> dict[str, float]:
    """What pictures show by their colours."""
    balls = find_balls(images, world.radius)
    told = validity(balls, world.radius)
    found = {"both": told.visible, "valid": told.valid, "inside": told.inside}
    if not balls.seen.all(1).any():
        return found | {"overlap": 0.0, "overlap shuffled": 0.0}
    near = overlap(balls.places, 2 * NEAREST * world.radius)
    return found | {"overlap": near.share, "overlap shuffled": near.shuffled}


# ------------------------------------------------------------------------------------------ toggles


def _toggles(samples: list[Toggled], world: World) -> dict[str, float]:
    """Where a picture changes, and where the model says that its objects are."""
    told = (np.stack([sample.poses for sample in samples]) + 1) / 2 * world.side
    error = place_error(places_of(np.stack([s.shown for s in samples])), told, world.side)
    return {"distance": error.median, "distance after offset": error.corrected}


def _labels(samples: list[Toggled], usual: Usual, world: World) -> dict[str, Any]:
    """Masks and boxes by toggling against those by colour; samples below the gate left out."""
    balls = find_balls(np.stack([sample.image for sample in samples]), world.radius)
    both = np.flatnonzero(balls.seen.all(1))
    left = [_alone(samples[k].without, world) for k in both]
    kept = [k for k, sample in enumerate(samples) if soundness(sample, usual) >= GATE]
    toggled = agreeing([masks(samples[k].shown) for k in both], balls.masks[both])
    ids = [visible(samples[k]) for k in kept]
    labels = agreeing([np.stack([of == 1, of == 2]) for of in ids], balls.masks[kept])
    return {
        "clean": float(np.mean(left)) if left else 0.0,
        "rejected": 1 - len(kept) / len(samples),
        "toggle IoU": toggled[0],
        "label mask IoU": labels[0],
        "label box IoU": labels[1],
    }


def _alone(images: np.ndarray, world: World) -> float:
    """Share of pictures with exactly one ball and nothing else of a ball's colour."""
    balls = find_balls(images, world.radius)
    return float(((balls.pieces.sum(1) == 1) & ~balls.stray.any(1)).mean())


def agreeing(ours: list[np.ndarray], theirs: np.ndarray) -> tuple[float, float]:
    """Mean IoU of masks [N, 2, S, S] and of their boxes; 0 of none."""
    if not ours:
        return 0.0, 0.0
    found = agreement(np.stack(ours), theirs)
    return found.mask_iou, found.box_iou


def _counted(net: Generator, count: int, world: World, usual: Usual) -> dict[str, float]:
    """Pictures with another number of objects than was learned: do they show as many balls?"""
    samples, _ = _toggled(net, MORE, (count, count), 2)
    balls = find_balls(np.stack([sample.image for sample in samples]), world.radius)
    right = (balls.pieces.sum(1) == count) & ~balls.stray.any(1)
    kept = np.array([soundness(sample, usual) >= GATE for sample in samples])
    return {
        "exact": float(right.mean()),
        "rejected": 1 - float(kept.mean()),
        "exact of the rest": float(right[kept].mean()) if kept.any() else 0.0,
    }
