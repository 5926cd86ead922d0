"""Derivations in and out of the structure model's tensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datagen.derivation import Derivation, parse_tree, past_caps, sample_prior
from datagen.errors import InputError
from datagen.grammar import Grammar
from datagen.models.metasim2 import Strings, StructureModel
from datagen.rng import Stream, rng_for

LONGEST = 4096  # rules of a scene
_TRIES = 200  # a model that needs more has forgotten how to end a scene


@dataclass(frozen=True)
class Drawn:
    """Finished strings of one batch."""

    rules: Tensor  # int64 [B, T], padded with K
    failures: Tensor  # int64 [B], tries before each string that came to nothing: r_reject

    def derivations(self, model: StructureModel) -> list[Derivation]:
        return _derivations(self.rules, model)


def draw(model: StructureModel, count: int, rng: np.random.Generator) -> Drawn:
    """`count` strings; each is drawn again until it ends within T_max steps (section 3.3).

    And until its scene fits the grammar's caps, as a scene of the prior does.
    """
    rules = torch.full((count, model.max_steps), model.tables.rules)
    failures = torch.zeros(count, dtype=torch.int64)
    waiting = torch.arange(count)
    for _ in range(_TRIES):
        uniforms = torch.from_numpy(rng.random((len(waiting), model.max_steps), np.float32))
        latent = torch.from_numpy(rng.integers(0, model.latent.shape[0], len(waiting)))
        strings = model.sample(uniforms, latent)
        good = strings.finished & _fitting(model, strings)
        rules[waiting[good]] = strings.rules[good]
        waiting = waiting[~good]
        if len(waiting) == 0:
            return Drawn(rules, failures)
        failures[waiting] += 1
    raise InputError(
        f"the structure model did not end {len(waiting)} of {count} scenes within "
        f"{model.max_steps} rules and the grammar's caps in {_TRIES} tries; raise learn.max_steps "
        "or lower learn.reinforcement.learning_rate"
    )


def derivations(
    grammar: Grammar, model: StructureModel | None, count: int, rng: np.random.Generator
) -> list[Derivation]:
    """Drawn from the model, or from the prior where structure was not learned."""
    if model is None:
        return [sample_prior(grammar, rng) for _ in range(count)]
    return draw(model, count, rng).derivations(model)


def _fitting(model: StructureModel, strings: Strings) -> Tensor:
    """bool [B]: the scenes of finished strings that are no larger and no deeper than allowed."""
    grammar, steps = model.tables.grammar, model.max_steps
    widest = max(len(rule.children) for rule in grammar.rules)
    if steps <= grammar.max_depth and 1 + steps * widest <= grammar.max_nodes:
        return torch.ones_like(strings.finished)  # no string of T_max rules can pass the caps
    fits = [
        finished and not past_caps(grammar, parse_tree(grammar, derivation))
        for finished, derivation in zip(
            strings.finished.tolist(), _derivations(strings.rules, model), strict=True
        )
    ]
    return torch.tensor(fits)


def _derivations(rules: Tensor, model: StructureModel) -> list[Derivation]:
    padding = model.tables.rules
    return [tuple(r for r in row if r < padding) for row in rules.tolist()]


def pad(derivations: Sequence[Derivation], max_steps: int, padding: int) -> Tensor:
    """int64 [N, max_steps]."""
    rules = torch.full((len(derivations), max_steps), padding)
    for row, derivation in enumerate(derivations):
        rules[row, : len(derivation)] = torch.tensor(derivation, dtype=torch.int64)
    return rules


def prior_strings(grammar: Grammar, seed: int, start: int, count: int) -> list[Derivation]:
    """Derivations of the prior, numbered from `start`."""
    return [sample_prior(grammar, rng_for(seed, start + k, Stream.STRINGS)) for k in range(count)]


def enough_steps(grammar: Grammar, seed: int) -> int:
    """T_max with room to learn longer scenes than the prior's: 1.5 times its longest of 2000."""
    longest = max(len(d) for d in prior_strings(grammar, seed, 0, 2000))
    if longest > LONGEST:
        raise InputError(
            f"a scene of {grammar.world} takes {longest} rules, and learning allows {LONGEST}; "
            "lower its counts"
        )
    return min(LONGEST, int(1.5 * longest) + 2)
