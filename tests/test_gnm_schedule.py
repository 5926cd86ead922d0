"""The schedule of GNM's curriculum: ramps that begin again, stretches, lessons."""

import numpy as np
import pytest

from datagen.learning.gnm import schedule
from datagen.learning.gnm.schedule import Schedule
from datagen.models.gnm_lessons import Lesson
from datagen.settings.gnm import GnmLearning

PLAN = GnmLearning(steps=1000, ramp=0.3, last=0.4, again=0.2, stuck=0.8, sharp=5, learning_rate=1.0)
WELL = {"what": 40.0, "told": 28.0, "layout": 20.0, "count": 4.0}
STUCK = {**WELL, "told": 36.0}
SOFT = {**WELL, "what": 12.0, "told": 3.0}
DEAD = {**SOFT, "layout": 0.9}


def planned(settings, readings):
    """Schedules of all steps; `readings` of step k."""
    plans = [Schedule.start(settings)]
    for k in range(settings.steps):
        plans.append(plans[-1].after(settings, k, readings(k)))
    return plans[:-1]


def betas(settings, plans):
    return [plan.beta(settings, k) for k, plan in enumerate(plans)]


def test_the_ramp_rises_once_where_the_layout_knows_its_objects():
    plans = planned(PLAN, lambda k: WELL)
    beta = betas(PLAN, plans)
    assert beta[:301] == pytest.approx(np.linspace(0, 1, 301))
    assert beta[301:600] == [1] * 299
    assert beta[600:] == [2] * 400
    assert plans[-1].begun == 1


@pytest.mark.parametrize("readings", [STUCK, DEAD], ids=["stuck", "dead"])
def test_the_ramp_begins_again_where_the_layout_does_not(readings):
    """At its end, and once more; then no time is left. The last stretch begins later."""
    plans = planned(PLAN, lambda k: readings)
    beta = betas(PLAN, plans)
    assert [k for k in range(1, 1000) if beta[k] == 0] == [300, 500]
    assert beta[300:500] == pytest.approx(np.linspace(0, 1, 201)[:-1])
    assert beta[700] == 2
    assert plans[-1].begun == 3


def test_a_run_that_is_stuck_late_begins_again_when_it_is_seen():
    plans = planned(PLAN, lambda k: WELL if k < 400 else STUCK)
    again = next(k for k, plan in enumerate(plans) if plan.begun == 2)
    assert 400 < again < 550  # what is watched is an average over some fifty steps
    assert betas(PLAN, plans)[again] == 0


@pytest.mark.parametrize(
    ("changes", "readings"),
    [
        ({"stuck": 1.0}, {**DEAD, "what": 40.0, "told": 50.0}),
        ({}, {**WELL, "what": 19.0, "told": 19.0}),  # 4 objects of 5 nats are not yet told apart
        ({}, SOFT),
        ({}, {**DEAD, "count": 0.4}),  # there is nothing to tell
        ({"again": 0.5}, STUCK),  # no time
    ],
)
def test_else_it_never_begins_again(changes, readings):
    settings = PLAN.model_copy(update=changes)
    assert planned(settings, lambda k: readings)[-1].begun == 1


def test_each_stretch_has_a_rate_that_falls():
    plans = planned(PLAN, lambda k: STUCK)
    rates = [plan.rate(PLAN, k) for k, plan in enumerate(plans)]
    assert rates[0] < 0.1 and max(rates) <= 1
    assert [rates[k] for k in (300, 500, 700)] == pytest.approx([0.8] * 3)
    for first, end in ((100, 300), (300, 500), (500, 700), (700, 1000)):
        assert np.all(np.diff(rates[first:end]) < 0)
    assert rates[-1] == pytest.approx(0.05, abs=0.01)


def test_curricula_end_where_they_should():
    s = GnmLearning(steps=1000, opening=0.1, cooling=0.2)
    assert [schedule.rare(s, k) for k in (0, 50, 100, 900)] == pytest.approx(
        [0.1, 0.01, 1e-3, 1e-3]
    )
    assert [schedule.temperature(s, k) for k in (0, 100, 200, 900)] == [1, 0.75, 0.5, 0.5]
    assert [schedule.main(s, k) for k in (0, 50, 100)] == [0, 0.5, 1]
    assert {schedule.lesson(s, k) for k in range(1000)} == {Lesson.ALL}


def test_a_background_is_learned_by_lessons_before_presence_becomes_rare():
    s = GnmLearning(steps=1000, opening=0.1, lessons=0.2, alpha=True, background=2)
    taught = [schedule.lesson(s, k) for k in (0, 49, 50, 99, 100, 199, 200)]
    first, second, third = Lesson.BACKGROUND, Lesson.BOXES, Lesson.SHAPES
    assert taught == [first, first, second, second, third, third, Lesson.ALL]
    assert [schedule.rare(s, k) for k in (0, 200, 250, 300)] == pytest.approx(
        [0.1, 0.1, 0.01, 1e-3]
    )
    found = [schedule.backdrop(s, k) for k in (0, 200, 300, 400, 900)]
    assert found == pytest.approx([50, 50, 50**0.5, 1, 1])
    assert schedule.lesson(s.model_copy(update={"lessons": 0.0}), 0) is Lesson.ALL


def test_its_state_survives_a_checkpoint():
    plan = planned(PLAN, lambda k: {**STUCK, "what": 40.1 + k, "told": 36.3 + k})[777]
    assert Schedule.of(plan.tensors()) == plan
    assert plan.is_last and plan.begun == 3
