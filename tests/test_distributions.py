"""Every distribution stays in its support, scores what it draws, and has total probability 1."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.distributions import (
    BY_NAME,
    Choice,
    Constant,
    Distribution,
    Mixture,
    Normal,
    Poisson,
    Spread,
    Truncated,
    Uniform,
    UniformInt,
    is_continuous,
    is_count,
    largest,
    mean_of,
    parts,
    smallest,
)
from datagen.rng import Stream, rng_for

# Cells of numeric integration; the error of the midpoint rule is stated at each use.
CELLS = 20_000

lows = st.floats(-100, 100)
widths = st.floats(0.1, 100)
weights = st.floats(0.1, 10)
uniforms = st.builds(lambda low, width: Uniform(low, low + width), lows, widths)
jitters = st.just(1.0) | st.floats(0.05, 1)
spreads = st.builds(lambda low, width, j: Spread(low, low + width, j), lows, widths, jitters)
normals = st.builds(Normal, lows, st.floats(0.1, 50))
# Bounds within three standard deviations of the mean, so that enough of the normal remains.
truncateds = st.builds(
    lambda base, a, b: Truncated(base, base.mu + a * base.std, base.mu + (a + b) * base.std),
    normals,
    st.floats(-3, 1),
    st.floats(0.5, 4),
)
whole_uniforms = st.builds(
    lambda low, n: UniformInt(low, low + n), st.integers(-50, 50), st.integers(0, 60)
)
poissons = st.builds(Poisson, st.floats(0.05, 40))
numbers = st.one_of(st.integers(-40, 40), st.sampled_from([-7.25, 0.5, 3.75]))


def choices(values: st.SearchStrategy) -> st.SearchStrategy[Choice]:
    pairs = st.lists(st.tuples(values, weights), min_size=1, max_size=6, unique_by=lambda p: p[0])
    return pairs.map(lambda p: Choice(tuple(v for v, _ in p), tuple(w for _, w in p)))


def mixtures(laws: st.SearchStrategy) -> st.SearchStrategy[Mixture]:
    pairs = st.lists(st.tuples(laws, weights), min_size=1, max_size=4)
    return pairs.map(lambda p: Mixture(tuple(c for c, _ in p), tuple(w for _, w in p)))


plain_continuous = st.one_of(uniforms, spreads, normals, truncateds)
continuous = plain_continuous | mixtures(plain_continuous | mixtures(uniforms | normals))
plain_discrete = st.one_of(st.builds(Constant, numbers), whole_uniforms, poissons, choices(numbers))
discrete = plain_discrete | mixtures(plain_discrete | mixtures(whole_uniforms | poissons))
verbal = st.one_of(st.builds(Constant, st.sampled_from("ab")), choices(st.sampled_from("abcd")))
anything = continuous | discrete | verbal
probes = st.one_of(
    st.floats(-1e300, 1e300),  # beyond, not even the logarithm of a factorial is a float
    st.integers(-200, 200),
    st.sampled_from(["a", "z", "", math.nan, math.inf, -math.inf]),
)


def draws(law: Distribution, count: int, seed: int = 0) -> list:
    rng = rng_for(seed, 0, Stream.SCENE)
    return [law.sample(rng) for _ in range(count)]


def edges(law: Distribution) -> set[float]:
    """Where the density may jump, and the ends of what has to be integrated."""
    match law:
        case Spread():
            return edges(law.at(0, 1))
        case Uniform(low, high) | Truncated(_, low, high):
            return {low, high}
        case Normal(mu, std):
            return {mu - 9 * std, mu + 9 * std}
        case Mixture(components, _):
            return set().union(*(edges(c) for c in components))
    raise TypeError(law)


def spikes(law: Distribution) -> set[float]:
    """All values of a discrete law with a probability worth counting."""
    match law:
        case Constant(value):
            return {value}
        case UniformInt(low, high):
            return set(range(low, high + 1))
        case Poisson(rate):
            return set(range(int(rate + 12 * math.sqrt(rate) + 30)))
        case Choice(values, _):
            return set(values)
        case Mixture(components, _):
            return set().union(*(spikes(c) for c in components))
    raise TypeError(law)


def integral(law: Distribution) -> float:
    """Midpoint rule between every two jumps."""
    ends = sorted(edges(law))
    total = 0.0
    for low, high in pairwise(ends):
        cells = CELLS // len(ends)
        width = (high - low) / cells
        middles = low + width * (np.arange(cells) + 0.5)
        total += sum(math.exp(law.log_prob(x)) for x in middles.tolist()) * width
    return total


# ---------------------------------------------------------------------------------- all of them


@settings(max_examples=300)
@given(anything, st.integers(0, 2**40))
def test_every_sample_is_in_the_support_and_has_a_finite_score(law, seed):
    for value in draws(law, 8, seed):
        assert law.contains(value)
        assert math.isfinite(law.log_prob(value))


@settings(max_examples=500)
@given(anything, probes)
def test_the_score_is_minus_infinity_exactly_outside_the_support(law, value):
    assert (law.log_prob(value) == -math.inf) == (not law.contains(value))
    assert not math.isnan(law.log_prob(value))


@settings(max_examples=25)
@given(continuous)
def test_densities_integrate_to_one(law):
    assert integral(law) == pytest.approx(1, abs=2e-3)


@settings(max_examples=200)
@given(discrete)
def test_probabilities_sum_to_one(law):
    assert sum(math.exp(law.log_prob(v)) for v in spikes(law)) == pytest.approx(1, abs=1e-9)


@given(choices(st.sampled_from("abcd")))
def test_probabilities_of_words_sum_to_one(law):
    assert sum(math.exp(law.log_prob(v)) for v in law.values) == pytest.approx(1)


@given(anything)
def test_equal_seeds_draw_equal_values(law):
    assert draws(law, 5, 3) == draws(law, 5, 3)


@given(st.one_of(continuous, discrete))
def test_no_sample_passes_the_ends_of_the_support(law):
    values = draws(law, 20)
    assert smallest(law) <= min(values)
    assert max(values) <= largest(law)


@settings(max_examples=200)
@given(anything)
def test_a_count_only_draws_whole_numbers_from_zero_up(law):
    if is_count(law):
        assert all(isinstance(x, int) and x >= 0 for x in map(whole, draws(law, 20)))


def whole(x: object) -> object:
    return int(x) if isinstance(x, float) and x.is_integer() else x


EXAMPLES = [
    (Constant(3), 3.0),
    (Uniform(-2, 6), 2.0),
    (Spread(0, 10), 5.0),
    (Normal(4, 2), 4.0),
    (Truncated(Normal(0, 1), 0, 9), math.sqrt(2 / math.pi)),  # half a normal
    (Truncated(Normal(1, 2), -1, 2), 0.58674),  # by numeric integration
    (Choice((0, 10), (3, 1)), 2.5),
    (UniformInt(-1, 4), 1.5),
    (Poisson(3.5), 3.5),
    (Mixture((Uniform(0, 2), Normal(11, 1)), (4, 1)), 3.0),
]


@pytest.mark.parametrize(("law", "mean"), EXAMPLES, ids=lambda v: type(v).__name__)
def test_the_mean_is_known_and_is_what_samples_average_to(law, mean):
    assert mean_of(law) == pytest.approx(mean, abs=5e-4)
    values = np.array(draws(law, 4000), float)
    # Five standard errors: one false alarm in two million runs, and the seed is fixed.
    assert abs(values.mean() - mean) <= 5 * values.std() / math.sqrt(4000) + 1e-12


# ---------------------------------------------------------------------------------- one by one


def test_a_constant_knows_itself_through_rounding():
    assert Constant(0.3).contains(0.1 + 0.2)
    assert not Constant(0.3).contains(0.3001)
    assert not Constant("3").contains(3)


def test_uniform_has_a_flat_density_up_to_its_ends():
    law = Uniform(2, 6)
    assert [law.log_prob(x) for x in (2, 3.3, 6)] == [-math.log(4)] * 3
    assert law.log_prob(6.001) == law.log_prob(1.999) == -math.inf


def test_uniform_draws_follow_the_generator():
    numbers = rng_for(1, 2, Stream.SCENE)
    assert draws_with(Uniform(10, 20), 1, 2) == 10 + 10 * numbers.random()


def draws_with(law: Distribution, seed: int, index: int) -> object:
    return law.sample(rng_for(seed, index, Stream.SCENE))


@given(spreads, st.integers(1, 40))
def test_the_strata_of_a_spread_tile_it(law, n):
    strata = [law.at(k, n) for k in range(n)]
    width = (law.high - law.low) / n
    middles = [(s.low + s.high) / 2 for s in strata]
    assert middles == pytest.approx([law.low + (k + 0.5) * width for k in range(n)], abs=1e-9)
    assert [s.high - s.low for s in strata] == pytest.approx([law.jitter * width] * n, abs=1e-9)


def test_strata_without_a_jitter_touch():
    strata = [Spread(0, 30).at(k, 3) for k in range(3)]
    assert strata == [Uniform(0, 10), Uniform(10, 20), Uniform(20, 30)]


def test_a_small_jitter_keeps_siblings_in_the_middle_of_their_strata():
    law = Spread(0, 40, 0.2).at(2, 4)
    assert (law.low, law.high) == pytest.approx((24, 26))


def test_a_lone_spread_is_uniform():
    assert Spread(1, 3).at(0, 1) == Uniform(1, 3)
    assert draws(Spread(1, 3), 9) == draws(Uniform(1, 3), 9)


def test_normal_has_the_density_of_the_textbook():
    assert Normal(5, 2).log_prob(5) == pytest.approx(-math.log(2 * math.sqrt(2 * math.pi)))
    assert Normal(5, 2).log_prob(9) - Normal(5, 2).log_prob(5) == pytest.approx(-2)
    assert Normal(0, 1).cdf(1.959964) == pytest.approx(0.975, abs=1e-6)


def test_normal_scores_values_that_are_absurdly_far_away():
    assert -math.inf < Normal(0, 1e-200).log_prob(1e12) < -1e200
    assert Normal(0, 1).log_prob(math.inf) == -math.inf


def test_normal_draws_have_its_standard_deviation():
    values = np.array(draws(Normal(3, 2), 4000))
    # The standard error of a standard deviation is std / sqrt(2 N) = 0.022.
    assert values.std() == pytest.approx(2, abs=5 * 0.0224)


def test_a_truncated_normal_is_the_normal_scaled_up_inside():
    base = Normal(0, 8)
    law = Truncated(base, -8, 8)
    inside = 0.6826894921  # of a normal within one standard deviation
    assert law.log_prob(3) == pytest.approx(base.log_prob(3) - math.log(inside))
    assert law.log_prob(8.01) == -math.inf


def test_choice_weights_are_relative_and_zero_means_never():
    law = Choice(("red", "white", "blue"), (1, 3, 0))
    assert law.log_prob("white") == pytest.approx(math.log(0.75))
    assert law.log_prob("blue") == -math.inf
    assert not law.contains("blue")
    assert "blue" not in draws(law, 500)


@pytest.mark.parametrize("weights", [(0.0, 1.0, 0.0), (0.0, 0.0, 5.0), (1e-300, 1.0, 0.0)])
def test_choice_never_draws_what_has_no_weight(weights):
    law = Choice((0, 1, 2), weights)
    assert all(weights[v] > 0 for v in draws(law, 100))


def test_choice_draws_by_weight():
    values = draws(Choice((0, 1, 2, 3), (1, 2, 3, 4)), 10_000)
    expected = np.array([0.1, 0.2, 0.3, 0.4]) * 10_000
    seen = np.bincount(values, minlength=4)
    # Chi-square with 3 degrees of freedom: 21.1 is passed once in 10,000 runs.
    assert (((seen - expected) ** 2) / expected).sum() < 21.1


def test_uniform_int_includes_both_ends():
    assert set(draws(UniformInt(-1, 2), 200)) == {-1, 0, 1, 2}
    assert UniformInt(0, 3).log_prob(2.0) == pytest.approx(-math.log(4))
    assert UniformInt(0, 3).log_prob(2.5) == -math.inf
    assert draws(UniformInt(4, 4), 3) == [4, 4, 4]


def test_poisson_has_the_probabilities_of_the_textbook():
    assert Poisson(2).log_prob(0) == pytest.approx(-2)
    assert Poisson(2).log_prob(3) == pytest.approx(math.log(8 / 6) - 2)
    assert Poisson(2).log_prob(-1) == Poisson(2).log_prob(1.5) == -math.inf


def test_a_mixture_adds_its_components():
    law = Mixture((Uniform(0, 2), Uniform(1, 5)), (3, 1))
    assert law.log_prob(0.5) == pytest.approx(math.log(0.75 / 2))
    assert law.log_prob(1.5) == pytest.approx(math.log(0.75 / 2 + 0.25 / 4))
    assert law.log_prob(4) == pytest.approx(math.log(0.25 / 4))
    assert law.log_prob(7) == -math.inf
    values = draws(law, 4000)
    # P(x > 2) = 0.25 * 3/4; five standard errors are 0.031.
    assert np.mean([x > 2 for x in values]) == pytest.approx(0.1875, abs=0.031)


def test_a_mixture_does_not_lose_tiny_densities():
    law = Mixture((Normal(0, 1), Normal(0, 1)), (1, 1))
    assert law.log_prob(60) == pytest.approx(Normal(0, 1).log_prob(60))


# ------------------------------------------------------------------------- questions about laws


@pytest.mark.parametrize(
    ("law", "answer"),
    [
        (Constant(0), True),
        (Constant(4), True),
        (Constant(2.0), True),
        (Constant(-1), False),
        (Constant(1.5), False),
        (Constant("2"), False),
        (UniformInt(0, 4), True),
        (UniformInt(-1, 4), False),
        (Poisson(3), True),
        (Choice((0, 2), (1, 1)), True),
        (Choice((0, -2), (1, 1)), False),
        (Choice((0, "two"), (1, 1)), False),
        (Mixture((Poisson(9), Constant(1)), (1, 1)), True),
        (Mixture((Poisson(9), Uniform(0, 1)), (1, 1)), False),
        (Uniform(0, 4), False),
        (Spread(0, 4), False),
        (Normal(5, 1), False),
        (Truncated(Normal(5, 1), 4, 6), False),
    ],
)
def test_counts_are_whole_and_never_negative(law, answer):
    assert is_count(law) is answer


@pytest.mark.parametrize(
    ("law", "top"),
    [
        (Constant(4), 4),
        (Uniform(0, 3), 3),
        (Spread(0, 3), 3),
        (Truncated(Normal(0, 1), -1, 2), 2),
        (UniformInt(0, 8), 8),
        (Choice((9, 1, 5), (0, 1, 1)), 5),
        (Mixture((Uniform(0, 3), Constant(7)), (1, 1)), 7),
        (Normal(0, 1), math.inf),
        (Poisson(1), math.inf),
        (Mixture((Poisson(1), Constant(7)), (1, 1)), math.inf),
    ],
)
def test_the_largest_value_is_the_upper_end_of_the_support(law, top):
    assert largest(law) == top


@pytest.mark.parametrize(
    ("law", "bottom"),
    [
        (Constant(4), 4),
        (Uniform(0, 3), 0),
        (Spread(1, 3), 1),
        (Truncated(Normal(0, 1), -1, 2), -1),
        (UniformInt(2, 8), 2),
        (Choice((0, 1, 5), (0, 1, 1)), 1),
        (Mixture((Uniform(0, 3), Constant(-7)), (1, 1)), -7),
        (Normal(0, 1), -math.inf),
        (Poisson(1), 0),
    ],
)
def test_the_smallest_value_is_the_lower_end_of_the_support(law, bottom):
    assert smallest(law) == bottom


@given(continuous)
def test_a_law_with_a_density_is_continuous(law):
    assert is_continuous(law)
    assert not is_continuous(Mixture((law, Constant(1)), (1, 1)))


@given(discrete)
def test_a_law_of_single_values_is_not_continuous(law):
    assert not is_continuous(law)


def test_parts_are_the_law_and_all_inside_it():
    inner = Truncated(Normal(0, 1), -1, 1)
    law = Mixture((inner, Constant(2)), (1, 1))
    assert list(parts(law)) == [law, inner, Normal(0, 1), Constant(2)]


def test_the_names_of_the_language_make_distributions():
    for kind in BY_NAME.values():
        law = kind(1) if kind is Poisson else kind(1, 2)
        assert isinstance(law, Distribution)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Uniform(3, 3), "below"),
        (lambda: Uniform(4, 3), "below"),
        (lambda: Uniform(math.nan, 3), "finite"),
        (lambda: Uniform(0, math.inf), "finite"),
        (lambda: Spread(4, 3), "below"),
        (lambda: Spread(3, 4, 0), "jitter"),
        (lambda: Spread(3, 4, 1.5), "jitter"),
        (lambda: Normal(math.inf, 1), "finite"),
        (lambda: Normal(0, 0), "positive"),
        (lambda: Normal(0, -1), "positive"),
        (lambda: Normal(0, math.nan), "positive"),
        (lambda: Truncated(Normal(0, 1), 2, 1), "below"),
        (lambda: Truncated(Normal(0, 1), 8, 9), "almost none"),
        (lambda: Choice((), ()), "at least one"),
        (lambda: Choice((1, 2), (1,)), "one weight for each"),
        (lambda: Choice((1, 2), (1, -1)), "not negative"),
        (lambda: Choice((1, 2), (0, 0)), "not all zero"),
        (lambda: Choice((1, 2), (1, math.nan)), "finite"),
        (lambda: Choice((1, 1), (1, 1)), "twice"),
        (lambda: UniformInt(0.5, 3), "whole"),
        (lambda: UniformInt(4, 3), "not be above"),
        (lambda: Poisson(0), "positive"),
        (lambda: Poisson(math.inf), "positive"),
        (lambda: Mixture((), ()), "at least one"),
        (lambda: Mixture((Constant(1),), (0,)), "positive"),
        (lambda: Mixture((Constant(1),), (1, 2)), "one weight for each"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
