"""What is measured of an arm, and of the renderer's own law as the ceiling."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from imle_modes_world import LAW, MODES, World, judged, picture, window_contrast

from datagen.learning.appearance.distance import Distance
from datagen.metrics.recall import consistency, recall, shares
from datagen.rng import Stream, rng_for

TEST = World(64, first=100_000)
SHARED = 16  # layouts that all codes are drawn on
RARE = len(MODES) - 1  # night
CODES, SET, NEAR, PAIRS = 240, 60, 20, 40
# Modes of the truths that pictures are to come near: the law, without chance.
TRUTHS = np.repeat(np.arange(len(MODES)), [32, 19, 10, 3])

# (layout's number, count) -> float [count, SIDE, SIDE, 3] in 0..1; the codes are equal for all.
Draw = Callable[[int, int], np.ndarray]


def true_sampler(k: int, count: int) -> np.ndarray:
    """Pictures of the renderer itself; it knows no codes that layouts could share."""
    rng = rng_for(8, k, Stream.RENDER)
    modes = rng.choice(len(MODES), count, p=LAW)
    return np.stack([picture(TEST.place(k), m, rng) for m in modes]).astype(np.float32) / 255


def truth(k: int) -> np.ndarray:
    """float32 [SIDE, SIDE, 3]"""
    rng = rng_for(9, k, Stream.RENDER)
    return picture(TEST.place(k), int(TRUTHS[k]), rng).astype(np.float32) / 255


def measured(draw: Draw, distance: Distance) -> dict[str, Any]:
    """All readings of one way to draw pictures."""
    modes = np.zeros((SHARED, CODES), int)
    windows, diversity = [], []
    for k in range(SHARED):
        images = draw(k, CODES)
        modes[k] = judged(images, TEST.place(k))
        contrast = window_contrast(images, TEST.place(k))
        windows.append(contrast[modes[k] >= 0])
        diversity.append(_apart(distance, images[: 2 * PAIRS : 2], images[1 : 2 * PAIRS : 2]))
    found = np.concatenate(windows)
    often, kept = shares(modes, LAW), consistency(modes, len(MODES))
    return {
        "recall": recall(modes, len(MODES), SET).by_mode,
        "share": often.by_mode,
        "none": often.none,
        "tv": often.variation,
        "diversity": float(np.concatenate(diversity).mean()),
        "windows": float(np.nanmean(found)) if len(found) else 0.0,
        "consistency": kept.mean,
        "consistency_valid": kept.valid,
        **_nearness(draw, distance),
    }


def _nearness(draw: Draw, distance: Distance) -> dict[str, float]:
    """Of the nearest of some codes: mean L1 to the truth, and the distance of their maps."""
    errors, features = [], []
    for k in range(len(TEST)):
        images, true = draw(k, NEAR), truth(k)
        apart = np.abs(images - true).mean((1, 2, 3))
        best = int(apart.argmin())
        errors.append(apart[best])
        features.append(_apart(distance, images[best : best + 1], true[None])[0])
    rare = TRUTHS == RARE
    return {
        "near": float(np.mean(errors)),
        "near_rare": float(np.array(errors)[rare].mean()),
        "near_features": float(np.mean(features)),
    }


def _apart(distance: Distance, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance of the three finest maps, in units of that between two photos: [N]."""
    with torch.inference_mode():
        ours, theirs = (distance.views(torch.from_numpy(x).permute(0, 3, 1, 2)) for x in (a, b))
        pairs = zip(ours[1:4], theirs[1:4], strict=True)
        terms = [(p.float() - q.float()).abs().mean((1, 2, 3)) for p, q in pairs]
        return (torch.stack(terms) / distance.unit[1:4, None]).mean(0).numpy()
