"""The paper's own feature networks: an embedding of the picture, taught by what is in it.

Meta-Sim2, sections 4.1 and 4.2: a ResNet of three residual blocks of two 3x3 convolutions, an
embedding, three fully connected layers, and for each category either "is it there" (binary cross-
entropy) or "how many" as one-hot classes (cross-entropy). The features are the embedding. Widths
are not in the paper. Two things are ours, without which heads stay at chance: the map's maxima
beside its means, and a normalisation of the embedding without parameters.
"""

import torch
from torch import Tensor, nn

from datagen.models.counting import ResidualBlock


class EmbeddingNet(nn.Module):
    """Pictures -> an embedding of 8 * width numbers -> logits of what is in them.

    `classes`: of each category's count head, which tells 0 .. classes[k] - 1; None: one logit for
    each category, whether it is there.
    """

    def __init__(self, categories: int, width: int, classes: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.classes = classes
        self.trunk = nn.Sequential(
            nn.Conv2d(3, width, 5, 2, 2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            ResidualBlock(width, 3 * width // 2, 2),
            ResidualBlock(3 * width // 2, 3 * width, 2),
            ResidualBlock(3 * width, 4 * width, 1),
        )
        # Means of a sparse picture are tiny and alike, and heads on them learn nothing for long.
        self.norm = nn.BatchNorm1d(8 * width, affine=False)
        self.heads = nn.Sequential(
            nn.Linear(8 * width, 128),
            nn.ReLU(),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Linear(128, categories if classes is None else sum(classes)),
        )

    def embedding(self, pictures: Tensor) -> Tensor:
        """uint8 [N, H, W, 3] -> float32 [N, 8 * width], of spread 1 over the prior."""
        precision = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        x = pictures.permute(0, 3, 1, 2).to(precision or torch.float32) / 128 - 1
        x = self.trunk(x).float()
        return self.norm(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """uint8 [N, H, W, 3] -> logits [N, categories] or [N, sum(classes)]."""
        return self.heads(self.embedding(pictures)).float()

    def loss(self, logits: Tensor, counts: Tensor) -> Tensor:
        """Mean over the categories of counts int64 [N, categories]; those past the last class
        are of the last class.
        """
        if self.classes is None:
            there = (counts > 0).float()
            return nn.functional.binary_cross_entropy_with_logits(logits, there)
        losses = [
            nn.functional.cross_entropy(part, told.clamp_max(part.shape[1] - 1))
            for part, told in zip(logits.split(self.classes, 1), counts.unbind(1), strict=True)
        ]
        return torch.stack(losses).mean()

    def right(self, logits: Tensor, counts: Tensor) -> Tensor:
        """bool [N, categories]: which heads say what is so."""
        if self.classes is None:
            return (logits > 0) == (counts > 0)
        parts = logits.split(self.classes, 1)
        return torch.stack([part.argmax(1) for part in parts], 1) == counts
