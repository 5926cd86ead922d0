"""Meta-Sim2's two stages of structure learning, for `train` of learning.loop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn

from datagen.errors import InputError
from datagen.learning.arranging import spaced
from datagen.learning.measuring import Measure
from datagen.learning.run import restore, state_of
from datagen.learning.strings import draw, pad, prior_strings
from datagen.learning.structure.floor import Floor
from datagen.learning.structure.reinforce import Baseline, policy_loss
from datagen.learning.structure.rewards import Kernels, View, reward
from datagen.models.arrangement import Arrangement
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


@dataclass(frozen=True)
class Batch:
    """Scenes that REINFORCE learns from: some drawn just now, the rest by the model before."""

    rules: Tensor  # int64 [M, T], padded
    failures: Tensor  # int64 [M], tries that came to nothing
    features: Tensor  # float32 [M, D]
    log_q: Tensor  # float32 [M], structure and arrangement, of the model that drew each
    log_prior: Tensor  # float32 [M], of the structure
    arrangements: Tensor  # int64 [M], as in learning.arranging.spaced

    def followed_by(self, new: "Batch") -> "Batch":
        """As many as before, the newest last."""
        size = len(self.rules)
        return Batch(
            *(
                torch.cat([getattr(self, f.name), getattr(new, f.name)])[-size:]
                for f in fields(self)
            )
        )


class Reinforcee:
    """REINFORCE against the features of the target pictures; no label is looked at.

    The learning rate is constant for half of the iterations, then falls to 0. Where the target's
    own noise is reached before, it begins to fall there, for as long again: further steps
    would fit what these pictures cannot tell.

    How things are arranged is a choice of the policy as well, ours: where the target's things keep
    apart and the prior's cover one another, equal pictures would need more things.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: StructureModel,
        prior: StructureModel,  # that the model is held near
        measure: Measure,
        real: np.ndarray,  # float32 [N, D], features of the target pictures
        views: Sequence[View],
        first: int = 0,  # number of its first step; a stage that comes again goes on counting
    ) -> None:
        self.learn, self.model, self.first = recipe.learn, model, first
        self.measure = measure
        self.real = torch.from_numpy(real)
        self.settings = self.learn.reinforcement
        self.kinds = tuple(spaced(recipe.world()))
        self.arrangement = Arrangement(len(self.kinds))
        self.policy = nn.ModuleList([model, self.arrangement])
        self.kernels = Kernels(self.real, views, self.settings)
        self.reward = reward(self.kernels, self.settings)
        self.floor = Floor(self.kernels, self.learn.seed)
        self.baseline = Baseline()
        self.reached: int | None = None  # the iteration that came down to the noise of the target
        self.batch: Batch | None = None
        self.fresh = min(self.settings.fresh, self.settings.batch)
        self.prior = prior.requires_grad_(False)
        self.optimizer = torch.optim.Adam(
            self.policy.parameters(), self.settings.learning_rate, betas=(0.9, 0.99)
        )

    @property
    def steps(self) -> int:
        if self.reached is None:
            return self.settings.iterations
        return min(self.settings.iterations, self.reached + max(_COOLING, self.reached))

    def begin(self, step: int) -> None:
        self.model.train()

    def step(self, k: int) -> Mapping[str, float]:
        s = self.settings
        rng = rng_for(self.learn.seed, self.first + k, Stream.LEARN)
        batch = self._renewed(k, rng)
        structure = self.model.log_prob(batch.rules)
        log_q = structure + self.arrangement.log_prob(batch.arrangements)
        log_weights = (log_q.detach() - batch.log_q).clamp(-_WEIGHT, _WEIGHT)
        cost = self.reward(batch.features, self._some_real(rng), log_weights)
        surprise = structure.detach() - batch.log_prior
        held = cost + self._prior_weight(k) * surprise
        held = held + s.entropy_weight * (1 - k / s.iterations) * structure.detach()
        loss = policy_loss(log_q, held, batch.failures, log_weights, self.baseline, s)
        _set_rate(self.optimizer, s.learning_rate * self._cooled(k))
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.policy.parameters(), 1.0)
        self.optimizer.step()
        share = log_weights.softmax(0)
        discrepancy = self.floor.read(batch.features[-self.fresh :])
        if s.stop_at_floor and self.reached is None and self.floor.is_reached:
            self.reached = k + 1
        return {
            "discrepancy": discrepancy,
            "floor": self.floor.value,
            "cost": float(share @ cost),
            "from_prior": float(share @ surprise),
            "entropy": float(-share @ structure.detach()),
            "effective": float(1 / share.square().sum()),
            "rejected": float(batch.failures[-self.fresh :].float().mean()),
            "kernel_spread": self.kernels.spread(batch.features),
            **self.shares,
        }

    @property
    def shares(self) -> dict[str, float]:
        """How often each arrangement is chosen, by the names of `arranging.spaced`."""
        return dict(zip(self.kinds, self.arrangement.shares().tolist(), strict=True))

    def _renewed(self, k: int, rng: np.random.Generator) -> Batch:
        """The batch with newly rendered scenes in the place of the oldest."""
        count = self.settings.batch if self.batch is None else self.fresh
        drawn = draw(self.model, count, rng)
        arrangements = self.arrangement.sample(torch.from_numpy(rng.random(count)))
        with torch.no_grad():
            log_q, log_prior = (m.log_prob(drawn.rules) for m in (self.model, self.prior))
            log_q = log_q + self.arrangement.log_prob(arrangements)
        seen = self.measure(
            drawn.derivations(self.model),
            (self.first + k) * self.settings.batch,
            arrangements.tolist(),
        )
        features = torch.from_numpy(seen)
        new = Batch(drawn.rules, drawn.failures, features, log_q, log_prior, arrangements)
        self.batch = new if self.batch is None else self.batch.followed_by(new)
        return self.batch

    def _cooled(self, k: int) -> float:
        """Factor of the learning rate."""
        hot = (
            self.settings.iterations / 2
            if self.reached is None
            else min(self.reached, self.settings.iterations / 2)
        )
        return min(1.0, (self.steps - k) / max(1.0, self.steps - hot))

    def _prior_weight(self, k: int) -> float:
        first, last = self.settings.prior_weight
        return first + (last - first) * min(1.0, 2 * k / self.settings.iterations)

    def _some_real(self, rng: np.random.Generator) -> Tensor:
        count = self.settings.targets or self.settings.batch - 1
        if len(self.real) <= count:
            return self.real
        return self.real[rng.permutation(len(self.real))[:count]]

    def tensors(self) -> dict[str, Tensor]:
        b = self.baseline
        numbers = [b.mean, b.std, b.steps, -1 if self.reached is None else self.reached]
        state = torch.tensor(numbers, dtype=torch.float64)
        more = {"progress": state, "readings": torch.tensor(self.floor.readings).double()}
        kept = {f"batch.{k}": v for k, v in vars(self.batch).items()} if self.batch else {}
        return state_of(self.policy, self.optimizer) | more | kept

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore(self.policy, self.optimizer, tensors)
        mean, std, steps, reached = tensors["progress"].tolist()
        self.baseline = Baseline(mean, std, int(steps))
        self.reached = None if reached < 0 else int(reached)
        self.floor.readings = tensors["readings"].tolist()
        kept = {k[6:]: v for k, v in tensors.items() if k.startswith("batch.")}
        self.batch = Batch(**kept) if kept else None


_WEIGHT = 2.0  # limit of log importance weights, either way: no old scene may own the batch
_COOLING = 100  # iterations at least, after the floor was reached


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
