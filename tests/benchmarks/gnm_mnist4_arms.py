"""The arms of the MNIST-4 benchmark: how each is trained, and how its pictures are sampled."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from datagen.learning.gnm.objects import image_of
from datagen.learning.gnm.training import GnmTrainee, sizes_of, tensor_of
from datagen.learning.run import restore, state_of
from datagen.models.gnm import Gnm, Noise, Objects
from datagen.models.gnm_baselines import ConvDraw, Vae
from datagen.rng import Stream, rng_for
from datagen.settings.gnm import GnmLearning

_KINDS = {"vae": Vae, "convdraw": ConvDraw}
# GNM, and two that are made to get stuck: beta_g reaches 1 before the layout knows its objects.
VARIANTS: Mapping[str, Mapping[str, float]] = {
    "gnm": {},
    "hasty": {"ramp": 0.1},
    "unwatched": {"ramp": 0.1, "stuck": 1.0},
}
_WARM = 0.1  # share of the steps in which the KL's weight rises
_AT_ONCE = 100  # pictures


class BaselineTrainee:
    """A VAE or ConvDRAW; `arm` is its name and beta, such as "vae-2". GNM's batch and rates."""

    def __init__(self, arm: str, pictures: np.ndarray, settings: GnmLearning, seed: int) -> None:
        kind, beta = arm.split("-")
        self.settings, self.seed, self.beta = settings, seed, float(beta)
        self.pictures = pictures[..., :1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = _KINDS[kind](sizes_of(settings, self.pictures))
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        rate = settings.learning_rate
        self.optimizer = torch.optim.Adam(self.model.parameters(), rate, fused=True)

    @property
    def steps(self) -> int:
        return self.settings.steps

    def begin(self, step: int) -> None:
        self.model.train()

    def step(self, k: int) -> Mapping[str, float]:
        s = self.settings
        rng = rng_for(self.seed, k, Stream.GNM)
        chosen = rng.integers(len(self.pictures), size=s.batch)
        noise = torch.from_numpy(rng.standard_normal((s.batch, *self.model.noise), "float32"))
        x = tensor_of(self.pictures[chosen]).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=s.precision == "bfloat16"):
            made = self.model(x, noise)
        error, kl = (made.picture - x).square().sum((1, 2, 3)).mean(), made.kl.mean()
        beta = self.beta * min(1.0, k / (_WARM * s.steps))
        for group in self.optimizer.param_groups:
            way = 0.5 * (1 + np.cos(np.pi * k / s.steps))
            group["lr"] = s.learning_rate * (0.05 + 0.95 * way) * min(1.0, (k + 1) / 100)
        self.optimizer.zero_grad()
        (error / (2 * s.noise**2) + beta * kl).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return {"error": float(error.detach()), "kl": float(kl.detach())}

    def tensors(self) -> dict[str, Tensor]:
        return state_of(self.model, self.optimizer)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.model, self.optimizer, tensors)


def trainee_of(
    arm: str, pictures: np.ndarray, steps: int, seed: int
) -> GnmTrainee | BaselineTrainee:
    settings = GnmLearning.model_validate({"steps": steps, **VARIANTS.get(arm, {})})
    if arm in VARIANTS:
        return GnmTrainee(pictures, settings, seed)
    return BaselineTrainee(arm, pictures, settings, seed)


# ------------------------------------------------------------------------------------- pictures


def baseline_samples(trainee: BaselineTrainee, count: int) -> np.ndarray:
    """uint8 [N, 64, 64, 3]."""
    model = trainee.model.eval()

    def some(rng: np.random.Generator, n: int) -> Tensor:
        noise = torch.from_numpy(rng.standard_normal((n, *model.noise), "float32"))
        return model.generate(noise)

    return _many(some, count)


def samples(model: Gnm, count: int, style: float) -> np.ndarray:
    """uint8 [N, 64, 64, 3]: as the generator makes them, but many at a time."""
    return _many(
        lambda rng, n: model.render(model.generate(Noise.of(model.sizes, rng, n), style)), count
    )


def _many(some: Callable[[np.random.Generator, int], Tensor], count: int) -> np.ndarray:
    parts = []
    for k in range(0, count, _AT_ONCE):
        with torch.inference_mode():
            made = some(rng_for(0, k, Stream.EVALUATE), min(_AT_ONCE, count - k))
        parts.append(image_of(made))
    return np.concatenate(parts)


def made_again(model: Gnm, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pictures as the modes of q(z_s | x) and of p(z_s | z_g) have them, z_g the mean of its own.

    How well objects are read, and how much of them the layout holds.
    """
    parts = []
    for k in range(0, len(pictures), _AT_ONCE):
        x = tensor_of(pictures[k : k + _AT_ONCE, :, :, : model.sizes.channels])
        with torch.inference_mode():
            features = model.encode(x)
            noise = torch.zeros(len(x), model.sizes.drawing, model.sizes.latent)
            drawn = model.draw(features, noise)
            read = model.cells(features)
            whole = Objects((read.presence > 0).float(), read.law.mean, None)
            both = (model.render(o) for o in (whole, model.most_likely(drawn)))
            parts.append([image_of(made) for made in both])
    seen, laid_out = zip(*parts, strict=True)
    return np.concatenate(seen), np.concatenate(laid_out)


def shuffled(model: Gnm, pictures: np.ndarray) -> np.ndarray:
    """An independent prior: each cell's objects as in pictures, but each from a picture of its own.

    It has the posterior's own distribution in every cell, and no layout.
    """
    with torch.inference_mode():
        x = tensor_of(pictures[..., : model.sizes.channels])
        read = [model.cells(model.encode(part)) for part in x.split(_AT_ONCE)]
        presence = torch.cat([(cells.presence > 0).float() for cells in read])
        values = torch.cat([cells.law.mean for cells in read])
        rng = rng_for(0, 0, Stream.BOOTSTRAP)
        for k in range(model.sizes.cells):
            order = torch.from_numpy(rng.permutation(len(x)))
            presence[:, k], values[:, k] = presence[order, k], values[order, k]
        rows = range(0, len(x), _AT_ONCE)
        parts = [
            image_of(
                model.render(Objects(presence[k : k + _AT_ONCE], values[k : k + _AT_ONCE], None))
            )
            for k in rows
        ]
    return np.concatenate(parts)
