"""What GNM's training minimises, term by term, and the likelihood of a picture by samples.

Supplement, equations 1 to 5. The auxiliary terms tell objects what the learned priors cannot:
that they are few, as large as expected, and near the middle of their cells.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from datagen.models.draw import Gauss, gauss_kl
from datagen.models.gnm import Cells, Gnm, Noise, Objects
from datagen.models.gnm_lessons import Lesson, Taught, missed

_RATIO, _CENTRE = 0.3, 1.0  # standard deviations of the auxiliary priors of where


@dataclass(frozen=True)
class Weights:
    """Of the terms, at one step."""

    layout: float  # beta_g
    main: float = 1.0  # KL(q(z_s | x) || p(z_s | z_g))
    backdrop: float = 1.0  # beta_b


class Terms(NamedTuple):
    """Means over a batch; KL divergences in nats."""

    error: Tensor  # squared, summed over a picture
    layout: Tensor  # KL of z_g
    main: Tensor  # KL of z_s, and of z_b, from the priors that z_g gives
    few: Tensor  # auxiliary, of z_s
    backdrop: Tensor  # auxiliary, of z_b
    missed: Tensor  # of what lessons teach of presence and places; 0 in the last
    what: Tensor  # KL of the appearance of what is present, from N(0, 1)
    told: Tensor  # of the same from p(what | z_g)
    count: Tensor  # of objects that are present

    def total(self, weights: Weights, noise: float) -> Tensor:
        """Equation 5, to be minimised. `noise`: sigma of a pixel."""
        return (
            self.error / (2 * noise**2)
            + weights.layout * self.layout
            + weights.main * self.main
            + self.few
            + weights.backdrop * self.backdrop
            + self.missed
        )


def terms(model: Gnm, pictures: Tensor, taught: Taught, rare: float, spread: float) -> Terms:
    """The terms of pictures [B, C, H, W]. `rare`: rho, the auxiliary prior of presence.

    `spread`: standard deviation of the auxiliary prior of the logit of an object's side. Without
    objects the law of presence does not count; while objects are put somewhere, that of looks does
    not: where it did, looks that were not told apart in time never were.
    """
    (drawn, q, p, objects, behind), picture = taught.seen
    there = objects.presence
    assert drawn.posterior is not None
    counts = 0.0 if taught.lesson is Lesson.BACKGROUND else 1.0
    main = counts * bernoulli_kl(q.presence, p.presence).sum(1)
    look, parts = model.sizes.look, there[..., None].expand(*there.shape, model.sizes.each)
    if taught.lesson in (Lesson.BOXES, Lesson.SHAPES):
        parts = parts.clone()
        parts[..., look] = 0
    given = gauss_kl(q.law, p.law)  # B, K, each
    main = main + (parts * given).sum((1, 2))
    free = gauss_kl(q.law, auxiliary(model, q.law, spread))
    chance = torch.full_like(q.presence, math.log(rare / (1 - rare)))
    few = counts * bernoulli_kl(q.presence, chance).sum(1) + (parts * free).sum((1, 2))
    backdrop = torch.zeros_like(few)
    if behind is not None:
        q_b, p_b = behind
        main = main + gauss_kl(q_b, p_b).sum(1)
        backdrop = gauss_kl(q_b, Gauss(torch.zeros_like(q_b.mean), torch.ones_like(q_b.std))).sum(1)
    return Terms(
        error=(pictures - picture).square().sum((1, 2, 3)).mean(),
        layout=gauss_kl(drawn.posterior, drawn.prior).flatten(1).sum(1).mean(),
        main=main.mean(),
        few=few.mean(),
        backdrop=backdrop.mean(),
        missed=missed(taught),
        what=(there[..., None] * free[..., look]).sum((1, 2)).mean().detach(),
        told=(there[..., None] * given[..., look]).sum((1, 2)).mean().detach(),
        count=there.sum(1).mean().detach(),
    )


def auxiliary(model: Gnm, law: Gauss, spread: float) -> Gauss:
    """The fixed prior of where, what and depth, as wide as `law`."""
    mean, std = torch.zeros_like(law.mean), torch.ones_like(law.std)
    mean[..., 0] = math.log(model.sizes.size / (1 - model.sizes.size))
    std[..., 0], std[..., 1], std[..., 2:4] = spread, _RATIO, _CENTRE
    return Gauss(mean, std)


def bernoulli_kl(q: Tensor, p: Tensor) -> Tensor:
    """KL of Bernoulli laws given by their logits."""
    share = torch.sigmoid(q)
    yes = F.logsigmoid(q) - F.logsigmoid(p)
    no = F.logsigmoid(-q) - F.logsigmoid(-p)
    return share * yes + (1 - share) * no


def log_likelihood(model: Gnm, pictures: Tensor, noises: list[Noise]) -> Tensor:
    """log p(x) of pictures [B, C, H, W] in nats, [B], by importance sampling.

    One particle of the posterior for each of `noises`; presence is yes or no, and what an absent
    object would be has no law. A lower bound on average, and tighter with more particles.
    """
    features = model.encode(pictures)
    found = model.cells(features)
    weights = [_weight(model, pictures, features, found, noise) for noise in noises]
    return torch.stack(weights).logsumexp(0) - math.log(len(weights))


def _weight(model: Gnm, pictures: Tensor, features: Tensor, found: Cells, noise: Noise) -> Tensor:
    """log p(x, z) - log q(z | x) of one particle, [B]."""
    drawn = model.draw(features, noise.drawing)
    assert drawn.posterior is not None
    expected = model.cells(drawn.features)
    there = (found.presence + noise.presence > 0).float()
    values = found.law.sample(noise.values)
    log = drawn.prior.log_prob(drawn.z) - drawn.posterior.log_prob(drawn.z)
    log = log.flatten(1).sum(1)
    sign = 2 * there - 1
    log = log + (F.logsigmoid(sign * expected.presence) - F.logsigmoid(sign * found.presence)).sum(
        1
    )
    each = expected.law.log_prob(values) - found.law.log_prob(values)
    log = log + (there[..., None] * each).sum((1, 2))
    z_b = None
    if model.sizes.background:
        q, p = model.behind_seen(features), model.behind_law(drawn)
        z_b = q.sample(noise.background)
        log = log + (p.log_prob(z_b) - q.log_prob(z_b)).sum(1)
    made = model.render(Objects(there, values, z_b))
    pixel = Gauss(made, torch.full_like(made, model.sizes.noise))
    return log + pixel.log_prob(pictures).sum((1, 2, 3))
