"""Small worlds whose attributes move, renderers with derivatives known by hand, and learners."""

import math

import numpy as np
import torch
import worlds

from datagen.derivation import sample_prior
from datagen.language import parse
from datagen.learning.attributes.gradients import Batch, Target
from datagen.learning.attributes.graphs import graphs_of, vocabulary
from datagen.learning.attributes.moments import LawTrainee
from datagen.learning.attributes.moving import mover, new_transformer
from datagen.learning.attributes.scenery import Scenery
from datagen.learning.attributes.training import AttributeTrainee
from datagen.placement import expand
from datagen.rng import Stream, rng_for
from datagen.settings.attributes import AttributeLearning, Moments

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
    return worlds.prior_scenes(grammar, range(count), seed)


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


def scenery(grammar, see):
    return Scenery.of(
        grammar,
        0,
        lambda count, rng: [sample_prior(grammar, rng) for _ in range(count)],
        lambda derivation, rng: expand(grammar, derivation, rng),
        see,
    )


def trainee(grammar, see, real, reward=None, **settings):
    """Learns by the distribution transformer."""
    settings = AttributeLearning(**{"steps": 60, "batch": 32, "targets": 100, **settings})
    transformer = new_transformer(grammar, settings.hidden, 0)
    return AttributeTrainee(scenery(grammar, see), settings, transformer, real, reward)


def law_trainee(grammar, see, real, **settings):
    """Learns whole laws, by simulated moments."""
    settings = Moments(**{"rounds": 6, "scenes": 128, **settings})
    return LawTrainee(scenery(grammar, see), settings, new_transformer(grammar, 8, 0), real)


def target(see, changes, count=300):
    """What is seen of arrows with old text -> new text, and their scenes."""
    scenes = prior_scenes(grammar_of(ARROW, **changes), count, 77)
    return see(scenes, range(10**6, 10**6 + count)), scenes


def moved(one, count=300):
    """Fresh scenes of the prior, with what was learned."""
    grammar = one.scenery.known.grammar
    return mover(grammar, one.transformer)(prior_scenes(grammar, count, 5))
