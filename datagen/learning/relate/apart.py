"""Scenes with one of their objects apart from the others, and what training asks of them.

Beyond the paper, whose losses leave free what an object's change of a picture looks like.
"""

from typing import NamedTuple

import torch
from torch import Tensor

_WEAK = 1e-3  # mean squared change, of 1 from black to white: weaker ones count for less


class Apart(NamedTuple):
    """Four pictures of each of M scenes [M, 3, H, W], and where the one object is."""

    whole: Tensor  # with all objects
    others: Tensor  # without the one
    lone: Tensor  # with the one alone
    empty: Tensor
    poses: Tensor  # M, 2: of the one; x, y in -1..1
    looks: Tensor  # M: the number of its learned constant

    def unlike(self) -> Tensor:
        """By how much the one changes otherwise what is there with the others than what is there
        without: the mean of the absolute difference.

        Objects that paint away what the background paints, or share one thing, do not add up.
        """
        return (self.whole - self.others - self.lone + self.empty).abs().mean()

    def astray(self) -> Tensor:
        """How far beside its pose an object changes pictures as a rule: the squared length of the
        mean offset of the objects of one look, in half-sides of the picture, summed over looks.

        An offset that is the same in all pictures changes no picture's likelihood, since poses
        can move the other way; so nothing else in training removes it.
        """
        change = (self.lone - self.empty).float().square().sum(1)
        h, w = change.shape[1:]
        weight = change.sum((1, 2))
        x = change.sum(1) @ _places(w, change) - weight * self.poses[:, 0]
        y = change.sum(2) @ _places(h, change) - weight * self.poses[:, 1]
        beside = torch.stack([x, y], 1) / (weight + _WEAK * h * w)[:, None]
        which = torch.nn.functional.one_hot(self.looks).to(beside)
        means = which.T @ beside / which.sum(0).clamp(min=1)[:, None]
        return means.square().sum()


def _places(count: int, like: Tensor) -> Tensor:
    """[count]: middles of pixels along a side, in -1..1."""
    return (torch.arange(count, device=like.device, dtype=like.dtype) + 0.5) / count * 2 - 1
