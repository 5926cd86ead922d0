"""A tiny trainee of every learned generator, and of what belongs to one; for tests only.

All learn from `appearances.TwoWays`, whose world is `appearances.WORLD`. They are hard to go on
with: RELATE has given up networks on its way, GNM has begun its ramp again.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from appearances import TwoWays, quick

from datagen.learning.appearance.gate import GateTrainee
from datagen.learning.appearance.training import AppearanceTrainee
from datagen.learning.gnm.training import GnmTrainee
from datagen.learning.layout.training import LayoutTrainee
from datagen.learning.relate.training import RelateTrainee
from datagen.learning.relate_clips.training import RelateClipsTrainee
from datagen.settings.gnm import GnmLearning
from datagen.settings.layout import LayoutLearning
from datagen.settings.relate import RelateLearning
from datagen.settings.relate_clips import RelateClipsLearning

PAIRS = TwoWays(count=16)
PICTURES = np.stack([PAIRS.image(k) for k in range(len(PAIRS))])
STILL = RelateLearning(steps=6, batch=4, channels=16, judge_width=4, style=0.5, scale=True)


def layout(folder: Path, seed: int = 0, **changes: Any) -> LayoutTrainee:
    settings = LayoutLearning(steps=9, batch=4, width=4, latent=8, penalty_every=2)
    return LayoutTrainee(PAIRS, settings.model_copy(update=changes), seed)


def relate(folder: Path, seed: int = 0, **changes: Any) -> RelateTrainee:
    return RelateTrainee(PICTURES, STILL.model_copy(update={"attempts": 2, **changes}), seed)


def relate_clips(folder: Path, seed: int = 0) -> RelateClipsTrainee:
    """Three steps of each: frames, finder, motion."""
    windows = np.arange(8)[:, None] + np.arange(5)
    motion = RelateClipsLearning(finder_steps=3, steps=3, batch=4, frames=5, rollout=6)
    still = STILL.model_copy(update={"steps": 3, "attempts": 1})
    return RelateClipsTrainee(PICTURES, windows, motion, still, seed)


def gnm(folder: Path, seed: int = 0) -> GnmTrainee:
    settings = GnmLearning(
        steps=12, batch=4, cell=8, width=4, what=3, glimpse=8, drawing=2, latent=4, hidden=8,
        ramp=0.25, again=0.25, sharp=0.0, stuck=1e-6,
    )  # fmt: skip
    return GnmTrainee(PICTURES, settings, seed)


def appearance(folder: Path, seed: int = 0) -> AppearanceTrainee:
    """Three steps of regression, two outer epochs of three, two that fill the bank."""
    few = {"pretraining": 3, "epochs": 2, "layouts": 4, "draws": 4, "steps": 3, "bank": 16}
    return AppearanceTrainee(
        PAIRS, quick(folder, **few, batch=2, grain=1, encoder=8, mask=True), seed
    )


def gate(folder: Path, seed: int = 0) -> GateTrainee:
    return GateTrainee(PAIRS, quick(folder, gate_steps=9), seed)


# Each may put files that it needs into `folder`.
TRAINEES: dict[str, Callable[..., Any]] = {
    "layout": layout,
    "relate": relate,
    "relate_clips": relate_clips,
    "gnm": gnm,
    "appearance": appearance,
    "gate": gate,
}
