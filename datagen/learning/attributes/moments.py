"""Whole laws by the method of simulated moments: for worlds with many attributes a scene.

Where a scene has a hundred attributes, a gradient for each of them drowns in what the others do.
But few of their laws differ from the target's, and a law shows in the mean of the features over
many pictures. So each scene is drawn with laws of its own, perturbed, and a linear model of
features by laws is fitted to the pictures of several rounds; the laws are put where that model has
the target's mean (McFadden, "A Method of Simulated Moments", Econometrica 1989; the regression on
draws as in Beaumont et al., Genetics 2002). Ours; Meta-Sim has a gradient alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from datagen.learning.attributes.scenery import Scenery
from datagen.learning.run import module_tensors, restore_module
from datagen.models.metasim import DistributionTransformer
from datagen.rng import Stream, rng_for
from datagen.settings.attributes import Moments

_SHRUNK = 0.1  # towards independent features, of their covariance
_LEAST = 1e-2  # std of a feature, things a cell: rarer ones say little, and divide badly
_REACH = 0.7  # that a law may move in a round, logits or radians: the model is a linear one
_NEAR = 0.5  # so far from the newest laws a round still counts
_SURE = 2.0  # standard deviations of what chance does, about
_PASSES = 5  # over what the model cannot explain


@dataclass(frozen=True)
class Round:
    """M scenes, each drawn as the laws are, and perturbed by e and by -e. P laws, D features.

    The mean is of pictures as they are: perturbed ones would be of wider laws.
    """

    laws: Tensor  # float64 [P], unperturbed
    noise: Tensor  # float64 [M, P], e
    rise: Tensor  # float64 [M, D], half of the difference between the two that are perturbed
    plain: Tensor  # float64 [M, D], of the one that is not


@dataclass(frozen=True)
class Fit:
    """Where the laws should be, float64 [P], and how good that is."""

    laws: Tensor
    gap: float  # squared, whitened, between the newest round's mean features and the target's
    floor: float  # what the gap would be between equal laws, by the number of pictures alone
    unexplained: float  # variance of a feature's gap that no law explains, in the floor's units


def fit(rounds: Sequence[Round], real: Tensor, held: Tensor) -> Fit:
    """The laws with the target's mean features, by a linear model; real [N, D].

    The most likely ones, where a law is normal about the prior's with the deviations `held` [P]:
    what pictures do not show stays. The gap that is left tells how far the model is to be trusted.
    """
    whiten = _whitening(rounds, real)
    near = _nearness(rounds)
    noise = torch.cat([r.noise * w.sqrt() for r, w in zip(rounds, near, strict=True)])
    rise = torch.cat([r.rise * w.sqrt() for r, w in zip(rounds, near, strict=True)]) @ whiten
    effect = _effects(noise, rise)
    # At the prior's laws, as each round has it.
    origins = torch.stack([r.plain.mean(0) @ whiten - r.laws @ effect for r in rounds])
    missing = real.mean(0) @ whiten - near / near.sum() @ origins
    least = float(1 / len(real) + 1 / (near.sum() * len(rounds[-1].plain)))
    variance, laws = least, torch.zeros_like(held)
    for _ in range(_PASSES):
        information = effect @ effect.T / variance + torch.diag(held**-2)
        laws = torch.linalg.solve(information, effect @ missing / variance)
        variance = max(least, float((missing - laws @ effect).square().mean()))
    newest = rounds[-1]
    gap = (real.mean(0) - newest.plain.mean(0)) @ whiten
    floor = len(gap) * (1 / len(real) + 1 / len(newest.plain))
    here = newest.laws
    return Fit(
        here + (laws - here).clamp(-_REACH, _REACH),
        float(gap.square().sum()),
        floor,
        variance / least,
    )


def _nearness(rounds: Sequence[Round]) -> Tensor:
    """Weight of each round, [rounds]: what is linear near the newest laws may not be far away."""
    newest = rounds[-1].laws
    away = torch.stack([(r.laws - newest).abs().max() for r in rounds])
    return (-0.5 * (away / _NEAR).square()).exp()


def _whitening(rounds: Sequence[Round], real: Tensor) -> Tensor:
    """[D, D]: features times this are of unit variance and independent, about."""
    spread = torch.cat([r.plain - r.plain.mean(0) for r in rounds])
    cov = 0.5 * (torch.cov(real.T) + torch.cov(spread.T))
    diagonal = torch.diag(cov.diagonal())
    cov = (1 - _SHRUNK) * cov + _SHRUNK * diagonal + _LEAST**2 * torch.eye(len(cov))
    return torch.linalg.cholesky(torch.linalg.inv(cov))


def _effects(noise: Tensor, rise: Tensor) -> Tensor:
    """What each law does to each feature: [P, D], from [M, P] and [M, D].

    An effect no larger than chance makes it is none: a law that pictures do not show would else
    be moved to wherever the others' errors are made up for.
    """
    inner = torch.linalg.inv(noise.T @ noise + 1e-9 * torch.eye(noise.shape[1]))
    effect = inner @ noise.T @ rise
    chance = (rise - noise @ effect).var(0).sum() * inner.diagonal()
    chance = chance * (1 + _SURE * math.sqrt(2 / rise.shape[1]))
    size = effect.square().sum(1)
    return effect * (1 - chance / size.clamp_min(1e-30)).clamp_min(0)[:, None]


class LawTrainee:
    """Learns the transformer's `laws`; what its network does for each node stays as it is."""

    def __init__(
        self,
        scenery: Scenery,
        settings: Moments,
        transformer: DistributionTransformer,
        real: np.ndarray,  # float32 [N, D], features of the target pictures
        first: int = 0,  # number of its first round; a stage that comes again goes on counting
    ) -> None:
        self.scenery, self.settings, self.first = scenery, settings, first
        self.transformer = transformer
        self.real = torch.from_numpy(real).double()
        self.held = torch.tensor(settings.held).double().repeat(len(scenery.known.kinds))
        self.rounds: list[Round] = []

    @property
    def steps(self) -> int:
        return self.settings.rounds

    def begin(self, step: int) -> None:
        self.transformer.eval()

    @torch.no_grad()
    def step(self, k: int) -> Mapping[str, float]:
        s = self.settings
        rng = rng_for(self.scenery.seed, self.first + k, Stream.ATTRIBUTES)
        self.rounds = [*self.rounds, self._round(k, rng)][-s.window :]
        found = fit(self.rounds, self.real, self.held)
        self.transformer.laws.copy_(found.laws.view_as(self.transformer.laws))
        return {"gap": found.gap, "floor": found.floor, "unexplained": found.unexplained}

    def _round(self, k: int, rng: np.random.Generator) -> Round:
        s, laws = self.settings, self.transformer.laws
        batch = self.scenery.batch((self.first + k) * s.scenes, s.scenes, rng)
        graphs = batch.graphs
        corrections = self.transformer(graphs.nodes, graphs.edges)
        noise = s.step * torch.from_numpy(rng.standard_normal((s.scenes, *laws.shape)))
        # What is in none of the scenes has no law that they could show.
        noise = noise * torch.bincount(graphs.kind, minlength=len(laws)).clamp_max(1)[:, None]

        def seen(laws: Tensor) -> Tensor:
            scenes = batch.at(graphs.kept(graphs.moved(corrections, laws)))
            return torch.from_numpy(self.scenery.see(scenes, batch.numbers)).double()

        rise = (seen(laws + noise) - seen(laws - noise)) / 2
        return Round(laws.double().flatten().clone(), noise.flatten(1), rise, seen(laws))

    def tensors(self) -> dict[str, Tensor]:
        kept = {
            f"round.{n}.{f.name}": getattr(one, f.name)
            for n, one in enumerate(self.rounds)
            for f in fields(one)
        }
        return module_tensors(self.transformer) | kept

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        restore_module(self.transformer, tensors)
        count = sum(k.startswith("round.") for k in tensors) // len(fields(Round))
        self.rounds = [
            Round(**{f.name: tensors[f"round.{n}.{f.name}"] for f in fields(Round)})
            for n in range(count)
        ]
