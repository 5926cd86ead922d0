"""Meta-Sim's attribute learning, for `train` of learning.loop.

Scenes are drawn with the prior's attributes, a distribution transformer moves these, and the
pictures' features are to be distributed like the target's (Kar et al. 2019, section 3.3).
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from datagen.learning.attributes.gradients import (
    Batch,
    Estimate,
    Target,
    differences,
    reinforce,
    score,
)
from datagen.learning.attributes.leaps import Look, leap
from datagen.learning.attributes.scenery import Scenery
from datagen.learning.attributes.tasks import SceneReward
from datagen.learning.run import restore, state_of
from datagen.models.metasim import DistributionTransformer
from datagen.rng import Stream, rng_for
from datagen.settings.attributes import AttributeLearning

_MANY = 512  # scenes, and target pictures, by which a leap is decided
_ROUGH, _SURE = 1 << 40, 1 << 41  # scenes of looks around are numbered from here
_NEWEST = 0.7  # weight of the last reward in the moving average, as in the authors' code


class AttributeTrainee:
    """Moves the transformer down the gradient of MMD^2, and up a task's reward if there is one."""

    def __init__(
        self,
        scenery: Scenery,
        settings: AttributeLearning,
        transformer: DistributionTransformer,
        real: np.ndarray,  # float32 [N, D], features of the target pictures
        reward: SceneReward | None = None,
        first: int = 0,  # number of its first step; a stage that comes again goes on counting
    ) -> None:
        self.first = first
        self.scenery, self.settings, self.transformer = scenery, settings, transformer
        self.reward = reward
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
        rng = rng_for(self.scenery.seed, self.first + k, Stream.ATTRIBUTES)
        target = self._some_target(s.targets, rng)
        readings: dict[str, float] = {"leaps": self._leap(k, rng)}
        batch = self.scenery.batch((self.first + k) * s.batch, s.batch, rng)
        graphs = batch.graphs
        corrections = self.transformer(graphs.nodes, graphs.edges)
        values = graphs.moved(corrections, self.transformer.laws)
        estimate = self._estimate(batch, values.detach(), target, rng)
        readings |= {"mmd": estimate.mmd, "kernel_spread": estimate.kernel_spread}
        gradient = estimate.gradient
        if self.reward is not None:
            std = s.noise * graphs.span
            rise, reward = reinforce(batch, values.detach(), self.reward, self.usual, std, rng)
            gradient = gradient - s.task_weight * rise
            self.usual = _moved_average(self.usual, reward)
            readings["reward"] = reward
        for group in self.optimizer.param_groups:
            group["lr"] = s.learning_rate * min(1.0, 2 * (1 - k / s.steps))
        self.optimizer.zero_grad()
        values.backward(gradient)
        self.optimizer.step()
        return readings

    def _some_target(self, count: int, rng: np.random.Generator) -> Target:
        rows = rng.permutation(len(self.target.features))[:count]
        return self.target.some(torch.from_numpy(rows))

    @torch.no_grad()
    def _leap(self, k: int, rng: np.random.Generator) -> int:
        """Looks around at `settings.leaps` steps, evenly over the first 60 %: leaps taken."""
        s = self.settings
        if k not in {int(0.6 * s.steps * n / s.leaps) for n in range(s.leaps)}:
            return 0
        looks = []
        for first, count in ((_ROUGH, s.batch), (_SURE, _MANY)):
            batch = self.scenery.batch(first + (self.first + k) * _MANY, count, rng)
            corrections = self.transformer(batch.graphs.nodes, batch.graphs.edges)
            target = self._some_target(max(s.targets, _MANY), rng)
            looks.append(Look(batch, corrections, self.scenery.see, target, s.bandwidths))
        return leap(self.transformer.laws, *looks)

    def _estimate(
        self, batch: Batch, values: Tensor, target: Target, rng: np.random.Generator
    ) -> Estimate:
        s, graphs = self.settings, batch.graphs
        values = graphs.kept(values)
        if s.gradient == "score":
            return score(batch, values, self.scenery.see, target, s, s.noise * graphs.span, rng)
        return differences(batch, values, self.scenery.see, target, s, rng)

    def tensors(self) -> dict[str, Tensor]:
        usual = torch.tensor([math.nan if self.usual is None else self.usual], dtype=torch.float64)
        return state_of(self.transformer, self.optimizer) | {"usual": usual}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.transformer, self.optimizer, tensors)
        usual = float(tensors["usual"])
        self.usual = None if math.isnan(usual) else usual


def _moved_average(usual: float | None, newest: float) -> float:
    return newest if usual is None else _NEWEST * newest + (1 - _NEWEST) * usual
