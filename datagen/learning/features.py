"""Features that say how many of what is in a picture, and how the network for them is trained."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from datagen.derivation import sample_prior
from datagen.errors import InputError
from datagen.files import write_atomic
from datagen.learning.counts import count_things
from datagen.learning.prior_images import Page, album
from datagen.learning.run import restore, state_of
from datagen.models.counting import CountingNet, count_loss, density_loss
from datagen.recipe import Recipe
from datagen.rng import Stream, rng_for

CHUNK = 64  # pictures at once: larger batches fall out of the processor's cache


def counting_net(recipe: Recipe) -> CountingNet:
    """An untrained network for the recipe's world; heads reach as far as 4000 prior scenes do."""
    grammar = recipe.world()
    rngs = [rng_for(recipe.learn.seed, i, Stream.EVALUATE) for i in range(4000)]
    largest = count_things(grammar, [sample_prior(grammar, rng) for rng in rngs]).max(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.learn.seed)
        net = CountingNet(
            len(grammar.categories),
            tuple(int(n) + 1 for n in largest),
            recipe.learn.features.width,
        )
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class CountingTrainee:
    """Trains the counting network on the album of the prior, for `train` of learning.loop."""

    def __init__(self, recipe: Recipe, net: CountingNet) -> None:
        self.recipe, self.net = recipe, net
        self.settings = recipe.learn.features
        self.optimizer = torch.optim.AdamW(net.parameters(), self.settings.learning_rate)
        self.pages: Iterator[Page] = iter(())

    @property
    def steps(self) -> int:
        return max(1, self.settings.images // self.settings.batch)

    def begin(self, step: int) -> None:
        s = self.settings
        self.pages = iter(album(self.recipe, s.batch, step, self.steps, self.recipe.learn.helpers))

    def step(self, k: int) -> Mapping[str, float]:
        images, counts, places = map(torch.from_numpy, next(self.pages))
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * _warm_cosine(k / self.steps)
        self.net.train()
        with torch.autocast("cpu", torch.bfloat16):
            density, logits = self.net(images)
        dense = density_loss(density, places)
        count = count_loss(logits, counts, self.net.classes)
        self.optimizer.zero_grad()
        (dense + count).backward()
        self.optimizer.step()
        right = (self.net.most_likely(logits) == counts).float().mean(0)
        return {
            "loss": float((dense + count).detach()),
            "accuracy": float(right.mean()),
            "accuracy_all": float(right[-1]),
        }

    def tensors(self) -> dict[str, Tensor]:
        return state_of(self.net, self.optimizer)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.net, self.optimizer, tensors)


def _warm_cosine(done: float) -> float:
    """Learning-rate factor: up over the first tenth, then down along a cosine."""
    if done < 0.1:
        return 0.05 + 9.5 * done
    return 0.5 * (1 + np.cos(np.pi * (done - 0.1) / 0.9)) + 1e-3


class CountFeatures:
    """Trained features: uint8 [N, H, W, 3] -> float32 [N, heads], posterior mean counts."""

    def __init__(self, net: CountingNet) -> None:
        self.net = net.eval()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self.net.expected(self._logits(images)).numpy()

    def most_likely(self, images: np.ndarray) -> np.ndarray:
        """int64 [N, heads]: "classify and count", the estimate that needs no learning."""
        return self.net.most_likely(self._logits(images)).numpy()

    def _logits(self, images: np.ndarray) -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            parts = torch.from_numpy(images).split(CHUNK)
            return torch.cat([self.net(part)[1] for part in parts])


def save_features(run: Path, net: CountingNet) -> None:
    """Publish the trained network in the run folder, where helpers and comparisons read it."""
    tensors = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    write_atomic(run / _FILE, save(tensors, {_CLASSES: json.dumps(net.classes)}))


def load_features(run: Path, recipe: Recipe) -> CountFeatures:
    """The features of a run folder, for the world of its recipe."""
    path = run / _FILE
    try:
        with safe_open(path, "pt") as file:
            classes = tuple(json.loads((file.metadata() or {})[_CLASSES]))
        net = CountingNet(len(recipe.world().categories), classes, recipe.learn.features.width)
        net.load_state_dict(load_file(path))
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: are no features of this run ({error})") from error
    return CountFeatures(net.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


_FILE, _CLASSES = "features.safetensors", "classes"
