"""What an iteration of structure learning costs, and its parts one by one.

Run: python -m pytest -q -s tests/benchmarks/bench_learning.py
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from datagen import recipe
from datagen.features.counts import CountFeatures, save_counts
from datagen.learning.album.counting import count_heads_of, counting_net
from datagen.learning.extraction import FILE, views_of
from datagen.learning.measuring import MEASURE, Origin, shared_measure
from datagen.learning.painting import opened_painter
from datagen.learning.run import opened_run
from datagen.learning.sharing import Shares, helpers
from datagen.learning.spec import Spec
from datagen.learning.strings import draw, enough_steps, prior_strings
from datagen.learning.structure.training import Pretrainee, Reinforcee
from datagen.learning.weights import new_model
from datagen.rng import Stream, rng_for
from datagen.threads import one_thread

ITERATIONS = 40
WORLDS = ("multi_mnist", "aerial")


@pytest.mark.parametrize("fresh", [64, 256])
@pytest.mark.parametrize("world", WORLDS)
def test_print_the_cost_of_an_iteration(world: str, fresh: int, tmp_path: Path) -> None:
    """With an untrained network, which costs as much as a trained one, and two processes."""
    made = recipe.load(
        world, [f"learn.reinforcement.fresh={fresh}", "learn.reinforcement.batch=256"]
    )
    grammar, learn = made.world(), made.learn
    heads = count_heads_of(made)
    net = counting_net(made, heads)
    extract = CountFeatures(heads, net)
    model, prior = (new_model(grammar, learn, enough_steps(grammar, 0)) for _ in range(2))
    trainee = Pretrainee(made, model)
    for k in range(100):
        trainee.step(k)
    prior.load_state_dict(model.state_dict())
    strings = prior_strings(grammar, 0, 0, fresh)
    with (
        one_thread(),
        opened_run(tmp_path, spec=Spec(made, "", ""), resume=False),
        opened_painter(made) as paint,
    ):
        save_counts(tmp_path / FILE, heads, net)
        with helpers(1).open(MEASURE) as hands:
            origin = Origin.of(tmp_path, learn.features.part)
            measure = shared_measure(Shares(hands), origin, paint, extract)
            real = measure(prior_strings(grammar, 1, 0, 1000), 1 << 40)
            views = views_of(extract, real.shape[1])
            learner = Reinforcee(made, model, prior, measure, real, views)
            whole = timed(learner.step, ITERATIONS)
        assert learner.batch is not None
        batch, images = learner.batch, paint(strings, 0)
        weights = torch.zeros(len(batch.features))
        parts = {
            f"sampling {fresh}": lambda k: draw(model, fresh, rng_for(0, k, Stream.LEARN)),
            f"rendering {fresh}, alone": lambda k: paint(strings, 0),
            f"features of {fresh}, alone": lambda k: extract(images),
            "reward": lambda k: learner.reward(batch.features, torch.from_numpy(real), weights),
            "log q and its gradient": lambda k: model.log_prob(batch.rules).sum().backward(),
        }
        say(f"{world}: {len(batch.features)} scenes an iteration, {fresh} of them new")
        say(f"  an iteration, rendering on two processes   {whole:7.1f} ms")
        for name, part in parts.items():
            say(f"  {name:42} {timed(part, 12):7.1f} ms")


def timed(call: Callable[[int], object], times: int) -> float:
    """Median, ms."""
    readings = []
    for k in range(times):
        start = time.perf_counter()
        call(k)
        readings.append(time.perf_counter() - start)
    return 1e3 * statistics.median(readings[times // 4 :])


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
