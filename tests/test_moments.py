"""Whole laws by simulated moments, on worlds small enough for a test."""

import numpy as np
import torch
from resuming import readings_of
from toys import (
    ARROW,
    apart,
    circular_mean,
    grammar_of,
    law_trainee,
    moved,
    prior_scenes,
    see_moments,
    target,
    things,
)

from datagen.learning.attributes.moments import Round, fit
from datagen.rng import Stream, rng_for


def test_laws_are_shifted_turned_and_spread_to_the_targets():
    changes = {"normal(8, 1)": "normal(14, 2)", "normal(0, 10)": "normal(40, 10)"}
    real, scenes = target(see_moments, changes)
    one = law_trainee(grammar_of(), see_moments, real, rounds=10, step=0.3)
    readings = readings_of(one)
    x, yaw = (things(moved(one), name) for name in ("x", "yaw"))
    assert abs(x.mean() - 14) < 0.7
    assert 1.4 < x.std() < 3
    assert apart(circular_mean(yaw), circular_mean(things(scenes, "yaw"))) < 5
    assert readings[0]["gap"] > 30 * readings[0]["floor"]
    assert readings[-1]["gap"] < 0.03 * readings[0]["gap"]


# A hundred attributes a scene: fifty arrows, of which features tell the mean place alone.
CROWD = ARROW.replace("Scene -> bg arrow", "Scene -> bg arrow * uniform_int(45, 55)").replace(
    "x: normal(8, 1)", "x: uniform(0, 32)"
)


def see_places(scenes, numbers):
    """Arrows in each of eight columns; nothing tells how they are turned."""
    rows = [
        np.histogram([p.node.attributes["x"] for p in s.walk() if p.node.symbol == "arrow"],
                     8, (0, 32))[0]
        for s in scenes
    ]  # fmt: skip
    return np.array(rows, np.float32)


def test_a_law_of_many_things_is_learned_and_one_that_no_picture_shows_stays():
    there = grammar_of(CROWD, **{"uniform(0, 32)": "uniform(0, 16)"})
    real = see_places(prior_scenes(there, 200, 77), range(200))
    one = law_trainee(grammar_of(CROWD), see_places, real)
    readings_of(one)
    assert abs(things(moved(one, 50), "x").mean() - 8) < 1
    turn, spread = one.transformer.laws[1].tolist()
    assert abs(turn) < 0.15 and abs(spread) < 0.15


def test_what_no_law_explains_makes_steps_small():
    """Features that are off for another reason than laws, as where structure is wrong."""
    real, _ = target(see_moments, {"normal(8, 1)": "normal(12, 1)"})
    noise = rng_for(0, 0, Stream.REPAINT).normal(0, 1, real.shape[1])
    off = real + noise.astype(np.float32)
    clear, blurred = (law_trainee(grammar_of(), see_moments, r, rounds=1) for r in (real, off))
    shifts, doubts = [], []
    for one in (clear, blurred):
        (reading,) = readings_of(one)
        shifts.append(one.transformer.laws[0, 0].item())
        doubts.append(reading["unexplained"])
    assert doubts[1] > 100 * doubts[0]
    assert shifts[0] > 0.2 > abs(shifts[1])


def test_the_linear_model_is_solved_for_the_laws_that_made_the_target():
    rng = torch.Generator().manual_seed(0)
    effect = torch.randn(3, 20, generator=rng).double()
    truth = torch.tensor([0.4, -0.3, 0.2]).double()
    noise = torch.randn(400, 3, generator=rng).double()
    mean = torch.randn(400, 20, generator=rng).double()
    real = truth @ effect + torch.randn(800, 20, generator=rng).double()
    one = Round(torch.zeros(3).double(), noise, noise @ effect, mean)
    found = fit([one], real, torch.ones(3).double())
    assert torch.allclose(found.laws, truth, atol=0.08)
    assert found.unexplained < 2
    held = fit([one], real, torch.full((3,), 1e-4).double())
    assert held.laws.abs().max() < 1e-2  # the prior's, whatever the pictures say


def test_a_symbol_that_is_in_no_scene_keeps_its_laws():
    ghost = "ghost { draw: rect  width: 1 px  height: 1 px  x: uniform(0, 32) px mutable }"
    text = ARROW.replace("bg arrow\n", "bg arrow [0.999999999] | bg ghost [1e-9]\n") + ghost
    real, _ = target(see_moments, {})
    one = law_trainee(grammar_of(text), see_moments, real, rounds=2)
    readings_of(one)
    ghost = one.scenery.known.kinds["ghost", "x"]
    assert not one.transformer.laws[ghost].any()
    assert one.transformer.laws.isfinite().all()
