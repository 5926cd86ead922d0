"""The energy distance against SciPy and a law known in closed form; its noise floor."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import energy_distance as scipys
from scipy.stats import norm
from structures import rng

from datagen.learning.gap import energy_distance, noise_floor, total_variation


def normal(rows, columns=1, shift=0.0, index=0):
    return rng(index).normal(shift, 1, (rows, columns)).astype(np.float32)


def test_two_heaps_are_twice_their_distance_apart():
    a, b = np.zeros((3, 2), np.float32), np.tile(np.float32([3, 4]), (5, 1))
    assert energy_distance(a, b) == pytest.approx(10.0)


def test_it_equals_scipys_once_the_bias_is_put_back():
    a, b = normal(40), normal(60, shift=0.7, index=1)
    within = sum(
        np.abs(x - x.T).sum() / (n * (n - 1)) - np.abs(x - x.T).mean()
        for x, n in ((a.astype(float), 40), (b.astype(float), 60))
    )
    assert energy_distance(a, b) + within == pytest.approx(scipys(a[:, 0], b[:, 0]) ** 2, rel=1e-4)


@pytest.mark.parametrize("shift", [0.5, 2.0])
def test_shifted_normals_are_as_far_apart_as_theory_says(shift):
    s = math.sqrt(2)
    across = s * math.sqrt(2 / math.pi) * math.exp(-(shift**2) / 4)
    across += shift * (1 - 2 * norm.cdf(-shift / s))
    true = 2 * across - 4 / math.sqrt(math.pi)
    quantiles = norm.ppf((np.arange(1000) + 0.5) / 1000)[:, None].astype(np.float32)
    measured = energy_distance(quantiles, quantiles + np.float32(shift))
    assert measured == pytest.approx(true, abs=0.005)


def test_equal_laws_are_zero_apart_on_average():
    readings = [
        energy_distance(normal(50, 3, index=k), normal(50, 3, index=1000 + k)) for k in range(300)
    ]
    error = np.std(readings) / math.sqrt(len(readings))
    assert abs(np.mean(readings)) < 4 * error
    assert min(readings) < 0 < max(readings)


def test_it_is_symmetric():
    a, b = normal(20, 2), normal(30, 2, shift=1, index=1)
    assert energy_distance(a, b) == pytest.approx(energy_distance(b, a), rel=1e-9)


def test_the_floor_is_what_equal_sets_show():
    floor = noise_floor(normal(400, 2), rng(9))
    assert 0 < floor.median < floor.high
    fresh = [
        abs(energy_distance(normal(200, 2, index=k), normal(200, 2, index=500 + k)))
        for k in range(40)
    ]
    assert np.median(fresh) == pytest.approx(floor.median, rel=0.6)
    assert energy_distance(normal(200, 2), normal(200, 2, shift=0.5, index=1)) > floor.high


def test_the_floor_of_equal_rows_is_zero():
    floor = noise_floor(np.ones((50, 2), np.float32), rng())
    assert (floor.median, floor.high) == (0, 0)


def test_the_floor_falls_as_the_set_grows():
    small, large = (noise_floor(normal(n, 2), rng(9)).high for n in (40, 1000))
    assert large < small / 5


@pytest.mark.parametrize(
    ("a", "b", "tv"),
    [
        ([1, 1], [1, 1], 0.0),
        ([1, 0], [0, 5], 1.0),
        ([2, 2], [1, 3], 0.25),
        ([4], [1, 1, 2], 0.75),
        ([1, 1, 2], [4], 0.75),
    ],
)
def test_total_variation_by_hand(a, b, tv):
    assert total_variation(np.array(a), np.array(b)) == pytest.approx(tv)


HISTOGRAMS = st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any).map(np.array)


@given(HISTOGRAMS, HISTOGRAMS)
def test_total_variation_is_a_distance_between_0_and_1(a, b):
    tv = total_variation(a, b)
    assert -1e-12 <= tv <= 1 + 1e-12
    assert tv == pytest.approx(total_variation(b, a))
    assert total_variation(a, 3 * a) == pytest.approx(0)
