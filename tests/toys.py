"""Small worlds whose attributes move, and renderers that can be differentiated by hand."""

import math

import numpy as np
import torch

from datagen.derivation import sample_prior
from datagen.language import parse
from datagen.learning.attributes.gradients import Batch, Target
from datagen.learning.attributes.graphs import graphs_of, vocabulary
from datagen.placement import expand
from datagen.rng import Stream, rng_for

# A thing that can be moved and turned, and one that cannot.
ARROW = """
world arrow
canvas 32 x 32
start Scene
Scene -> bg arrow
bg { draw: ground  shade: black }
arrow {
  category: "arrow"
  draw: rect
  width: uniform(7, 9) px
  height: 3 px
  x: normal(8, 1) px mutable [0, 32]
  y: 16 px
  yaw: normal(0, 10) deg mutable
}
"""


def grammar_of(text=ARROW, **changes):
    """The toy world, with old text -> new text."""
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return parse(text)


def prior_scenes(grammar, count, seed=0):
    rngs = [rng_for(seed, k, Stream.SCENE) for k in range(count)]
    return [expand(grammar, sample_prior(grammar, rng), rng) for rng in rngs]


def batch_of(grammar, count, seed=0):
    known, scenes = vocabulary(grammar), prior_scenes(grammar, count, seed)
    return Batch(known, scenes, range(count), graphs_of(known, scenes))


def things(scenes, name, symbol="arrow"):
    """Values of one attribute of all nodes of a symbol."""
    nodes = [placed.node for scene in scenes for placed in scene.walk()]
    return np.array([node.attributes[name] for node in nodes if node.symbol == symbol], float)


def formula(x, yaw):
    """Features of an arrow, smooth in both attributes: [N], [N] -> [N, 5]."""
    place = x / 32
    return torch.stack(
        [yaw.cos(), yaw.sin(), place, (math.pi * place).cos(), 0.5 * (yaw + 3 * place).sin()], 1
    )


def see_formula(scenes, numbers):
    """`formula` of arrows, with noise that a picture's number decides."""
    x, yaw = (torch.from_numpy(things(scenes, name)) for name in ("x", "yaw"))
    noise = [rng_for(0, n, Stream.REPAINT).normal(0, 0.1, 5) for n in numbers]
    return (formula(x, yaw).numpy() + np.array(noise)).astype(np.float32)


def see_moments(scenes, numbers):
    """What tells place and direction without any doubt."""
    yaw, x = things(scenes, "yaw"), things(scenes, "x") / 32
    columns = [f(k * yaw) for k in (1, 2, 3, 4) for f in (np.cos, np.sin)]
    columns += [np.cos(k * math.pi * x) for k in (1, 2, 3, 4)]
    return np.stack(columns, 1).astype(np.float32)


def target_of(see, grammar, count=200, seed=99):
    scenes = prior_scenes(grammar, count, seed)
    return Target.of(torch.from_numpy(see(scenes, range(10_000, 10_000 + count))))


def circular_mean(radians):
    return math.degrees(np.angle(np.exp(1j * np.asarray(radians)).mean()))


def apart(a, b):
    """Degrees between two directions."""
    return abs((a - b + 180) % 360 - 180)
