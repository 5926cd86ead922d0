"""How the pictures' distance to the target changes with each attribute of each scene.

A renderer has no derivative, so it is asked: with every attribute a little higher and lower
("differences": Kar et al. 2019, section 3.3, central and divided by the distance between the two),
or with all attributes of a scene perturbed at once ("score"). A task's reward, too, only answers.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datagen.learning.attributes.graphs import SceneGraphs, Vocabulary, scenes_of
from datagen.learning.attributes.tasks import SceneReward
from datagen.learning.mmd import kernel, median_variances, mmd2, squared, witness
from datagen.placement import replaced
from datagen.scene import Scene
from datagen.settings.attributes import AttributeLearning

# (scenes, a number each) -> float32 [N, D], features of their pictures. The number decides a
# picture's pixel noise, so that two versions of one scene differ by their attributes alone.
See = Callable[[Sequence[Scene], Sequence[int]], np.ndarray]


@dataclass(frozen=True)
class Target:
    """Features of target pictures and what does not change between steps."""

    features: Tensor  # float32 [L, D]
    within: Tensor  # float32 [L, L], squared distances

    @classmethod
    def of(cls, features: Tensor) -> "Target":
        return cls(features, squared(features, features))

    def some(self, rows: Tensor) -> "Target":
        return Target(self.features[rows], self.within[rows][:, rows])


@dataclass(frozen=True)
class Batch:
    """Scenes with the prior's attributes, and the numbers that their pictures go by."""

    known: Vocabulary
    scenes: Sequence[Scene]
    numbers: Sequence[int]
    graphs: SceneGraphs

    def at(self, values: Tensor) -> list[Scene]:
        return scenes_of(self.known, self.scenes, self.graphs, values)


@dataclass(frozen=True)
class Estimate:
    """d MMD^2 / d value of each slot, float64 [S], and what was read on the way."""

    gradient: Tensor
    mmd: float  # MMD^2, unbiased
    kernel_spread: float  # see learning.kde


def differences(
    batch: Batch,
    values: Tensor,  # float64 [S], where the attributes are
    see: See,
    target: Target,
    settings: AttributeLearning,
    rng: np.random.Generator,
) -> Estimate:
    """Central differences of the witness: two pictures for each attribute of each scene.

    With more than `settings.most` attributes in a scene, that many are drawn and weigh more.
    """
    graphs, count = batch.graphs, len(batch.scenes)
    picked, weight = _picked(graphs, settings.most, rng)
    step = _nudges(graphs, settings)
    above, below = graphs.kept(values + step), graphs.kept(values - step)
    run = torch.where(graphs.on_circle, 2 * step, above - below)[picked]
    scenes = batch.at(values)
    nudged = [_with(batch, scenes, k, side[k]) for side in (above, below) for k in picked]
    owner = torch.cat([torch.arange(count), graphs.scene[picked].repeat(2)])
    numbers = [batch.numbers[k] for k in owner.tolist()]
    seen = torch.from_numpy(see([*scenes, *nudged], numbers))
    generated, changed = seen[:count], seen[count:]
    across, within = squared(generated, target.features), squared(generated, generated)
    variances = median_variances(across, settings.bandwidths)
    own = owner[count:, None] == owner[:count]
    to_real = squared(changed, target.features)
    height = witness(squared(changed, generated), to_real, own, variances).double()
    rise = height[: len(picked)] - height[len(picked) :]
    gradient = torch.zeros_like(values)
    gradient[picked] = 2 / count * weight * rise / run
    return Estimate(gradient, *_read(within, across, target, variances))


def score(
    batch: Batch,
    values: Tensor,  # float64 [S], the means of the perturbed attributes
    see: See,
    target: Target,
    settings: AttributeLearning,
    std: Tensor,  # float64 [S]
    rng: np.random.Generator,
) -> Estimate:
    """The score function of normal perturbations: two pictures for each scene.

    E[cost grad log N(x; value, std)] = E[cost e / std] with x = value + std e held fixed. The
    scene is drawn with e and with -e, and each is the other's baseline: what the digit, the
    exemplar and the texture do to the cost is the same in both and cancels.
    """
    noise = torch.from_numpy(rng.standard_normal(len(values)))
    scenes = [s for e in (noise, -noise) for s in batch.at(batch.graphs.kept(values + std * e))]
    generated = torch.from_numpy(see(scenes, [*batch.numbers, *batch.numbers]))
    across, within = squared(generated, target.features), squared(generated, generated)
    variances = median_variances(across, settings.bandwidths)
    count = len(batch.scenes)
    owner = torch.arange(count).repeat(2)
    height = witness(within, across, owner[:, None] == owner, variances).double()
    cost = 0.5 * (height[:count] - height[count:])
    gradient = 2 / count * cost[batch.graphs.scene] * noise / std
    return Estimate(gradient, *_read(within, across, target, variances))


def reinforce(
    batch: Batch,
    values: Tensor,  # float64 [S], the means of the perturbed attributes
    reward: SceneReward,
    baseline: float | None,  # None: there is none yet, and the gradient is 0
    std: Tensor,  # float64 [S]
    rng: np.random.Generator,
) -> tuple[Tensor, float]:
    """d E[reward] / d value of each slot [S] by REINFORCE, and the reward of this one sample.

    d log N(x; value, std) / d value = e / std at the sample x = value + std e, which is held
    fixed: differentiated through, it would cancel to 0, as in the authors' code.
    """
    noise = torch.from_numpy(rng.standard_normal(len(values)))
    found = reward(batch.at(batch.graphs.kept(values + std * noise)), batch.numbers)
    advantage = 0.0 if baseline is None else found - baseline
    return advantage * noise / std, found


def _read(
    within: Tensor, across: Tensor, target: Target, variances: Sequence[float]
) -> tuple[float, float]:
    spread = float(kernel(across, variances).std())
    return mmd2(within, across, target.within, variances), spread


def _picked(graphs: SceneGraphs, most: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Slots to nudge, at most `most` of a scene, and how many each stands for: int64, float64."""
    picked: list[int] = []
    weights: list[float] = []
    start = 0
    for slots in torch.bincount(graphs.scene).tolist():  # they lie scene by scene
        chosen = sorted(rng.permutation(slots)[:most].tolist())
        picked += (start + k for k in chosen)
        weights += [slots / len(chosen)] * len(chosen) if chosen else []
        start += slots
    return torch.tensor(picked, dtype=torch.int64), torch.tensor(weights, dtype=torch.float64)


def _nudges(graphs: SceneGraphs, settings: AttributeLearning) -> Tensor:
    """Half the distance between the two pictures of a slot, float64 [S]."""
    angle = math.radians(settings.nudge_angle)
    return (settings.nudge * graphs.span).masked_fill(graphs.on_circle, angle)


def _with(batch: Batch, scenes: Sequence[Scene], slot: Tensor, value: Tensor) -> Scene:
    where = batch.graphs.slots[int(slot)]
    changes = {where.path: {where.name: float(value) * where.factor}}
    return replaced(batch.known.grammar, scenes[where.scene], changes)
