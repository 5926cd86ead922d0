"""Meta-Sim's attribute learning, for `train` of learning.loop.

Scenes are drawn with the prior's attributes, a distribution transformer moves these, and the
pictures' features are to be distributed like the target's (Kar et al. 2019, section 3.3).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from datagen.attribute_settings import AttributeLearning
from datagen.derivation import Derivation
from datagen.errors import InputError
from datagen.frame import Frame
from datagen.grammar import Grammar
from datagen.learning.attribute_gradients import Batch, Estimate, See, Target, differences, score
from datagen.learning.leaps import leap
from datagen.learning.run import restore, state_of
from datagen.learning.scene_graphs import graphs_of, vocabulary
from datagen.models.metasim import DistributionTransformer
from datagen.placement import expand
from datagen.rendering import Render
from datagen.rng import Stream, rng_for
from datagen.scene import Scene

Derivations = Callable[[int, np.random.Generator], Sequence[Derivation]]  # (how many, rng)
Reward = Callable[[Sequence[Frame]], float]  # of a batch of frames: the higher the better

_CHUNK = 64  # pictures at once
_TASK_DECAY = 0.7  # of the reward's moving average, as in the authors' code


class Task(Protocol):
    """What `learn.attributes.task` names: how well a batch of labelled frames serves."""

    def open(self) -> AbstractContextManager[Reward]: ...


def viewer(render: Render, features: Callable[[np.ndarray], np.ndarray], seed: int) -> See:
    """Features [N, D] of the pictures that a renderer makes."""

    def see(scenes: Sequence[Scene], numbers: Sequence[int]) -> np.ndarray:
        rows = []
        for start in range(0, len(scenes), _CHUNK):
            part = slice(start, start + _CHUNK)
            frames = render(scenes[part], [_pixels(seed, n) for n in numbers[part]])
            rows.append(features(np.stack([frame.image for frame in frames])))
        return np.concatenate(rows)

    return see


def _pixels(seed: int, number: int) -> np.random.Generator:
    return rng_for(seed, number, Stream.REPAINT)


class AttributeTrainee:
    """Moves the transformer down the gradient of MMD^2, and up a task's reward if there is one."""

    def __init__(
        self,
        grammar: Grammar,
        settings: AttributeLearning,
        seed: int,
        transformer: DistributionTransformer,
        derivations: Derivations,
        see: See,
        real: np.ndarray,  # float32 [N, D], features of the target pictures
        reward: Callable[[Sequence[Scene], Sequence[int]], float] | None = None,
    ) -> None:
        self.known = vocabulary(grammar)
        if not self.known.kinds:
            raise InputError(
                f"{grammar.world} has no `mutable` attribute, so there is nothing to learn; write "
                "`mutable` behind those that learning may change"
            )
        self.settings, self.seed, self.transformer = settings, seed, transformer
        self.derivations, self.see, self.reward = derivations, see, reward
        self.target = Target.of(torch.from_numpy(real))
        self.usual: float | None = None  # moving average of the reward
        rate = settings.learning_rate
        self.optimizer = torch.optim.Adam(transformer.parameters(), rate, betas=(0.9, 0.99))

    @property
    def steps(self) -> int:
        return self.settings.steps

    def begin(self, step: int) -> None:
        self.transformer.train()

    def step(self, k: int) -> Mapping[str, float]:
        s = self.settings
        rng = rng_for(self.seed, k, Stream.ATTRIBUTES)
        batch = self._batch(k, rng)
        graphs = batch.graphs
        corrections = self.transformer(graphs.nodes, graphs.edges)
        target = self._some_target(rng)
        leaps = self._leap(k, batch, corrections.detach(), target)
        values = graphs.moved(corrections, self.transformer.offset)
        estimate = self._estimate(batch, values.detach(), target, rng)
        readings = {"mmd": estimate.mmd, "kernel_spread": estimate.kernel_spread, "leaps": leaps}
        gradient = estimate.gradient
        if self.reward is not None:
            rewarded, reward = self._rewarded(batch, values.detach(), rng)
            gradient = gradient - s.task_weight * rewarded
            readings["reward"] = reward
        for group in self.optimizer.param_groups:
            group["lr"] = s.learning_rate * min(1.0, 2 * (1 - k / s.steps))
        self.optimizer.zero_grad()
        values.backward(gradient)
        self.optimizer.step()
        return readings

    def _batch(self, k: int, rng: np.random.Generator) -> Batch:
        numbers = range(k * self.settings.batch, (k + 1) * self.settings.batch)
        rngs = [rng_for(self.seed, n, Stream.PRIOR_VALUES) for n in numbers]
        derivations = self.derivations(len(numbers), rng)
        grammar = self.known.grammar
        scenes = [expand(grammar, d, r) for d, r in zip(derivations, rngs, strict=True)]
        return Batch(self.known, scenes, numbers, graphs_of(self.known, scenes))

    def _some_target(self, rng: np.random.Generator) -> Target:
        rows = rng.permutation(len(self.target.features))[: self.settings.targets]
        return self.target.some(torch.from_numpy(rows))

    def _leap(self, k: int, batch: Batch, corrections: Tensor, target: Target) -> int:
        """Looks around at `settings.leaps` steps, evenly over the first 60 %: leaps taken."""
        s = self.settings
        if k not in {int(0.6 * s.steps * n / s.leaps) for n in range(s.leaps)}:
            return 0
        with torch.no_grad():
            offset = self.transformer.offset
            return leap(batch, corrections, offset, self.see, target, s.bandwidths)

    def _estimate(
        self, batch: Batch, values: Tensor, target: Target, rng: np.random.Generator
    ) -> Estimate:
        s, graphs = self.settings, batch.graphs
        values = graphs.kept(values)
        if s.gradient == "score":
            return score(batch, values, self.see, target, s, s.noise * graphs.span, rng)
        return differences(batch, values, self.see, target, s, rng)

    def _rewarded(
        self, batch: Batch, values: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, float]:
        """d E[reward] / d value of each slot [S] by REINFORCE, and the reward."""
        assert self.reward is not None
        std = self.settings.noise * batch.graphs.span
        noise = torch.from_numpy(rng.standard_normal(len(values)))
        reward = self.reward(batch.at(batch.graphs.kept(values + std * noise)), batch.numbers)
        if not math.isfinite(reward):
            raise InputError(f"the task {self.settings.task} gave the reward {reward}")
        usual = reward if self.usual is None else self.usual
        self.usual = _TASK_DECAY * reward + (1 - _TASK_DECAY) * usual
        # d log N(x; value, std) / d value at the sample x = value + std noise, which is held fixed.
        return (reward - usual) * noise / std, reward

    def tensors(self) -> dict[str, Tensor]:
        usual = torch.tensor([math.nan if self.usual is None else self.usual], dtype=torch.float64)
        return state_of(self.transformer, self.optimizer) | {"usual": usual}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.transformer, self.optimizer, tensors)
        usual = float(tensors["usual"])
        self.usual = None if math.isnan(usual) else usual
