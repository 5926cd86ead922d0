"""The gradient of MMD^2 by attributes, against a renderer that can be differentiated by hand."""

import numpy as np
import pytest
import torch
from toys import (
    ARROW,
    batch_of,
    formula,
    grammar_of,
    see_formula,
    target_of,
    things,
)

from datagen.learning.attributes.gradients import differences, reinforce, score
from datagen.learning.mmd import kernel, median_variances, squared
from datagen.rng import Stream, rng_for
from datagen.settings.attributes import AttributeLearning

SETTINGS = AttributeLearning(nudge=0.01, nudge_angle=1.0)


def rng(k=0):
    return rng_for(0, k, Stream.ATTRIBUTES)


@pytest.fixture(scope="module")
def world():
    batch = batch_of(grammar_of(), 24)
    prior = grammar_of(ARROW, **{"normal(8, 1)": "normal(20, 2)", "normal(0, 10)": "normal(60, 9)"})
    return batch, target_of(see_formula, prior)


def exact(batch, values, target):
    """d MMD^2 / d value through the formula itself, by automatic differentiation."""
    values = values.clone().requires_grad_()
    noise = np.array([rng_for(0, n, Stream.REPAINT).normal(0, 0.1, 5) for n in batch.numbers])
    seen = formula(values[0::2], values[1::2]) + torch.from_numpy(noise)
    real = target.features.double()
    across, within = squared(seen, real), squared(seen, seen)
    variances = median_variances(across.detach(), SETTINGS.bandwidths)
    near, n = kernel(within, variances), len(seen)
    total = (near.sum() - n) / (n * (n - 1)) - 2 * kernel(across, variances).mean()
    return torch.autograd.grad(total, values)[0]


def test_central_differences_equal_the_derivative_with_its_scale(world):
    """The authors' code multiplied by the step where it had to divide: a factor of 3.5e-6."""
    batch, target = world
    values = batch.graphs.value
    found = differences(batch, values, see_formula, target, SETTINGS, rng()).gradient
    want = exact(batch, values, target)
    assert found.shape == want.shape
    assert float((found - want).norm() / want.norm()) < 0.01
    for kind in (0, 1):  # px and radians alike
        mine = batch.graphs.kind == kind
        ratio = float(found[mine] @ want[mine] / want[mine].square().sum())
        assert ratio == pytest.approx(1, abs=0.01)


def test_the_size_of_the_step_does_not_change_the_scale(world):
    batch, target = world
    values = batch.graphs.value
    fine, coarse = (
        differences(
            batch, values, see_formula, target,
            AttributeLearning(nudge=nudge, nudge_angle=100 * nudge), rng(),
        ).gradient
        for nudge in (0.002, 0.04)
    )  # fmt: skip
    assert float((fine - coarse).norm() / fine.norm()) < 0.05


def test_both_pictures_of_a_difference_have_the_same_pixel_noise(world):
    batch, target = world
    asked = []

    def see(scenes, numbers):
        asked.append((things(scenes, "x"), list(numbers)))
        return see_formula(scenes, numbers)

    differences(batch, batch.graphs.value, see, target, SETTINGS, rng())
    x, numbers = asked[0]
    slots = 2 * len(batch.scenes)
    above, below = numbers[24 : 24 + slots], numbers[24 + slots :]
    assert above == below == [n for n in range(24) for _ in range(2)]
    assert x[24] - x[24 + slots] == pytest.approx(2 * 0.01 * 32)


def test_an_attribute_at_the_end_of_its_range_is_measured_on_one_side(world):
    batch, target = world
    values = batch.graphs.value.clone()
    values[0] = 32.0
    found = differences(batch, values, see_formula, target, SETTINGS, rng()).gradient
    assert float(found[0]) == pytest.approx(float(exact(batch, values, target)[0]), rel=0.05)


def test_drawing_some_attributes_only_is_right_on_average(world):
    batch, target = world
    values = batch.graphs.value
    every = differences(batch, values, see_formula, target, SETTINGS, rng()).gradient
    one = AttributeLearning(nudge=0.01, nudge_angle=1.0, most=1)
    drawn = [
        differences(batch, values, see_formula, target, one, rng(k)).gradient for k in range(60)
    ]
    assert all(int((g != 0).sum()) == len(batch.scenes) for g in drawn)
    mean = torch.stack(drawn).mean(0)
    assert float(mean.sum() / every.sum()) == pytest.approx(1, abs=0.1)


def test_the_score_function_has_the_same_mean_as_the_differences(world):
    batch, target = world
    values, std = batch.graphs.value, 0.01 * batch.graphs.span
    drawn = [
        score(batch, values, see_formula, target, SETTINGS, std, rng(k)).gradient
        for k in range(400)
    ]
    mean = torch.stack(drawn).mean(0)
    want = exact(batch, values, target)
    for kind in (0, 1):
        mine = batch.graphs.kind == kind
        # Summed over scenes: a law as a whole is what the transformer moves.
        assert float(mean[mine].sum() / want[mine].sum()) == pytest.approx(1, abs=0.1)
    error = torch.stack(drawn).std(0) / 20
    assert float(((mean - want) / error).square().mean()) < 2  # noise alone would give 1


def test_both_estimates_read_the_same_distance(world):
    batch, target = world
    values, std = batch.graphs.value, 1e-6 * batch.graphs.span
    a = differences(batch, values, see_formula, target, SETTINGS, rng())
    b = score(batch, values, see_formula, target, SETTINGS, std, rng())
    assert a.mmd == pytest.approx(b.mmd, abs=0.05)
    assert a.kernel_spread > 0.01


def test_the_gradient_of_a_task_is_not_zero_and_is_the_exact_one(world):
    """Differentiated through its own sample, as in the authors' code, it would be 0."""
    batch, _ = world
    values, std = batch.graphs.value, 0.02 * batch.graphs.span

    def reward(scenes, numbers):
        x, yaw = things(scenes, "x"), things(scenes, "yaw")
        return float(-((x - 10) ** 2).mean() + 5 * np.sin(yaw).mean())

    usual = reward(batch.at(values), batch.numbers)
    drawn = [reinforce(batch, values, reward, usual, std, rng(k))[0] for k in range(3000)]
    found = torch.stack(drawn).mean(0)
    x, yaw = values[0::2], values[1::2]
    turned = 5 * yaw.cos() * torch.exp(-std[1::2].square() / 2)
    want = torch.stack([-2 * (x - 10), turned], 1).flatten() / len(batch.scenes)
    assert float(want.abs().max()) > 0.01
    error = torch.stack(drawn).std(0) / len(drawn) ** 0.5
    assert float(((found - want) / error).square().mean()) == pytest.approx(1, abs=0.5)


def test_without_a_baseline_a_task_teaches_nothing_yet(world):
    batch, _ = world
    values, std = batch.graphs.value, 0.02 * batch.graphs.span
    gradient, reward = reinforce(batch, values, lambda scenes, numbers: 3.0, None, std, rng())
    assert (float(gradient.abs().sum()), reward) == (0.0, 3.0)
