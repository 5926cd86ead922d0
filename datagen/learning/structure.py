"""Meta-Sim2's two stages of structure learning, for `train` of learning.loop."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from datagen.errors import InputError
from datagen.learning.gap import energy_distance
from datagen.learning.measuring import Measure
from datagen.learning.reinforce import Baseline, DensityScore, policy_loss
from datagen.learning.run import restore, state_of
from datagen.learning.strings import draw, pad, prior_strings
from datagen.models.metasim2 import StructureModel
from datagen.recipe import Recipe
from datagen.rng import Stream, rng_for


class Pretrainee:
    """Maximum likelihood on the prior's derivations."""

    def __init__(self, recipe: Recipe, model: StructureModel) -> None:
        self.grammar, self.learn, self.model = recipe.world(), recipe.learn, model
        rate = self.learn.pretraining.learning_rate
        self.optimizer = torch.optim.Adam(model.parameters(), rate)

    @property
    def steps(self) -> int:
        return self.learn.pretraining.steps

    def begin(self, step: int) -> None:
        self.model.train()

    def step(self, k: int) -> Mapping[str, float]:
        s = self.learn.pretraining
        derivations = prior_strings(self.grammar, self.learn.seed, k * s.batch, s.batch)
        fitting = [d for d in derivations if len(d) <= self.model.max_steps]
        if not fitting:
            raise InputError(
                f"no scene of {self.grammar.world} ends within learn.max_steps = "
                f"{self.model.max_steps} rules; raise it"
            )
        rules = pad(fitting, self.model.max_steps, self.model.tables.rules)
        _set_rate(self.optimizer, s.learning_rate * (1 - k / s.steps))
        loss = -self.model.log_prob(rules).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": float(loss.detach())}

    def tensors(self) -> dict[str, Tensor]:
        return state_of(self.model, self.optimizer)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.model, self.optimizer, tensors)


class Reinforcee:
    """REINFORCE against the features of the target pictures; no label is looked at."""

    def __init__(
        self,
        recipe: Recipe,
        model: StructureModel,
        measure: Measure,
        real: np.ndarray,  # float32 [N, heads], features of the target pictures
    ) -> None:
        self.learn, self.model = recipe.learn, model
        self.measure = measure
        self.real = torch.from_numpy(real)
        self.settings = self.learn.reinforcement
        self.score = DensityScore(self.real, self.settings)
        self.baseline = Baseline()
        self.prior = copy.deepcopy(model).requires_grad_(False)
        self.optimizer = torch.optim.Adam(
            model.parameters(), self.settings.learning_rate, betas=(0.9, 0.99)
        )

    @property
    def steps(self) -> int:
        return self.settings.iterations

    def begin(self, step: int) -> None:
        self.model.train()

    def step(self, k: int) -> Mapping[str, float]:
        s = self.settings
        rng = rng_for(self.learn.seed, k, Stream.LEARN)
        drawn = draw(self.model, s.batch, rng)
        derivations = drawn.derivations(self.model)
        generated = torch.from_numpy(self.measure(derivations, k * s.batch))
        cost = self.score.cost(generated, self._some_real(rng))
        log_q = self.model.log_prob(drawn.rules)
        divergence = cost.mean()
        surprise = log_q.detach() - self.prior.log_prob(drawn.rules)
        cost = cost + s.prior_weight * surprise
        loss = policy_loss(log_q, cost, drawn.failures, self.baseline, s)
        _set_rate(self.optimizer, s.learning_rate * min(1.0, 2 * (1 - k / s.iterations)))
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return {
            "distance": energy_distance(generated.numpy(), self.real[: s.targets].numpy()),
            "divergence": float(divergence),
            "from_prior": float(surprise.mean()),
            "entropy": float(-log_q.detach().mean()),
            "rejected": float(drawn.failures.float().mean()),
            "kernel_spread": self.score.spread(generated),
        }

    def _some_real(self, rng: np.random.Generator) -> Tensor:
        if len(self.real) <= self.settings.targets:
            return self.real
        return self.real[rng.permutation(len(self.real))[: self.settings.targets]]

    def tensors(self) -> dict[str, Tensor]:
        b = self.baseline
        baseline = torch.tensor([b.mean, b.std, b.steps], dtype=torch.float64)
        return state_of(self.model, self.optimizer) | {"baseline": baseline}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.model, self.optimizer, tensors)
        mean, std, steps = tensors["baseline"].tolist()
        self.baseline = Baseline(mean, std, int(steps))


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
