"""Features of our own for small worlds: a network that learns to tell the numbers behind a picture.

Where Inception sees nothing (32 px, flat colours), a network that has learned from labelled
pictures of the same world where its things are and how large, sees all that may be wrong. The
Frechet distance of its features is `learning.gap.frechet_distance`; say whose features they are
beside every value, for it is not FID. Pictures unlike those that it learned from are out of its
range: then no value means anything.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from datagen.errors import InputError
from datagen.metrics._fitting import as_input, fit, seeded

DIM = 64  # features
_CHUNK = 256  # pictures at once
_HELD = 10  # one in so many is kept for `explained`


class RegressionNet(nn.Module):
    """Five convolutions: [N, C, H, W] -> features [N, 64] -> numbers [N, M]."""

    def __init__(self, channels: int, height: int, width: int, numbers: int) -> None:
        super().__init__()
        widths = (channels, 24, 48, 64)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.ReLU()]
            layers += [nn.Conv2d(outputs, outputs, 3, 1, 1), nn.ReLU()]
            height, width = -(-height // 2), -(-width // 2)
        layers += [nn.Conv2d(64, 16, 1), nn.ReLU(), nn.Flatten()]
        self.trunk = nn.Sequential(*layers, nn.Linear(16 * height * width, DIM))
        self.last = nn.Sequential(nn.ReLU(), nn.Linear(DIM, numbers))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.trunk(x))


@dataclass(frozen=True)
class OwnFeatures:
    """A trained network: pictures uint8 [N, H, W, C] -> features float32 [N, 64]."""

    net: RegressionNet
    explained: tuple[float, ...]  # R^2 of each number, on pictures that it did not learn from

    def __call__(self, images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            parts = [images[k : k + _CHUNK] for k in range(0, len(images), _CHUNK)]
            return torch.cat([self.net.trunk(as_input(part)) for part in parts]).numpy()


def teach_features(
    images: np.ndarray,
    numbers: np.ndarray,
    rng: np.random.Generator,
    *,
    steps: int = 1500,
    batch: int = 64,
    rate: float = 1e-3,
) -> OwnFeatures:
    """Learn to tell float [N, M] of pictures uint8 [N, H, W, C]: centres, half-axes, counts.

    Angles must come as sines and cosines (of twice the angle for what looks the same upside down).
    A tenth of the pictures is held out for `explained`; below 0.95 do not trust the features.
    """
    if images.ndim != 4 or numbers.ndim != 2 or len(images) != len(numbers) or len(images) < 100:
        raise InputError(
            f"features: pictures {list(images.shape)} and numbers {list(numbers.shape)}; "
            "give [N, H, W, C] and [N, M] with N from 100 on"
        )
    held = len(images) // _HELD
    mean, spread = numbers.mean(0), numbers.std(0)
    if not (spread > 0).all():
        raise InputError(f"features: number {int(spread.argmin())} is the same in all pictures")
    truth = torch.tensor((numbers - mean) / spread, dtype=torch.float32)
    with seeded(rng):
        _, height, width, channels = images.shape
        net = RegressionNet(channels, height, width, numbers.shape[1])

    def loss(_: int) -> Tensor:
        chosen = held + rng.integers(len(images) - held, size=batch)
        return mse_loss(net(as_input(images[chosen])), truth[torch.from_numpy(chosen)])

    fit(net, loss, steps, rate)
    with torch.inference_mode():
        parts = [images[k : min(k + _CHUNK, held)] for k in range(0, held, _CHUNK)]
        said = torch.cat([net(as_input(part)) for part in parts])
    left = (said - truth[:held]).square().mean(0) / truth[:held].var(0, unbiased=False)
    return OwnFeatures(net, tuple((1 - left).tolist()))
