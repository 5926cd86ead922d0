"""One step of Meta-Sim2's structure learning: score generated scenes, push their probability."""

from dataclasses import dataclass

import torch
from torch import Tensor

from datagen.learn_settings import Reinforcement
from datagen.learning.kde import kernel_spread, log_ratio, median_squared_distance


@dataclass
class Baseline:
    """Moving average and spread of the cost; `steps` 0 means it has seen nothing."""

    mean: float = 0.0
    std: float = 1.0
    steps: int = 0

    def update(self, cost: Tensor, decay: float) -> None:
        keep = decay if self.steps else 0.0
        self.mean = keep * self.mean + (1 - keep) * float(cost.mean())
        self.std = keep * self.std + (1 - keep) * float(cost.std())
        self.steps += 1

    def advantage(self, cost: Tensor) -> Tensor:
        return (cost - self.mean) / max(self.std, 1e-3)


@dataclass(frozen=True)
class View:
    """Some columns of the features, scaled, with kernels of their own."""

    scales: tuple[float, ...]  # 0 leaves a column out
    variances: tuple[float, ...]

    def of(self, features: Tensor) -> Tensor:
        used = [k for k, scale in enumerate(self.scales) if scale]
        return features[:, used] * torch.tensor([self.scales[k] for k in used])


class DensityScore:
    """cost_j = log q(phi_j) - log p(phi_j), equation (2), summed over views of the features.

    One estimate over all columns spends its resolution on what differs most between pictures; the
    total count (last column, when there are several) gets a view of its own, or rare high counts
    blur.
    """

    def __init__(self, real: Tensor, settings: Reinforcement) -> None:
        self.real, self.clip = real, settings.clip
        several = real.shape[1] > 1
        every = (1.0,) * (real.shape[1] - 1) + (_TOTAL_SCALE if several else 1.0,)
        scale = median_squared_distance(View(every, ()).of(real[:_PAIRS]))
        self.views = [View(every, tuple(b * scale for b in settings.bandwidths))]
        if several:
            only = (0.0,) * (real.shape[1] - 1) + (1.0,)
            self.views.append(View(only, (_TOTAL_STD**2,)))

    def cost(self, generated: Tensor, real: Tensor) -> Tensor:
        """[M, D], [L, D] -> [M]."""
        cost = torch.zeros(len(generated))
        for view in self.views:
            cost += log_ratio(view.of(generated), view.of(real), view.variances, self.clip)
        return cost

    def spread(self, generated: Tensor) -> float:
        """Kernel spread of the widest kernel; see `kernel_spread`."""
        view = self.views[0]
        return kernel_spread(view.of(generated), view.of(self.real), max(view.variances))


_TOTAL_SCALE = 2.0  # of the total among the other counts
_TOTAL_STD = 0.3  # of the kernel on the total alone, in things
_PAIRS = 1000  # rows that the median distance is taken over


def policy_loss(
    log_q: Tensor, cost: Tensor, failures: Tensor, baseline: Baseline, settings: Reinforcement
) -> Tensor:
    """Surrogate whose gradient is REINFORCE's, with the penalty on rejection of section 3.3."""
    total = cost + settings.reject_weight * (failures > settings.reject_above)
    baseline.update(total, settings.baseline_decay)
    return (baseline.advantage(total) * log_q).mean()
