"""How often each way of placing things is chosen while structure is learned; ours."""

import torch
from torch import Tensor, nn


class Arrangement(nn.Module):
    """A categorical law over `kinds` arrangements, all alike to begin with."""

    def __init__(self, kinds: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(kinds))

    def log_prob(self, kinds: Tensor) -> Tensor:
        """int64 [B] -> [B]."""
        return self.logits.log_softmax(0)[kinds]

    @torch.no_grad()
    def sample(self, uniforms: Tensor) -> Tensor:
        """Numbers [B] in [0, 1) -> int64 [B]."""
        cumulative = self.shares().cumsum(0)
        return torch.bucketize(uniforms, cumulative[:-1], right=True)

    @torch.no_grad()
    def shares(self) -> Tensor:
        """[kinds], they sum to 1."""
        return self.logits.softmax(0)
