"""The arms of the MNIST-4 benchmark: how each is trained, and how its pictures are sampled."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from datagen.learning.gnm.objects import image_of
from datagen.learning.gnm.training import GnmTrainee, sizes_of, tensor_of
from datagen.learning.run import restore, state_of
from datagen.models.genesis import Genesis, Mixture
from datagen.models.gnm import Gnm, Noise, Objects, Sizes
from datagen.models.gnm_baselines import ConvDraw, Vae
from datagen.rng import Stream, rng_for
from datagen.settings.gnm import GnmLearning


class Kind(NamedTuple):
    """How a baseline is built, and, by the share of its steps that are done, how it learns."""

    build: Callable[[Sizes], Vae | ConvDraw | Genesis]
    rate: Callable[[float], float]  # -> share of GNM's learning rate
    weight: Callable[[float], float]  # -> share of beta


def _genesis(sizes: Sizes) -> Genesis:
    """For four digits and what is behind them; narrow, and in blocks of 4 x 4 px."""
    mixture = Mixture(
        sizes.canvas, sizes.channels, sizes.noise, 5,
        width=16, mask=32, look=8, hidden=128, painted=16, halved=2,
    )  # fmt: skip
    return Genesis(mixture)


def _eased(done: float) -> float:
    """Ever lower, along half a cosine."""
    return 0.05 + 0.95 * 0.5 * (1 + float(np.cos(np.pi * done)))


def _reset(done: float) -> float:
    """High at first, then low: GNM's authors needed that for GENESIS to find objects."""
    return 1.0 if done < 0.2 else 0.3


def _rising(done: float) -> float:
    return min(1.0, done / 0.1)


def _whole(_: float) -> float:
    """From the start, as GENESIS has it; beta that rose from 0 let its divergence explode."""
    return 1.0


_KINDS = {
    "vae": Kind(Vae, _eased, _rising),
    "convdraw": Kind(ConvDraw, _eased, _rising),
    "genesis": Kind(_genesis, _reset, _whole),
}
# GNM, and two that are made to get stuck: beta_g reaches 1 before the layout knows its objects.
VARIANTS: Mapping[str, Mapping[str, float]] = {
    "gnm": {},
    "hasty": {"ramp": 0.1},
    "unwatched": {"ramp": 0.1, "stuck": 1.0},
}
_AT_ONCE = 100  # pictures


class BaselineTrainee:
    """Of GNM's batch; `arm` is a kind's name and beta, such as "vae-2"."""

    def __init__(self, arm: str, pictures: np.ndarray, settings: GnmLearning, seed: int) -> None:
        name, beta = arm.split("-")
        self.kind = _KINDS[name]
        self.settings, self.seed, self.beta = settings, seed, float(beta)
        self.pictures = pictures[..., :1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = self.kind.build(sizes_of(settings, self.pictures))
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
        distortion, kl = made.distortion.mean(), made.kl.mean()
        beta = self.beta * self.kind.weight(k / s.steps)
        for group in self.optimizer.param_groups:
            rate = s.learning_rate * self.kind.rate(k / s.steps)
            group["lr"] = rate * min(1.0, (k + 1) / 100)
        self.optimizer.zero_grad()
        (distortion + beta * kl).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        error = (made.picture.detach() - x).square().sum((1, 2, 3)).mean()
        told = {"error": error, "distortion": distortion, "kl": kl}
        return {name: float(value.detach()) for name, value in told.items()}

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


def components(model: Genesis, pictures: np.ndarray) -> Sequence[np.ndarray]:
    """The first pictures, and what each component lends to them; nothing is sampled."""
    x = tensor_of(pictures[:_AT_ONCE, :, :, :1])
    with torch.inference_mode():
        read = model.read(x, torch.zeros(len(x), *model.noise))
    shown = (read.log_masks.exp() * read.means).unbind(1)
    return [pictures[:_AT_ONCE], *(image_of(one) for one in shown)]


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
            whole = read.mode()
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
        read = [model.cells(model.encode(part)).mode() for part in x.split(_AT_ONCE)]
        presence, values = (torch.cat(of) for of in zip(*(one[:2] for one in read), strict=True))
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
