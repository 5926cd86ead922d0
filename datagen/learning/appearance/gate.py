"""The gate: does a picture still show its layout? A segmenter that learned on photos tells."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from datagen.learning.appearance.pairs import Cache, Pairs
from datagen.learning.run import restore, state_of
from datagen.models.segmenter import Segmenter
from datagen.rng import Stream, rng_for
from datagen.settings.appearance import AppearanceLearning

_LIGHT, _CONTRAST = 0.25, 0.3  # largest change of a training picture's brightness and contrast
_WARM = 0.05  # share of steps in which the rate rises


class GateTrainee:
    """A segmenter of photos, for `train` of learning.loop.

    It never sees what the generator makes: it would learn the generator's mistakes as the truth.
    """

    def __init__(
        self, maps: Pairs, settings: AppearanceLearning, seed: int, device: str = "cpu"
    ) -> None:
        self.settings, self.seed, self.device = settings, seed, torch.device(device)
        self.pairs = Cache(maps, settings.cache << 20)
        self.net = new_segmenter(maps.classes, settings.gate_width, seed).to(self.device)
        self.dtype = torch.bfloat16 if settings.precision == "bfloat16" else torch.float32
        # Not `fused`, which takes a state that was read from a file for one in the weights' layout.
        self.optimizer = torch.optim.AdamW(self.net.parameters(), settings.gate_learning_rate)

    @property
    def steps(self) -> int:
        return self.settings.gate_steps

    def begin(self, step: int) -> None:
        """Nothing is to be made ready."""

    def step(self, k: int) -> Mapping[str, float]:
        rng = rng_for(self.seed, k, Stream.SEGMENTER)
        layouts, photos = self.pairs.batch(rng.integers(0, len(self.pairs), self.settings.batch))
        layouts, photos = varied(layouts, photos, rng)
        # 0 is what the world does not know: it can look like anything.
        if not layouts.any():
            return {"loss": 0.0}
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.gate_learning_rate * _warm_cosine(k / self.steps)
        layouts, photos = layouts.to(self.device), photos.to(self.device)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            scores = self.net(photos)
        loss = cross_entropy(scores, layouts.long(), ignore_index=0)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": float(loss.detach())}

    def tensors(self) -> dict[str, Tensor]:
        return state_of(self.net, self.optimizer)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.net, self.optimizer, tensors)


def new_segmenter(classes: int, width: int, seed: int) -> Segmenter:
    """An untrained one, which `seed` alone decides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng_for(seed, 0, Stream.SEGMENTER).integers(0, 2**62)))
        net = Segmenter(classes, width)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def varied(layouts: Tensor, photos: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Each pair mirrored or not, and in another light."""
    flips = torch.from_numpy(rng.random(len(photos)) < 0.5)
    layouts = torch.where(flips[:, None, None], layouts.flip(2), layouts)
    photos = torch.where(flips[:, None, None, None], photos.flip(3), photos)
    light = 1 + _LIGHT * torch.from_numpy(rng.uniform(-1, 1, (len(photos), 1, 1, 1))).float()
    contrast = 1 + _CONTRAST * torch.from_numpy(rng.uniform(-1, 1, (len(photos), 1, 1, 1))).float()
    middle = photos.mean((1, 2, 3), keepdim=True)
    return layouts, ((photos - middle) * contrast + middle * light).clamp(0, 1)


def found_classes(net: Segmenter, picture: np.ndarray) -> np.ndarray:
    """uint8 [H, W] of a picture uint8 [H, W, 3]: the class of each pixel, never 0."""
    with torch.inference_mode():
        x = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]
        scores = net(x)[0]
    return (scores[1:].argmax(0) + 1).to(torch.uint8).numpy()


def agreement(found: np.ndarray, layout: np.ndarray) -> float:
    """Share of the layout's pixels with a class in which that class was found; 1 if none has."""
    known = layout > 0
    return float((found[known] == layout[known]).mean()) if known.any() else 1.0


def _warm_cosine(done: float) -> float:
    return min(1.0, (done + 1e-3) / _WARM) * 0.5 * (1 + float(np.cos(np.pi * done))) + 1e-3
