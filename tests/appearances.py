"""What tests of learned appearances share: toy pairs, a network for distances, quick settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from resuming import readings_of
from safetensors.torch import save_file

from datagen.language.parse import parse
from datagen.learning.appearance.gate import GateTrainee
from datagen.learning.appearance.training import AppearanceTrainee
from datagen.learning.appearance.weights import save_appearance_model
from datagen.models.trunks import squeezenet_stages
from datagen.parts import Source
from datagen.settings.appearance import AppearanceLearning

TEXT = """
world toy
canvas 16 x 16
start Scene
Scene -> sky car
sky { draw: ground  stuff: "sky" }
car { draw: car  category: "car" }
"""
WORLD = parse(TEXT)  # car = 1, sky = 2
QUICK: Mapping[str, Any] = {
    "channels": (8, 12),
    "pretraining": 20,
    "encoder": 0,
    "boost": 5.0,  # so few steps need a loud start
    "epochs": 6,
    "layouts": 16,
    "draws": 8,
    "steps": 20,
    "learning_rate": 5e-3,
    "bank": 24,
    "bank_draws": 8,
    "precision": "float32",
    "gate_steps": 150,
    "gate_learning_rate": 1e-2,
    "gate_width": 8,
}


@dataclass(frozen=True)
class TwoWays:
    """A car before a sky, by day (light) or by night (dark): of every `rare` pairs, one is dark."""

    count: int = 40
    rare: int = 2
    classes: int = 3
    size: tuple[int, int] = (16, 16)

    def __len__(self) -> int:
        return self.count

    def class_map(self, k: int) -> np.ndarray:
        layout = np.full((16, 16), 2, np.uint8)
        layout[6 + k % 5 :, 2 + k % 7 : 9 + k % 7] = 1
        return layout

    def is_dark(self, k: int) -> bool:
        return k % self.rare == 0

    def image(self, k: int) -> np.ndarray:
        # A little of each pair's own, or no density of colours could be told.
        own = np.array([7 * k % 11, 5 * k % 13, 3 * k % 17], np.uint8)
        sky, car = (
            ((10, 20, 40), (70, 20, 20)) if self.is_dark(k) else ((170, 200, 230), (220, 90, 80))
        )
        return np.array([[0, 0, 0], car, sky], np.uint8)[self.class_map(k)] + own


def network(folder: Path) -> Source:
    """A SqueezeNet of random weights, which keeps colours apart as a trained one does."""
    path = folder / "squeezenet.safetensors"
    if not path.is_file():
        random = torch.Generator().manual_seed(0)
        tensors = {}
        for name, wanted in squeezenet_stages().body.state_dict().items():
            scale = (2 / wanted[0].numel()) ** 0.5 if wanted.ndim > 1 else 0.0
            tensors[f"features.{name}"] = scale * torch.randn(wanted.shape, generator=random)
        save_file(tensors, path)
    return Source(source=str(path))


def quick(folder: Path, **changes: Any) -> AppearanceLearning:
    return AppearanceLearning(**{**QUICK, "weights": network(folder), **changes})


def learned(pairs: TwoWays, settings: AppearanceLearning) -> AppearanceTrainee:
    trainee = AppearanceTrainee(pairs, settings, seed=0)
    readings_of(trainee)
    return trainee


def saved(folder: Path, **changes: Any) -> Path:
    """An appearance of the toy world as `datagen learn` leaves it."""
    settings = quick(folder, **changes)
    gate = GateTrainee(TwoWays(), settings, seed=0)
    readings_of(gate)
    path = folder / "appearance.safetensors"
    save_appearance_model(path, learned(TwoWays(), settings), gate, WORLD)
    return path
