"""One step of Meta-Sim2's structure learning: the surrogate whose gradient is REINFORCE's."""

from dataclasses import dataclass

from torch import Tensor

from datagen.settings.learn import Reinforcement


@dataclass
class Baseline:
    """Moving average of the cost and of its spread about it; `steps` 0: it has seen nothing."""

    mean: float = 0.0
    std: float = 1.0
    steps: int = 0

    def update(self, cost: Tensor, share: Tensor, decay: float) -> None:
        """Costs [M] and each one's share of the batch [M]."""
        keep = decay if self.steps else 0.0
        mean = float(share @ cost)
        centre = self.mean if self.steps else mean
        # About the moving mean: a cost that is one for the whole batch varies between batches only.
        spread = float(share @ (cost - centre).square()) ** 0.5
        self.mean = keep * self.mean + (1 - keep) * mean
        self.std = keep * self.std + (1 - keep) * spread
        self.steps += 1

    def advantage(self, cost: Tensor) -> Tensor:
        return (cost - self.mean) / max(self.std, 1e-6)


def policy_loss(
    log_q: Tensor,
    cost: Tensor,
    failures: Tensor,
    log_weights: Tensor,
    baseline: Baseline,
    settings: Reinforcement,
) -> Tensor:
    """Weighted mean of advantage times log q [M], with the rejection penalty of section 3.3.

    `log_weights` [M] are log importance weights: scenes that an earlier model drew count as often
    as this model would draw them.
    """
    total = cost.detach() + settings.reject_weight * (failures > settings.reject_above)
    share = log_weights.softmax(0)
    baseline.update(total, share, settings.baseline_decay)
    return (share * baseline.advantage(total) * log_q).sum()
