"""Attribute learning from end to end, on worlds small enough for a test."""

import math
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from resuming import goes_on, readings_of
from toys import (
    ARROW,
    apart,
    batch_of,
    circular_mean,
    grammar_of,
    law_trainee,
    moved,
    prior_scenes,
    see_moments,
    target,
    things,
    trainee,
)

from datagen import plugins
from datagen.errors import InputError, RecipeError
from datagen.interfaces import Component
from datagen.learning.attributes.leaps import Look, leap
from datagen.learning.attributes.scenery import viewer
from datagen.learning.attributes.tasks import opened_task
from datagen.rng import Stream, rng_for
from renderers.raster import Renderer


@pytest.mark.parametrize("gradient", ["differences", "score"])
def test_a_rectangle_learns_where_it_stands_from_pictures(gradient):
    text = ARROW.replace("yaw: normal(0, 10) deg mutable", "yaw: 0 deg")
    there = grammar_of(text, **{"x: normal(8, 1)": "x: normal(23, 1)"})
    grammar = grammar_of(text)
    cells = plugins.load("features", "cells")()
    with Renderer().open(grammar) as render, cells.open() as features:
        see = viewer(render, features, 0)
        real = see(prior_scenes(there, 200, 77), range(1000, 1200))
        one = trainee(grammar, see, real, gradient=gradient, steps=40)
        readings = readings_of(one)
    assert sum(reading["leaps"] for reading in readings) >= 1
    assert readings[-1]["mmd"] < 0.05
    assert abs(things(moved(one), "x").mean() - 23) < 0.7


@pytest.mark.parametrize("gradient", ["differences", "score"])
def test_an_angle_learns_across_the_seam_and_is_narrowed(gradient):
    real, scenes = target(see_moments, {"normal(0, 10)": "normal(185, 4)"})
    grammar = grammar_of(ARROW, **{"normal(0, 10)": "normal(165, 20)"})
    one = trainee(grammar, see_moments, real, gradient=gradient, steps=80, leaps=0)
    readings_of(one)
    yaw = things(moved(one), "yaw")
    assert apart(circular_mean(yaw), circular_mean(things(scenes, "yaw"))) < 2
    off = np.degrees(np.abs(np.angle(np.exp(1j * (yaw - math.radians(185))))))
    assert np.quantile(off, 0.9) < 12  # from 33


def test_a_law_of_angles_without_a_direction_learns_one():
    real, _ = target(see_moments, {"normal(0, 10)": "normal(-120, 5)"})
    grammar = grammar_of(ARROW, **{"normal(0, 10)": "uniform(0, 360)"})
    one = trainee(grammar, see_moments, real, steps=80)
    readings_of(one)
    yaw = things(moved(one), "yaw")
    assert apart(circular_mean(yaw), -120) < 3
    assert abs(np.exp(1j * yaw).mean()) > 0.97


def test_a_law_is_spread_where_the_target_is_wider():
    real, _ = target(see_moments, {"normal(8, 1)": "normal(16, 4)"})
    one = trainee(grammar_of(), see_moments, real, steps=80)
    readings_of(one)
    x = things(moved(one), "x")
    assert abs(x.mean() - 16) < 1
    assert 2.8 < x.std() < 5.2


def mean_x(scenes, numbers):
    return float(things(scenes, "x").mean())


@pytest.mark.parametrize(
    ("learner", "settings"),
    [
        (trainee, {"steps": 8, "leaps": 3, "most": 1, "reward": mean_x}),
        (law_trainee, {"rounds": 4, "scenes": 32, "window": 2}),
    ],
)
def test_a_resumed_run_ends_with_the_same_bits(learner, settings, tmp_path):
    real, _ = target(see_moments, {"normal(8, 1)": "normal(20, 1)"})

    def fresh():
        return learner(grammar_of(), see_moments, real, **settings)

    goes_on(fresh, (fresh().steps // 2,), tmp_path)


def test_a_task_alone_moves_attributes():
    real, _ = target(see_moments, {})
    one = trainee(
        grammar_of(), see_moments, real, mean_x,
        gradient="score", steps=150, batch=8, leaps=0, noise=0.1, task_weight=100.0,
        learning_rate=0.03,
    )  # fmt: skip
    readings = [reading["reward"] for reading in readings_of(one)]
    assert np.mean(readings[-20:]) > np.mean(readings[:20]) + 3
    assert things(moved(one), "x").mean() > 8 + 3


def test_scenes_without_the_mutable_symbol_are_learned_around():
    text = ARROW.replace("Scene -> bg arrow", "Scene -> bg arrow * uniform_int(0, 1)")
    grammar = grammar_of(text)

    def see(scenes, numbers):
        rows = np.zeros((len(scenes), 12), np.float32)
        full = [k for k, scene in enumerate(scenes) if len(scene.root.children) > 1]
        if full:
            rows[full] = see_moments([scenes[k] for k in full], full)
        return rows

    real = see(prior_scenes(grammar, 100, 77), range(100))
    for gradient in ("differences", "score"):
        readings_of(trainee(grammar, see, real, gradient=gradient, steps=2, batch=2, leaps=1))


@pytest.mark.parametrize("learner", [trainee, law_trainee])
def test_a_grammar_with_nothing_mutable_is_refused(learner):
    text = ARROW.replace(" mutable [0, 32]", "").replace(" mutable", "")
    with pytest.raises(InputError, match="arrow has no `mutable` attribute"):
        learner(grammar_of(text), see_moments, np.zeros((4, 12), np.float32))


# ------------------------------------------------------------------------------------------ leaps


def see_nearly_symmetric(scenes, numbers):
    """An arrow whose two ends look nearly alike."""
    yaw = things(scenes, "yaw")
    columns = [np.cos(2 * yaw), np.sin(2 * yaw), 0.25 * np.cos(yaw), 0.25 * np.sin(yaw)]
    return np.stack(columns, 1).astype(np.float32)


def look(see, real, count, seed):
    batch = batch_of(grammar_of(), count, seed)
    one = trainee(grammar_of(), see, real)
    zeros = torch.zeros(len(batch.graphs.nodes), len(batch.known.columns), 4)
    return Look(batch, zeros, see, one.target, one.settings.bandwidths)


def test_a_valley_half_a_turn_off_is_left_by_a_leap():
    real, _ = target(see_nearly_symmetric, {"normal(0, 10)": "normal(172, 8)"})
    laws = torch.zeros(2, 2)
    taken = leap(
        laws, look(see_nearly_symmetric, real, 32, 1), look(see_nearly_symmetric, real, 256, 2)
    )
    assert taken >= 1
    assert apart(math.degrees(laws[1, 0]), 172) < 8
    assert not laws[0].any()  # the pictures do not show it


def test_the_gradient_alone_stays_in_that_valley():
    real, _ = target(see_nearly_symmetric, {"normal(0, 10)": "normal(172, 8)"})
    stuck, free = (
        trainee(grammar_of(), see_nearly_symmetric, real, steps=60, leaps=leaps) for leaps in (0, 2)
    )
    readings_of(stuck)
    readings_of(free)
    assert apart(circular_mean(things(moved(stuck), "yaw")), 172) > 90
    assert apart(circular_mean(things(moved(free), "yaw")), 172) < 3


def test_nothing_leaps_where_the_law_is_right_already():
    real, _ = target(see_moments, {})
    laws = torch.zeros(2, 2)
    assert leap(laws, look(see_moments, real, 32, 1), look(see_moments, real, 256, 2)) == 0
    assert not laws.any()


def see_twins(scenes, numbers):
    """An arrow whose two ends look alike, in noise."""
    yaw = things(scenes, "yaw")
    noise = [rng_for(0, int(abs(1e9 * y)), Stream.REPAINT).normal(0, 0.3, 2) for y in yaw]
    return (np.stack([np.cos(2 * yaw), np.sin(2 * yaw)], 1) + np.array(noise)).astype(np.float32)


def test_noise_alone_is_no_reason_to_leap():
    real, _ = target(see_twins, {})
    for seed in range(0, 12, 2):
        laws = torch.zeros(2, 2)
        rough, sure = look(see_twins, real, 32, seed), look(see_twins, real, 128, seed + 1)
        assert leap(laws, rough, sure) == 0


# ------------------------------------------------------------------------------------------ tasks


class Brightness(Component):
    """A task for the tests: pictures are to be bright."""

    @contextmanager
    def open(self):
        yield lambda frames: np.mean([frame.image.mean() for frame in frames])


class Broken(Component):
    @contextmanager
    def open(self):
        yield lambda frames: math.nan


def test_a_task_is_opened_by_its_name_and_judges_pictures():
    grammar = grammar_of()
    scenes = prior_scenes(grammar, 4)
    with Renderer().open(grammar) as render:
        with opened_task("test_attributes:Brightness", render, 0) as reward:
            assert 0 < reward(scenes, range(4)) < 255
        broken = opened_task("test_attributes:Broken", render, 0)
        with broken as reward, pytest.raises(InputError, match="gave the reward nan"):
            reward(scenes, range(4))


class Demanding(Brightness):
    wanted: float


def test_a_task_that_cannot_be_made_by_its_name_alone_is_refused():
    demanding = opened_task("test_attributes:Demanding", lambda scenes, rngs: [], 0)
    words = "learn.attributes.task: test_attributes:Demanding .* give its fields defaults"
    with pytest.raises(InputError, match=words), demanding:
        pass


def test_a_task_that_is_not_there_is_refused():
    missing = opened_task("test_attributes:Missing", lambda scenes, rngs: [], 0)
    with pytest.raises(RecipeError, match="no class `Missing`"), missing:
        pass
