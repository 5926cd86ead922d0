"""The gradient of the expected cost, and that following it brings a world's counts home."""

from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from resuming import goes_on, readings_of
from structures import FINITE, every_string, opinionated, rng

from datagen import recipe
from datagen.language import parse
from datagen.learning.counts import count_things
from datagen.learning.gap import total_variation
from datagen.learning.strings import draw, enough_steps, pad
from datagen.learning.structure.reinforce import Baseline, policy_loss
from datagen.learning.structure.rewards import whole
from datagen.learning.structure.training import Pretrainee, Reinforcee
from datagen.learning.weights import new_model
from datagen.settings.learn import Reinforcement

SETTINGS = Reinforcement()
EQUAL = torch.zeros(100_000)  # log importance weights of scenes that this model drew


def gradient(model, loss):
    model.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


# --------------------------------------------------------------------------------------- gradient


@pytest.mark.parametrize("latents", [1, 2])
def test_the_mean_gradient_is_that_of_the_expected_cost(latents):
    """Relative error of the direction below 5 % with 60,000 samples; of the size as well."""
    grammar = parse(FINITE)
    strings = every_string(grammar)
    model = opinionated(grammar, latents=latents, gain=1.5)
    model.max_steps = 5
    rules = pad(strings, 5, model.tables.rules)
    costs = torch.from_numpy(rng(3).normal(2, 3, len(strings)).astype(np.float32))
    of_string = dict(zip(strings, costs.tolist(), strict=True))
    exact = gradient(model, (model.log_prob(rules).exp() * costs).sum())

    total = torch.zeros_like(exact)
    for k in range(3):
        drawn = draw(model, 20_000, rng(k))
        cost = torch.tensor([of_string[d] for d in drawn.derivations(model)])
        baseline = Baseline(mean=1.0, std=2.0, steps=5)
        log_q = model.log_prob(drawn.rules)
        loss = policy_loss(log_q, cost, drawn.failures, EQUAL[: len(cost)], baseline, SETTINGS)
        total += gradient(model, loss) * baseline.std / 3
    assert float((total - exact).norm() / exact.norm()) < 0.05


def test_a_baseline_changes_no_direction_but_calms_the_gradient():
    grammar = parse(FINITE)
    strings = every_string(grammar)
    model = opinionated(grammar, gain=1.5)
    of_string = {s: 50.0 + len(s) for s in strings}

    def gradients(mean, std):
        for k in range(30):
            drawn = draw(model, 200, rng(k))
            cost = torch.tensor([of_string[d] for d in drawn.derivations(model)])
            fixed = Baseline(mean, std, 10**9)
            settings = SETTINGS.model_copy(update={"baseline_decay": 1 - 1e-9})
            yield gradient(
                model,
                policy_loss(
                    model.log_prob(drawn.rules), cost, drawn.failures, EQUAL[:200], fixed, settings
                ),
            )

    bare, calm = torch.stack(list(gradients(0.0, 1.0))), torch.stack(list(gradients(52.5, 1.0)))
    assert float(calm.var(0).sum()) < 0.05 * float(bare.var(0).sum())


# --------------------------------------------------------------------------------------- baseline


def test_the_first_batch_sets_the_baseline_and_later_ones_move_it():
    baseline = Baseline()
    first = torch.tensor([1.0, 3.0])
    baseline.update(first, torch.full((2,), 0.5), 0.9)
    assert (baseline.mean, baseline.steps) == (2.0, 1)
    assert baseline.std == pytest.approx(1)
    assert baseline.advantage(first).tolist() == pytest.approx([-1, 1])
    baseline.update(torch.tensor([12.0, 12.0]), torch.full((2,), 0.5), 0.9)
    assert baseline.mean == pytest.approx(0.9 * 2 + 0.1 * 12)
    assert baseline.std == pytest.approx(0.9 * 1 + 0.1 * 10)  # about the mean so far


def test_equal_costs_push_nothing():
    baseline = Baseline()
    cost = torch.full((16,), 5.0)
    baseline.update(cost, torch.full((16,), 1 / 16), 0.9)
    assert baseline.advantage(cost).tolist() == [0.0] * 16


def test_gradients_do_not_depend_on_the_scale_of_the_cost():
    model = opinionated(parse(FINITE))
    drawn = draw(model, 100, rng())
    cost = torch.from_numpy(rng(1).normal(0, 1, 100).astype(np.float32))
    found = [
        gradient(
            model,
            policy_loss(
                model.log_prob(drawn.rules), c, drawn.failures, EQUAL[:100], Baseline(), SETTINGS
            ),
        )
        for c in (cost, 1000 * cost + 7)
    ]
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-4)


# -------------------------------------------------------------------------------------- rejection


@pytest.mark.parametrize(
    ("above", "penalised"), [(1.0, [0, 0, 1, 1]), (0.0, [0, 1, 1, 1]), (2.5, [0, 0, 0, 1])]
)
def test_scenes_that_were_rejected_too_often_cost_more(above, penalised):
    settings = SETTINGS.model_copy(update={"reject_above": above, "reject_weight": 0.25})
    log_q = torch.zeros(4, requires_grad=True)
    baseline = Baseline()
    policy_loss(
        log_q, torch.zeros(4), torch.tensor([0, 1, 2, 5]), EQUAL[:4], baseline, settings
    ).backward()
    assert baseline.mean == pytest.approx(0.25 * sum(penalised) / 4)
    order = log_q.grad > 0  # above the mean cost: to be made less likely
    assert order.tolist() == [bool(p) for p in penalised]


def test_the_penalty_can_be_turned_off():
    settings = SETTINGS.model_copy(update={"reject_weight": 0.0})
    log_q = torch.zeros(4, requires_grad=True)
    policy_loss(
        log_q, torch.zeros(4), torch.tensor([0, 1, 2, 5]), EQUAL[:4], Baseline(), settings
    ).backward()
    assert log_q.grad.tolist() == [0.0] * 4


# -------------------------------------------------------------------------------------- re-using


def test_scenes_that_another_model_drew_give_the_same_gradient():
    """Importance weights: scenes of one model, the cost and gradient of another."""
    grammar = parse(FINITE)
    strings = every_string(grammar)
    model, other = (opinionated(grammar, gain=gain) for gain in (1.5, 1.0))
    model.max_steps = other.max_steps = 5
    rules = pad(strings, 5, model.tables.rules)
    costs = torch.from_numpy(rng(3).normal(2, 3, len(strings)).astype(np.float32))
    of_string = dict(zip(strings, costs.tolist(), strict=True))
    exact = gradient(model, (model.log_prob(rules).exp() * costs).sum())
    drawn = draw(other, 90_000, rng(1))
    cost = torch.tensor([of_string[d] for d in drawn.derivations(other)])
    log_q = model.log_prob(drawn.rules)
    log_weights = log_q.detach() - other.log_prob(drawn.rules).detach()
    assert float(log_weights.std()) > 0.15  # the two models differ
    mean = float(log_weights.softmax(0) @ cost)
    baseline = Baseline(mean=mean, std=2.0, steps=5)
    loss = policy_loss(log_q, cost, drawn.failures, log_weights, baseline, SETTINGS)
    found = gradient(model, loss) * baseline.std
    assert float((found - exact).norm() / exact.norm()) < 0.1


# ------------------------------------------------------------------------------------------ score


def features(law, count, index=0):
    """Counts 0.. drawn by `law`, as one column, with the small noise that a network leaves."""
    generator = rng(index)
    counts = generator.choice(len(law), count, p=law)
    noisy = counts + generator.normal(0, 0.02, count)
    return torch.from_numpy(noisy[:, None].astype(np.float32)), counts


# --------------------------------------------------------------------------------------- learning

WORLD = """
world small
canvas 32 x 32
start Scene
Scene -> ground a * uniform_int(0, 5)
ground { draw: ground }
a { draw: rect  category: "a"  x: 16 px  y: 16 px  width: 6 px  height: 6 px }
"""
LEARN = """
[learn]
hidden = 16
embedding = 8
[learn.pretraining]
steps = 200
batch = 128
learning_rate = 1e-2
[learn.reinforcement]
iterations = 200
batch = 128
learning_rate = 1e-2
"""


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    (folder / "small.scene").write_text(WORLD)
    (folder / "small.toml").write_text('grammar = "small.scene"\n' + LEARN)
    loaded = recipe.load(folder / "small.toml")
    grammar = loaded.world()
    torch.manual_seed(0)
    model = new_model(grammar, loaded.learn, enough_steps(grammar, 0))
    trainee = Pretrainee(loaded, model)
    readings = [reading["loss"] for reading in readings_of(trainee)]
    return SimpleNamespace(recipe=loaded, grammar=grammar, model=model, losses=readings)


@pytest.fixture
def pretrained(once):
    """A model that has learned the prior, to be spoiled at will."""
    return SimpleNamespace(**vars(once) | {"model": deepcopy(once.model)})


def histogram(world):
    drawn = draw(world.model, 4000, rng(99)).derivations(world.model)
    return np.bincount(count_things(world.grammar, drawn)[:, 0], minlength=6)


def test_pretraining_teaches_the_prior(pretrained):
    assert pretrained.losses[-1] < pretrained.losses[0]
    # The best possible loss is the prior's entropy, log 6.
    assert np.mean(pretrained.losses[-10:]) == pytest.approx(np.log(6), abs=0.15)
    assert total_variation(histogram(pretrained), np.ones(6)) < 0.1


@pytest.mark.parametrize(
    ("law", "near"),
    [([0.05, 0.4, 0.05, 0.05, 0.4, 0.05], 0.1), ([0.02, 0.02, 0.02, 0.02, 0.02, 0.9], 0.2)],
    ids=["two modes", "nearly all alike"],
)
def test_counts_move_from_the_prior_to_the_target(pretrained, law, near):
    real, _ = features(law, 1000)
    before = total_variation(histogram(pretrained), np.array(law))

    def measure(derivations, first, arrangements):
        counts = count_things(pretrained.grammar, derivations)
        noise = rng(first, seed=5).normal(0, 0.02, counts.shape)
        return (counts + noise).astype(np.float32)

    trainee = Reinforcee(
        pretrained.recipe,
        pretrained.model,
        deepcopy(pretrained.model),
        measure,
        real.numpy(),
        whole(1),
    )
    readings = readings_of(trainee)
    assert before > 0.4
    assert total_variation(histogram(pretrained), np.array(law)) < near
    assert readings[-1]["discrepancy"] < 0.2 * readings[0]["discrepancy"]
    assert all(np.isfinite(list(reading.values())).all() for reading in readings)


def test_a_trainee_goes_on_from_its_tensors(pretrained, tmp_path):
    real, _ = features([0.5, 0.1, 0.1, 0.1, 0.1, 0.1], 200)

    def measure(derivations, first, arrangements):
        return count_things(pretrained.grammar, derivations).astype(np.float32)

    def fresh():
        model = new_model(pretrained.grammar, pretrained.recipe.learn, pretrained.model.max_steps)
        model.load_state_dict(pretrained.model.state_dict())
        prior = deepcopy(pretrained.model)
        return Reinforcee(pretrained.recipe, model, prior, measure, real.numpy(), whole(1))

    goes_on(fresh, (2,), tmp_path, last=4)


@pytest.mark.parametrize(("targets", "expected"), [(None, 127), (64, 64), (5000, 200)])
def test_densities_are_estimated_from_as_many_pictures_unless_told(pretrained, targets, expected):
    real, _ = features([0.5, 0.1, 0.1, 0.1, 0.1, 0.1], 200)
    learn = pretrained.recipe.learn
    settings = learn.reinforcement.model_copy(update={"targets": targets})
    told = learn.model_copy(update={"reinforcement": settings})
    recipe = pretrained.recipe.model_copy(update={"learn": told})
    trainee = Reinforcee(
        recipe, deepcopy(pretrained.model), deepcopy(pretrained.model), None, real.numpy(), whole(1)
    )
    assert len(trainee._some_real(rng())) == expected


def test_settings_are_frozen():
    with pytest.raises(Exception, match="frozen"):
        SETTINGS.clip = 3.0
    assert replace(Baseline(), steps=3).steps == 3
