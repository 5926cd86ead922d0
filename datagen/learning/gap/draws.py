"""Which rows are set against which: whole sets, halves of them, halves of the target, shuffles.

All replicates draw without replacement. A row that the plain bootstrap draws twice is at distance
0 from itself, which pulls every unbiased kernel statistic up; halves hold no row twice, and the
spread of a mean over random halves is that of the mean over the whole: var(1 / (n / 2) - 1 / n) =
var / n. So half-samples (McCarthy, 1969) need no correction where the distance is not small, and
err towards wide intervals where it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

FEWEST = 4  # rows of a set: each half needs two


@dataclass(frozen=True)
class Draws:
    """Pairs of subsets of pooled rows, the generated ones first, then the target's."""

    a: Tensor  # float32 [rows, replicates], 1 where a row is in the first subset
    b: Tensor  # float32 [rows, replicates], the same for the second

    def __len__(self) -> int:
        return self.a.shape[1]

    def subsets(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Numbers of the rows of either subset, replicate by replicate."""
        for a, b in zip(self.a.T, self.b.T, strict=True):
            yield a.nonzero().flatten(), b.nonzero().flatten()

    def first(self, count: int) -> "Draws":
        return Draws(self.a[:, :count], self.b[:, :count])


@dataclass(frozen=True)
class Plan:
    """What a reading needs: the value, its interval, the noise floor, and the null distribution."""

    whole: Draws  # one replicate: all rows of both sets
    halves: Draws  # a half of each set
    floor: Draws  # two parts of the target that share no row
    shuffles: Draws  # as many rows as in `whole`, dealt out as if all were of one set

    @property
    def rows(self) -> tuple[int, int]:
        """Rows of the two sets in `whole`."""
        return int(self.whole.a.sum()), int(self.whole.b.sum())

    def first(self, replicates: int) -> "Plan":
        """The same with fewer replicates, for a statistic that is costly."""
        parts = (self.halves, self.floor, self.shuffles)
        return Plan(self.whole, *(part.first(replicates) for part in parts))


def plan(
    generated: int, target: int, rng: np.random.Generator, replicates: int, *, matched: bool
) -> Plan:
    """Draws for sets of so many rows.

    `matched`, for statistics that are biased by the number of rows: both sets are cut to the
    smaller one's size, and halves and floor have equally many rows, a half of that. Otherwise all
    rows count, and the parts of the floor are the largest of equal size that are no larger than
    the generated set: what they show is at least the noise of the value.
    """
    rows, most = generated + target, min(generated, target)
    ours = np.arange(most if matched else generated)
    theirs = generated + np.arange(most if matched else target)
    part = most // 2 if matched else min(generated, target // 2)
    # The target's halves shall not depend on how many rows it is set against: then they are the
    # same ones for all candidates of `rank`.
    mine, its = rng.spawn(2)

    def halves() -> tuple[np.ndarray, np.ndarray]:
        return mine.permutation(ours)[: len(ours) // 2], its.permutation(theirs)[: len(theirs) // 2]

    def floor() -> tuple[np.ndarray, np.ndarray]:
        order = generated + its.permutation(target)
        return order[:part], order[part : 2 * part]

    def shuffle() -> tuple[np.ndarray, np.ndarray]:
        order = rng.permutation(np.concatenate([ours, theirs]))
        return order[: len(ours)], order[len(ours) :]

    return Plan(
        whole=_draws(rows, [(ours, theirs)]),
        halves=_draws(rows, [halves() for _ in range(replicates)]),
        floor=_draws(rows, [floor() for _ in range(replicates)]),
        shuffles=_draws(rows, [shuffle() for _ in range(replicates)]),
    )


def halves_of(rows: int, rng: np.random.Generator, replicates: int) -> Draws:
    """Random halves of one set, for a noise floor alone."""
    half = rows // 2
    orders = [rng.permutation(rows) for _ in range(replicates)]
    return _draws(rows, [(order[:half], order[half : 2 * half]) for order in orders])


def _draws(rows: int, subsets: list[tuple[np.ndarray, np.ndarray]]) -> Draws:
    sides = torch.zeros(2, rows, len(subsets))
    for k, pair in enumerate(subsets):
        for side, chosen in zip(sides, pair, strict=True):
            side[torch.from_numpy(chosen), k] = 1
    return Draws(sides[0], sides[1])
