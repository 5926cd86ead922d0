"""Distances against closed forms and SciPy; floors, intervals and tests against known laws."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.stats import energy_distance as scipys
from scipy.stats import norm, wasserstein_distance
from structures import rng

from datagen.errors import InputError
from datagen.learning.gap import (
    Column,
    NoiseFloor,
    Reading,
    Verdict,
    common_scale,
    energy_distance,
    frechet_distance,
    gap,
    kernel_distance,
    mmd2,
    noise_floor,
    rank,
    total_variation,
    verdict,
    wasserstein,
)
from datagen.learning.gap.draws import plan
from datagen.learning.gap.marginals import Observed, histogram, marginal, observed
from datagen.learning.gap.measure import titles
from datagen.learning.gap.statistics import quadratic, transport
from datagen.learning.kde import squared_distances


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


# ------------------------------------------------------------------- Gaussians and kernels


def exactly(mean, deviations, rows=60, index=0):
    """Rows whose mean and (diagonal) covariance are exactly these."""
    raw = rng(index).normal(size=(rows, len(mean)))
    raw -= raw.mean(0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T)).T)
    return white * np.array(deviations) + np.array(mean)


def test_the_frechet_distance_of_gaussians_is_the_closed_form():
    a = exactly([0, 0, 1], [1, 2, 0.5])
    b = exactly([3, 0, 0], [1, 1, 2], rows=90, index=1)
    true = 9 + 1 + 0 + (2 - 1) ** 2 + (0.5 - 2) ** 2
    assert frechet_distance(a, b) == pytest.approx(true)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("rows", [12, 80])
def test_the_frechet_distance_is_scipys_with_few_rows_and_with_many(rows):
    a, b = normal(rows, 20).astype(float), 2 * normal(rows + 5, 20, 0.3, 1).astype(float)
    s, t = np.cov(a.T), np.cov(b.T)
    true = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real)
    assert frechet_distance(a, b) == pytest.approx(true, rel=1e-4)


def test_the_frechet_distance_of_a_constant_column_is_no_accident():
    a, b = normal(40, 3), normal(40, 3, 0.5, 1)
    constant = np.ones((40, 1), np.float32)
    with_it = frechet_distance(np.hstack([a, constant]), np.hstack([b, constant]))
    assert with_it == pytest.approx(frechet_distance(a, b), rel=1e-6)


DISTANCES = [frechet_distance, mmd2, energy_distance]


@pytest.mark.parametrize("distance", DISTANCES)
def test_turning_and_moving_both_sets_changes_nothing(distance):
    a, b = normal(40, 4).astype(float), normal(50, 4, 0.7, 1).astype(float)
    turn = np.linalg.qr(rng(5).normal(size=(4, 4)))[0]
    assert distance(a @ turn + 3, b @ turn + 3) == pytest.approx(distance(a, b), rel=1e-6)


def test_mmd_knows_no_unit_and_others_scale_with_theirs():
    a, b = normal(40, 2), normal(50, 2, 0.7, 1)
    assert mmd2(5 * a, 5 * b) == pytest.approx(mmd2(a, b), rel=1e-5)
    assert energy_distance(5 * a, 5 * b) == pytest.approx(5 * energy_distance(a, b), rel=1e-5)
    assert frechet_distance(5 * a, 5 * b) == pytest.approx(25 * frechet_distance(a, b), rel=1e-5)


def test_mmd_of_shifted_normals_is_the_closed_form():
    quantiles = norm.ppf((np.arange(1500) + 0.5) / 1500)[:, None]
    unit = 2 * norm.ppf(0.75) ** 2  # median of (X - Y)^2, X - Y ~ N(0, 2)
    for scale in (0.1, 2.5):
        v = scale * unit
        equal = math.sqrt(v / (v + 2))
        true = 2 * equal * (1 - math.exp(-1 / (2 * (v + 2))))
        assert mmd2(quantiles + 1, quantiles, (scale,)) == pytest.approx(true, abs=0.003)


def test_the_kernel_distance_is_kids_by_the_book():
    x, y = normal(7, 3).astype(float), normal(9, 3, 0.4, 1).astype(float)

    def k(p, q):
        return (p @ q / 3 + 1) ** 3

    within = sum(
        np.mean([k(p, q) for i, p in enumerate(z) for j, q in enumerate(z) if i != j])
        for z in (x, y)
    )
    across = np.mean([k(p, q) for p in x for q in y])
    assert kernel_distance(x, y) == pytest.approx(within - 2 * across)


def test_blocks_keep_the_kernel_distance_unbiased():
    a, b = normal(3000, 3), normal(3000, 3, 0.5, 1)
    assert kernel_distance(a, b, block=50) == pytest.approx(kernel_distance(a, b, 3000), rel=0.1)
    assert math.isfinite(kernel_distance(a[:5], b, block=2))


@pytest.mark.parametrize("distance", [mmd2, kernel_distance])
def test_unbiased_distances_of_equal_laws_are_zero_on_average(distance):
    readings = [distance(normal(30, 3, index=k), normal(30, 3, index=900 + k)) for k in range(200)]
    assert abs(np.mean(readings)) < 4 * np.std(readings) / math.sqrt(len(readings))


NUMBERS = st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=12).map(np.array)


@given(NUMBERS, NUMBERS)
def test_the_earth_movers_distance_is_scipys(a, b):
    assert wasserstein(a, b) == pytest.approx(wasserstein_distance(a, b), abs=1e-6)


# --------------------------------------------------------------------------------- resampling


def test_halves_and_floors_hold_no_row_twice_and_have_the_sizes_that_are_said():
    for ours, theirs, matched in ((20, 30, False), (20, 30, True), (31, 9, False), (31, 9, True)):
        p = plan(ours, theirs, rng(), 7, matched=matched)
        smaller = min(ours, theirs)
        assert p.rows == ((smaller, smaller) if matched else (ours, theirs))
        part = smaller // 2 if matched else min(ours, theirs // 2)
        for a, b in p.floor.subsets():
            assert len(a) == len(b) == part
            assert min(a.min(), b.min()) >= ours  # of the target alone
            assert not set(a.tolist()) & set(b.tolist())
        for a, b in p.halves.subsets():
            assert (len(a), len(b)) == tuple(n // 2 for n in p.rows)
            assert a.max() < ours <= b.min()
        for a, b in p.shuffles.subsets():
            assert (len(a), len(b)) == p.rows
            assert not set(a.tolist()) & set(b.tolist())


def test_a_statistic_over_many_subsets_is_the_distance_of_each():
    a, b = normal(24, 3), normal(18, 3, 1.0, 1)
    rows = torch.from_numpy(np.concatenate([a, b])).double()
    statistic = quadratic(-squared_distances(rows, rows).sqrt())
    p = plan(24, 18, rng(), 5, matched=False)
    for draws in (p.whole, p.halves, p.floor, p.shuffles):
        alone = [energy_distance(rows[i].numpy(), rows[j].numpy()) for i, j in draws.subsets()]
        assert statistic(draws) == pytest.approx(alone, abs=1e-5)


def test_the_mean_over_halves_is_the_value_which_the_plain_bootstrap_misses():
    a, b = normal(60, 2), normal(60, 2, 0.5, 1)
    rows = torch.from_numpy(np.concatenate([a, b])).double()
    statistic = quadratic(-squared_distances(rows, rows).sqrt())
    p = plan(60, 60, rng(), 2000, matched=False)
    value, halves = statistic(p.whole)[0], statistic(p.halves)
    assert halves.mean() == pytest.approx(value, abs=4 * halves.std() / math.sqrt(2000))
    again = rng(3)
    boot = [
        energy_distance(a[again.integers(0, 60, 60)], b[again.integers(0, 60, 60)])
        for _ in range(300)
    ]
    assert np.mean(boot) - value > 5 * np.std(boot) / math.sqrt(300)


def test_on_a_circle_mass_goes_the_shorter_way():
    pictures = np.arange(40)
    a = Observed(rng().uniform(175, 180, 40), pictures, 40)
    b = Observed(rng(1).uniform(-180, -175, 40), pictures, 40)
    p = plan(40, 40, rng(), 50, matched=True)
    assert marginal("yaw", "angle", a, b, p).readings["transport"].whole == pytest.approx(5, abs=1)
    assert marginal("x", "number", a, b, p).readings["transport"].whole == pytest.approx(355, abs=1)


def test_the_circle_is_never_longer_than_the_line():
    grid = torch.linspace(-180, 170, 36).double()
    table = torch.from_numpy(rng().random((30, 36))).float()
    draws = plan(15, 15, rng(), 40, matched=True).shuffles
    circle, line = transport(table, grid, 360.0)(draws), transport(table, grid)(draws)
    assert (circle <= line + 1e-9).all()
    assert (circle < line - 1e-6).any()


def test_a_picture_may_hold_any_number_of_values_and_they_are_drawn_together():
    values = np.repeat(np.arange(40) % 2, 30)  # thirty equal things in each picture
    pictures = np.repeat(np.arange(40), 30)
    side = Observed(values, pictures, 40)
    found = marginal("a", "count", side, side, plan(40, 40, rng(), 100, matched=True))
    alone = marginal("a", "count", observed(np.arange(40) % 2), observed(np.arange(40) % 2),
                     plan(40, 40, rng(), 100, matched=True))  # fmt: skip
    assert found.readings["variation"] == alone.readings["variation"]


def test_histograms_of_all_sets_have_the_same_bars():
    sides = {"a": observed(np.array([0, 1, 1, 5])), "target": observed(np.array([2, 2]))}
    labels, series = histogram("count", sides)
    assert labels == ["0", "1", "2", "3", "4", "5"]
    assert series == {"a": [0.25, 0.5, 0, 0, 0, 0.25], "target": [0, 0, 1, 0, 0, 0]}
    words = {"a": observed(np.array(["red", "blue"])), "target": observed(np.array(["red"]))}
    assert histogram("name", words) == (["blue", "red"], {"a": [0.5, 0.5], "target": [0.0, 1.0]})
    _, far = histogram("number", {"a": observed(np.append(rng().normal(size=2000), 1e9))})
    assert max(far["a"]) < 0.5


# ----------------------------------------------------------------------------------- the gap

COLUMNS = (Column("first", "number", "px"), Column("second", "count", "things"))


def poisson(rows, mean=3.0, index=0):
    return rng(index).poisson(mean, (rows, 3)) + 0.2 * rng(index + 5000).normal(size=(rows, 3))


def everything(found) -> dict[str, Reading]:
    singles = {f"{m.name} {k}": r for m in found.marginals for k, r in m.readings.items()}
    return dict(found.distances) | singles


def test_equal_laws_are_told_apart_no_more_often_than_chance_says():
    alarms: dict[str, list[bool]] = {}
    for k in range(60):
        found = gap(poisson(50, index=k), poisson(70, index=1000 + k), rng(k), columns=COLUMNS,
                    replicates=60)  # fmt: skip
        for name, reading in everything(found).items():
            alarms.setdefault(name, []).append(verdict(reading) is not Verdict.WITHIN)
            assert verdict(reading) is not Verdict.OUTSIDE or reading.value > reading.floor.high
    assert len(alarms) == 7
    for name, rung in alarms.items():
        assert np.mean(rung) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 60), name


def test_a_true_difference_is_found_by_every_statistic():
    found = gap(poisson(150, 5.0), poisson(150, 3.0, 1), rng(), columns=COLUMNS)
    for name, reading in everything(found).items():
        assert verdict(reading) is Verdict.OUTSIDE, name
        assert reading.low > reading.floor.high, name
        assert reading.p == pytest.approx(1 / 201)


def test_intervals_hold_what_is_true():
    """The energy and the earth mover's distance of N(1, 1) and N(0, 1) are known."""
    hits = []
    for k in range(80):
        x, y = normal(120, shift=1, index=k), normal(80, index=3000 + k)
        found = gap(x, y, rng(k), columns=COLUMNS[:1], replicates=80)
        moved, energy = found.marginals[0].readings["transport"], found.distances["energy"]
        s = math.sqrt(2)
        true = 2 * (s * math.sqrt(2 / math.pi) * math.exp(-0.25) + 1 - 2 * norm.cdf(-1 / s))
        true -= 4 / math.sqrt(math.pi)
        hits.append((moved.low <= 1 <= moved.high, energy.low <= true <= energy.high))
    assert (np.mean(hits, 0) >= 0.85).all()
    assert np.mean(hits) < 1  # not so wide that they say nothing


def test_a_biased_statistic_stands_beside_a_floor_of_its_own_size():
    """With 40 rows of 30 columns nearly all of the Frechet distance is bias."""
    sets = [(normal(40, 30, index=k), normal(40, 30, index=700 + k)) for k in range(30)]
    found = [gap(x, y, rng(k), replicates=40).distances["frechet"] for k, (x, y) in enumerate(sets)]
    assert all(one.rows == (20, 20) and one.value > 20 for one in found)
    assert np.mean([one.value / one.floor.median for one in found]) == pytest.approx(1, abs=0.03)
    assert np.mean([one.p <= 0.05 for one in found]) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 30)


def test_columns_without_a_unit_raise_no_alarm_however_many_there_are():
    rung = []
    for k in range(40):
        x, y = rng(k).gamma(2, 1, (30, 300)), rng(800 + k).gamma(2, 1, (30, 300))
        found = gap(x, y, rng(k), scale=common_scale(x, y), replicates=40)
        rung.append([r.p <= 0.05 for r in found.distances.values()])
    assert (np.mean(rung, 0) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 40)).all()


def test_a_common_scale_makes_units_irrelevant():
    x, y = normal(60, 2), normal(60, 2, 0.6, 1)
    units = np.array([1000.0, 0.001])
    plain, odd = (
        gap(a, b, rng(), scale=common_scale(a, b)).distances
        for a, b in ((x, y), (x * units + 7, y * units + 7))
    )
    for name, reading in plain.items():
        assert odd[name].value == pytest.approx(reading.value, rel=1e-3), name


def test_the_same_stream_gives_the_same_gap():
    x, y = poisson(40), poisson(60, index=1)
    assert gap(x, y, rng(), columns=COLUMNS) == gap(x, y, rng(), columns=COLUMNS)


def test_pictures_that_are_all_alike_are_at_distance_zero():
    same = np.full((20, 3), 7.0)
    for reading in everything(gap(same, same, rng(), columns=COLUMNS)).values():
        assert (reading.value, reading.floor.high, reading.p) == (0, 0, 1)
        assert verdict(reading) is Verdict.WITHIN


def test_a_gap_is_json_of_finite_numbers():
    found = gap(poisson(12), poisson(9, index=1), rng(), columns=COLUMNS).to_json()
    again = json.loads(json.dumps(found, allow_nan=False))
    assert list(again["distances"]) == ["frechet", "kernel", "mmd", "energy"]
    assert {"value", "low", "high", "floor", "p", "rows"} <= again["distances"]["mmd"].keys()
    assert [m["name"] for m in again["marginals"]] == ["first", "second"]


def test_too_few_pictures_and_values_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="at least 4 pictures on either side, found 3 and 9"):
        gap(poisson(3), poisson(9), rng())
    broken = poisson(9)
    broken[2, 1] = np.nan
    with pytest.raises(InputError, match="target pictures hold values that are no numbers"):
        gap(poisson(9), broken, rng())


def test_only_features_of_inception_may_be_called_fid_and_kid():
    assert titles("inception")["frechet"].startswith("FID (")
    assert titles("inception")["kernel"].startswith("KID (")
    for name in ("squeezenet", "counts", "pixels", "mask_rcnn", "fid", "mine", "Inception"):
        words = " ".join(titles(name).values())
        assert "FID" not in words
        assert "KID" not in words
    assert titles("squeezenet")["frechet"] == "Frechet distance (SqueezeNet features)"


def reading(value: float, p: float, floor: float = 1.0, error: float = 0.1) -> Reading:
    return Reading(value, error, NoiseFloor(floor / 2, floor), p, value, False, (10, 10))


@pytest.mark.parametrize(
    ("value", "p", "prior", "says"),
    [
        (5.0, 0.2, None, Verdict.WITHIN),
        (0.9, 0.01, None, Verdict.SMALL),
        (5.0, 0.01, None, Verdict.OUTSIDE),
        (5.0, 0.01, 8.0, Verdict.CLOSER),
        (5.0, 0.01, 5.2, Verdict.AS_FAR),
        (5.0, 0.01, 3.0, Verdict.AS_FAR),
        (0.5, 0.20, 0.1, Verdict.WITHIN),
    ],
)
def test_verdicts(value, p, prior, says):
    assert verdict(reading(value, p), None if prior is None else reading(prior, 0.01)) is says


# ----------------------------------------------------------------------------------- ranking


def bimodal(rows, share, index):
    """A mean that does not depend on the share of the middle: only the shape differs."""
    r = rng(index)
    ends = r.choice([2, 8], rows)
    return np.stack([np.where(r.random(rows) < share, 5, ends), r.poisson(4, rows)], 1) * 1.0


def test_the_right_shape_ranks_first_where_means_and_spreads_say_nothing():
    target = bimodal(600, 0.2, 0)
    shares = {"0.6": 0.6, "0.2": 0.2, "0.35": 0.35}
    sets = {name: bimodal(700, share, 10 + k) for k, (name, share) in enumerate(shares.items())}
    ranked = rank(sets, target, groups=[[0]])
    assert [one.name for one in ranked] == ["0.2", "0.35", "0.6"]
    assert ranked[0].behind == 0
    assert ranked[0].is_tied
    assert not ranked[-1].is_tied


def test_equal_candidates_are_tied_and_ranking_does_not_depend_on_their_order():
    target = bimodal(400, 0.3, 0)
    sets = {name: bimodal(400, 0.3, 20 + k) for k, name in enumerate("abc")}
    ranked = rank(sets, target)
    assert all(one.is_tied for one in ranked)
    assert rank(dict(reversed(sets.items())), target) == ranked
