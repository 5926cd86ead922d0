"""Laws of the scene language after values: the right family, its numbers, and within the range."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structures import HEAD, rng

from datagen.distributions import (
    Distribution,
    Mixture,
    Normal,
    Spread,
    Truncated,
    Uniform,
    is_continuous,
    largest,
    mean_of,
    smallest,
)
from datagen.grammar import Attribute
from datagen.language import parse, write
from datagen.learning.laws.fitting import density, fitted, on_line
from datagen.learning.laws.normals import cut_normal, mixture
from datagen.learning.laws.pieces import piecewise
from datagen.learning.laws.rounding import rounded, shares
from datagen.learning.laws.values import Values

YAW = "normal(0, 10) deg mutable"
X = "normal(32, 1) px mutable [0, 64]"


def attribute(text: str) -> Attribute:
    return parse(HEAD + f"S -> a\na {{ k: {text} }}").symbols["a"].attributes["k"]


def values(x, k=0, n=1) -> Values:
    x = np.asarray(x, float)
    return Values(x, np.arange(len(x)), np.full(len(x), k), np.full(len(x), n))


def law_of(x, text: str) -> Distribution:
    """The law; whatever it is, it can be written, read back, and keeps to the range."""
    before = attribute(text)
    after = replace(before, distribution=fitted(values(x), before))
    grammar = parse(HEAD + f"S -> a\na {{ k: {text} }}")
    symbol = replace(grammar.symbols["a"], attributes={"k": after})
    learned = replace(grammar, symbols={**grammar.symbols, "a": symbol})
    assert parse(write(learned)) == learned
    assert is_continuous(after.distribution)
    return after.distribution


def normal(mu: float, std: float, count: int = 3000, index: int = 0) -> np.ndarray:
    return mu + std * rng(index).standard_normal(count)


# ----------------------------------------------------------------------------------------- angles


@pytest.mark.parametrize("mu", [0, 90, 179, 180, 270, 359])
@pytest.mark.parametrize("start", [-180, 0])
def test_a_normal_angle_is_found_wherever_it_lies_on_the_circle(mu, start):
    law = law_of(start + (normal(mu, 5) - start) % 360, YAW)
    assert isinstance(law, Normal)
    assert math.remainder(law.mu - mu, 360) == pytest.approx(0, abs=0.3)
    assert law.std == pytest.approx(5, rel=0.04)
    assert -180 <= law.mu <= 180


def test_a_normal_that_goes_more_than_once_round_keeps_its_spread():
    law = law_of(normal(170, 75) % 360, YAW)
    assert isinstance(law, Normal)
    assert law.std == pytest.approx(75, rel=0.06)


def test_angles_all_round_the_circle_are_uniform():
    assert law_of(rng().uniform(0, 360, 3000), YAW) == Uniform(-180, 180)


def test_radians_are_a_circle_too():
    law = law_of(np.radians(normal(200, 5)), "normal(0, 1) rad mutable")
    assert isinstance(law, Normal)
    assert law.mu == pytest.approx(math.radians(-160), abs=0.006)
    assert law.std == pytest.approx(math.radians(5), rel=0.04)


def test_opposite_angles_are_two_normals_and_no_cluster_is_split():
    law = law_of(np.concatenate([normal(0, 4), normal(180, 4, 1000, 1)]) % 360, YAW)
    assert isinstance(law, Mixture)
    found = {round(c.mu) % 360: w for c, w in zip(law.components, law.weights, strict=True)}
    assert found.keys() <= {359, 0, 1, 179, 180, 181}
    assert sorted(found.values()) == pytest.approx([0.25, 0.75], abs=0.01)
    assert [c.std for c in law.components] == pytest.approx([4, 4], rel=0.1)


def test_an_angle_with_a_narrow_range_is_turned_into_it():
    x = normal(250, 8) - 360
    law = law_of(x, "normal(-90, 1) deg mutable [180, 360]")
    assert isinstance(law, Normal)
    assert law.mu == pytest.approx(250, abs=0.5)


# ---------------------------------------------------------------------------------------- lengths


def test_a_normal_within_the_range_is_a_normal():
    law = law_of(normal(20, 3), X)
    assert isinstance(law, Normal)
    assert (law.mu, law.std) == (pytest.approx(20, abs=0.2), pytest.approx(3, rel=0.04))


def test_a_normal_at_the_end_of_the_range_is_cut_there_and_finds_its_whole_self():
    x = normal(60, 5, 8000)
    law = law_of(x[x < 64], X)
    assert isinstance(law, Truncated)
    assert (law.low, law.high) == (0, 64)
    assert law.base.mu == pytest.approx(60, abs=0.8)
    assert law.base.std == pytest.approx(5, rel=0.08)


def test_even_values_are_uniform_and_those_all_over_the_range_are_the_range():
    law = law_of(rng().uniform(5, 25, 3000), X)
    assert isinstance(law, Uniform)
    assert (law.low, law.high) == (pytest.approx(5, abs=0.03), pytest.approx(25, abs=0.03))
    assert law_of(rng().uniform(0, 64, 3000), X) == Uniform(0, 64)


def test_two_heaps_are_two_normals():
    law = law_of(np.concatenate([normal(10, 2, 2100), normal(50, 3, 900, 1)]), X)
    assert isinstance(law, Mixture)
    assert [round(c.mu) for c in law.components] == [10, 50]
    assert law.weights == pytest.approx([0.7, 0.3], abs=0.001)
    assert [c.std for c in law.components] == pytest.approx([2, 3], rel=0.08)


def test_steps_are_a_histogram_with_a_gap():
    x = np.concatenate([rng().uniform(3, 10, 750), rng(1).uniform(40, 60, 2250)])
    law = law_of(x, X)
    assert isinstance(law, Mixture)
    ends = [(c.low, c.high) for c in law.components]
    assert np.allclose(ends, [(3, 10), (40, 60)], atol=0.1)
    assert law.weights == (0.25, 0.75)


def test_values_as_good_as_constant_are_a_very_narrow_normal():
    law = law_of(np.full(500, 20.1234), X)
    assert isinstance(law, Normal)
    assert law.mu == pytest.approx(20.1234, abs=1e-4)
    assert law.std == pytest.approx(0.0064)
    at_the_end = law_of(np.full(500, 64.0), X)
    assert isinstance(at_the_end, Truncated)
    assert mean_of(at_the_end) == pytest.approx(64, abs=0.01)


def test_values_that_a_network_pressed_against_the_end_are_told_apart():
    law = law_of(np.clip(normal(62, 5), 0, 64), X)
    assert isinstance(law, Mixture)
    heap = [w for c, w in zip(law.components, law.weights, strict=True) if c.base.std < 0.1]
    assert heap == pytest.approx([np.mean(normal(62, 5) > 64)], abs=0.03)


def test_what_falls_outside_the_range_is_moved_to_its_end():
    law = law_of([70.0] * 50, X)
    assert 63.9 < mean_of(law) <= 64


# --------------------------------------------------------------------------------------- the prior


def test_values_of_the_prior_leave_the_prior_as_it_was():
    prior = attribute("mix(normal(8, 1), uniform(20, 30)) m mutable [0, 40]")
    generator = rng()
    x = [prior.distribution.sample(generator) for _ in range(3000)]
    assert fitted(values(x), prior) is prior.distribution


def test_a_small_shift_of_many_values_is_seen():
    law = law_of(normal(1.5, 10, 4000), YAW)
    assert isinstance(law, Normal)
    assert law.mu == pytest.approx(1.5, abs=0.5)


def test_evenly_spread_siblings_stay_spread():
    prior = attribute("spread(0, 60) px mutable")
    k = np.arange(3000) % 3
    x = 20 * (k + rng().random(3000))
    assert fitted(values(x, k, 3), prior) == Spread(0, 60)
    assert isinstance(fitted(values(rng().permutation(x), k, 3), prior), Uniform)


def test_a_few_values_say_nothing():
    assert fitted(values([10.0] * 19), attribute(X)) == Normal(32, 1)
    assert fitted(values([10.0] * 20), attribute(X)) != Normal(32, 1)


def test_many_values_are_thinned_out_of_step_with_siblings():
    # Ten siblings each: every tenth value would be the first sibling's alone.
    x = np.tile(np.linspace(5, 59, 10), 8000) + normal(0, 1, 80_000)
    law = law_of(x, X)
    assert mean_of(law) == pytest.approx(32, abs=0.5)


# ------------------------------------------------------------------------------- whatever comes in

spans = st.tuples(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))


@settings(max_examples=60)
@given(
    st.lists(st.floats(-2e3, 2e3), min_size=20, max_size=60),
    spans,
    st.sampled_from(["px", "deg"]),
)
def test_any_values_get_a_law_within_the_range(x, span, unit):
    low, width = span
    high = low + min(width, 360.0)
    law = law_of(x, f"uniform({low!r}, {high!r}) {unit} mutable [{low!r}, {high!r}]")
    if high - low < 360:
        assert smallest(law) >= low or isinstance(law, Normal | Mixture)
        assert low <= mean_of(law) <= high
        generator = rng()
        inside = [low <= float(law.sample(generator)) <= high for _ in range(200)]
        assert np.mean(inside) > 0.97
    assert math.isfinite(largest(law)) or isinstance(law, Normal | Mixture)


@settings(max_examples=40)
@given(st.lists(st.floats(-1e4, 1e4), min_size=20, max_size=50))
def test_any_angles_get_a_law_of_the_circle(x):
    law = law_of(x, YAW)
    assert -180 <= mean_of(law) <= 180.001
    heights = density(law, values(on_line(np.asarray(x), attribute(YAW))), 360)
    assert (heights > 0).all()


# ----------------------------------------------------------------------------------- its own parts


@pytest.mark.parametrize(
    "law",
    [
        Normal(3, 2),
        Uniform(1, 5),
        Truncated(Normal(3, 2), 1, 6),
        Mixture((Uniform(0, 2), Normal(4, 1)), (1, 3)),
        Mixture((Spread(0, 2, 0.5), Normal(4, 1)), (1, 3)),
    ],
)
def test_densities_are_those_of_the_laws(law):
    x = np.linspace(-1, 8, 40)
    expected = [math.exp(law.log_prob(v)) for v in x]
    assert density(law, values(x)) == pytest.approx(expected, abs=1e-12)


def test_densities_of_spread_siblings_are_of_their_strata():
    law = Spread(0, 30, 0.5)
    x = np.linspace(-1, 31, 60)
    for k in range(3):
        expected = [math.exp(law.at(k, 3).log_prob(v)) for v in x]
        assert density(law, values(x, k, 3)) == pytest.approx(expected)


def test_the_density_of_an_angle_counts_every_turn_and_sums_to_one():
    x = np.arange(0, 360, 0.5)
    for law in (Normal(350, 30), Normal(-10, 90), Uniform(-180, 180), Uniform(90, 270)):
        assert density(law, values(x), 360).sum() * 0.5 == pytest.approx(1, abs=0.01)
    one, two = density(Normal(350, 5), values([-12.0, 348.0]), 360)
    assert one == pytest.approx(two)


def test_a_cut_normal_is_likelier_than_its_neighbours():
    x = normal(0, 10, 2000)
    x = x[(x > -4) & (x < 12)]

    def likelihood(law: Normal) -> float:
        return sum(Truncated(law, -4, 12).log_prob(v) for v in x)

    best = cut_normal(x, -4, 12)
    top = likelihood(best)
    for mu, std in ((0.5, 1), (-0.5, 1), (0, 1.1), (0, 0.9)):
        assert likelihood(Normal(best.mu + mu, best.std * std)) <= top + 1e-6


def test_three_normals_close_together_are_found_by_em():
    x = np.concatenate([normal(0, 1, 2000), normal(5, 1, 1000, 1), normal(10, 1, 1000, 2)])
    weights, found = mixture(x, 3, 1e-3)
    assert [law.mu for law in found] == pytest.approx([0, 5, 10], abs=0.15)
    assert weights == pytest.approx([0.5, 0.25, 0.25], abs=0.02)


def test_a_component_is_never_narrower_than_asked():
    _, found = mixture(np.array([1.0] * 30 + [2.0] * 30), 2, 0.1)
    assert [law.std for law in found] == pytest.approx([0.1, 0.1])


def test_pieces_hold_every_value_once():
    x = np.concatenate([rng().uniform(0, 1, 50), [5.0, 5.0, 9.0]])
    found = list(piecewise(x))
    assert [len(pieces) <= k for k, pieces in enumerate(found, start=2)] == [True] * 5
    for pieces in found:
        assert sum(count for _, _, count in pieces) == len(x)
        for low, high, count in pieces:
            assert np.sum((x >= low) & (x <= high)) >= count


def test_the_likeliest_split_in_two_is_at_the_step():
    x = np.concatenate([rng().uniform(0, 16, 200), rng(1).uniform(16, 64, 2400)])
    first, second = next(piecewise(x))
    assert first[1] == second[0] == pytest.approx(16, abs=1.1)


def test_values_on_the_line_are_the_same_angles():
    x = normal(180, 90, 500)
    line = on_line(x, attribute(YAW))
    assert np.allclose(np.sin(np.radians(line - x)), 0, atol=1e-9)
    assert line.max() - line.min() <= 360


@pytest.mark.parametrize(
    ("x", "scale", "shown"),
    [(64.03127, 1.234, 64.031), (64.03127, 12, 64.03), (-1e-9, 5, 0.0), (1234567, 4e5, 1234600.0)],
)
def test_numbers_are_as_long_as_their_spread_makes_sensible(x, scale, shown):
    assert repr(rounded(x, scale)) == repr(shown)


def test_shares_are_in_ten_thousandths_and_add_up():
    assert shares([1, 1, 1]) == [0.3334, 0.3333, 0.3333]
    assert shares([0, 7]) == [0.0, 1.0]
