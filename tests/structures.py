"""Small structure models for tests, and every string of a small grammar."""

import numpy as np
import torch

from datagen.derivation import Derivation
from datagen.grammar import Grammar
from datagen.models.metasim2 import StructureModel, rule_tables
from datagen.rng import Stream, rng_for

HEAD = "world w\ncanvas 64 x 48\nstart S\n"
# 20 strings of 1 to 5 rules.
FINITE = HEAD + (
    "S -> A a A [0.5] | B [0.3] | empty [0.2]\n"
    "A -> a [0.6] | B [0.4]\n"
    "B -> a [0.2] | b b [0.5] | empty [0.3]\n"
    "a {}\nb {}\n"
)
CARS_AND_TREES = """
world small
canvas 36 x 28
start Scene
Scene -> ground car * uniform_int(0, 3) tree * uniform_int(0, 2)
ground { draw: ground }
car { draw: rect  category: "car"  colour: red  x: uniform(0, 36) px  y: uniform(0, 28) px
      width: 6 px  height: 5 px }
tree { draw: ellipse  category: "tree"  colour: green  x: uniform(0, 36) px  y: uniform(0, 28) px
      width: 6 px  height: 6 px }
"""


def rng(index: int = 0, seed: int = 0) -> np.random.Generator:
    return rng_for(seed, index, Stream.LEARN)


def opinionated(
    grammar: Grammar, max_steps: int = 6, latents: int = 1, gain: float = 4.0, seed: int = 0
) -> StructureModel:
    """An untrained model whose choices are far from even and depend on what came before."""
    torch.manual_seed(seed)
    model = StructureModel(rule_tables(grammar), max_steps, 12, 6, latents)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= gain
    return model


def every_string(grammar: Grammar) -> list[Derivation]:
    """All derivations of a grammar without recursion or repetition."""
    found, waiting = [], [((), (grammar.start,))]
    while waiting:
        done, left = waiting.pop()
        if not left:
            found.append(done)
        elif grammar.is_terminal(left[0]):
            waiting.append((done, left[1:]))
        else:
            waiting += (
                ((*done, rule.index), (*rule.children, *left[1:]))
                for rule in grammar.rules_of[left[0]]
            )
    return sorted(found)
