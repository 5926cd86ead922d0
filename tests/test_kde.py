"""Kernel density estimates against SciPy's, and against sums written out."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde
from structures import rng

from datagen.learning.kde import (
    kernel_spread,
    log_density,
    log_ratio,
    median_squared_distance,
    squared_distances,
)


def normal(rows, columns=1, shift=0.0, index=0):
    return torch.from_numpy(rng(index).normal(shift, 1, (rows, columns)).astype(np.float32))


def test_squared_distances_are_what_they_say():
    a, b = normal(7, 3), normal(5, 3, index=1)
    by_hand = ((a[:, None] - b[None]) ** 2).sum(-1)
    torch.testing.assert_close(squared_distances(a, b), by_hand)


def test_squared_distances_far_from_the_origin_stay_exact():
    a = normal(50, 2)
    torch.testing.assert_close(
        squared_distances(a + 1024, a + 1024), squared_distances(a, a), rtol=0, atol=0.01
    )
    assert squared_distances(a + 1024, a + 1024).diagonal().abs().max() == 0


@pytest.mark.parametrize("variance", [0.01, 0.3, 4.0])
def test_density_equals_scipys(variance):
    data, at = normal(200), normal(30, shift=0.5, index=1)
    factor = math.sqrt(variance) / float(data.std())
    scipys = gaussian_kde(data.numpy().T, bw_method=factor).logpdf(at.numpy().T)
    ours = log_density(squared_distances(at, data), variance, leave_one_out=False)
    constant = 0.5 * math.log(2 * math.pi * variance)
    np.testing.assert_allclose(ours.numpy() - constant, scipys, rtol=1e-4, atol=1e-3)


def test_leaving_one_out_equals_a_loop():
    x, variance = normal(12, 2), 0.2
    ours = log_density(squared_distances(x, x), variance, leave_one_out=True)
    for j in range(len(x)):
        others = torch.cat([x[:j], x[j + 1 :]])
        d2 = ((others - x[j]) ** 2).sum(1)
        by_hand = torch.exp(-d2 / (2 * variance)).mean().log()
        assert float(ours[j]) == pytest.approx(float(by_hand), rel=1e-4)


def test_density_far_from_all_data_does_not_underflow():
    far = log_density(torch.full((1, 4), 1e6), 1.0, leave_one_out=False)
    assert float(far) == pytest.approx(-5e5)


def test_a_lonely_scene_is_not_punished_for_its_own_kernel():
    # 1 of 32 scenes stands where 1 of 32 real ones stands: the ratio says "right".
    lonely = torch.cat([torch.zeros(31, 1), torch.full((1, 1), 5.0)])
    cost = log_ratio(lonely, lonely, (0.01,), clip=6.0)
    assert cost[-1] == -6.0  # no other generated scene is there
    assert abs(float(cost[0])) < 0.1


def test_median_over_pairs_of_different_rows():
    x = torch.tensor([[0.0], [1.0], [3.0]])  # pairs are 1, 4 and 9 apart, squared
    assert median_squared_distance(x) == pytest.approx(4.0)


def test_median_of_equal_rows_is_positive():
    assert 0 < median_squared_distance(torch.ones(10, 3)) <= 1e-6


@pytest.mark.parametrize("variances", [(0.3,), (0.1, 0.5)])
def test_the_ratio_is_near_the_true_one(variances):
    # Smoothed by the kernel, N(0, 1) and N(1, 1) become normal with variance 1 + v.
    generated, real = normal(2000), normal(2000, shift=1.0, index=1)
    x = generated[:, 0]
    true = sum(((x - 1) ** 2 - x**2) / (2 * (1 + v)) for v in variances) / len(variances)
    ours = log_ratio(generated, real, variances, clip=50.0)
    middle = (x > -1) & (x < 2)
    assert float((ours - true)[middle].abs().mean()) < 0.1


def test_equal_laws_have_a_ratio_near_zero():
    cost = log_ratio(normal(1500), normal(1500, index=1), (0.1,), clip=6.0)
    assert abs(float(cost.mean())) < 0.05


@pytest.mark.parametrize("clip", [0.5, 6.0])
def test_each_bandwidths_ratio_is_clipped(clip):
    cost = log_ratio(normal(20), normal(20, shift=100.0, index=1), (0.1, 1.0), clip)
    assert torch.equal(cost, torch.full((20,), clip))
    away = log_ratio(torch.tensor([[0.0], [50.0]]), torch.tensor([[0.0], [50.0]]), (0.1, 1e6), clip)
    # The narrow kernel says -clip, the wide one about 0.
    assert away.tolist() == pytest.approx([-clip / 2, -clip / 2], abs=0.01)


def test_wide_kernels_are_all_alike():
    a, b = normal(100, 4), normal(100, 4, index=1)
    assert kernel_spread(a, b, 1e6) < 1e-4
    assert kernel_spread(a, b, median_squared_distance(b)) > 0.1
    assert kernel_spread(a, b, 1e-6) < 1e-4


def test_with_a_huge_bandwidth_only_means_are_compared():
    # The same mean, but twice the spread: invisible.
    generated, real = normal(400) * 2, normal(400, index=1)
    generated, real = generated - generated.mean(), real - real.mean()
    blind = log_ratio(generated, real, (1e4,), clip=6.0)
    seeing = log_ratio(generated, real, (0.2,), clip=6.0)
    assert float(blind.std()) < 1e-2
    assert float(seeing.std()) > 0.5


def test_estimates_from_as_many_pictures_favour_neither_dense_nor_sparse_places():
    def law(count, index):
        """Half of the rows lie close together, half far apart in six dimensions."""
        generator = rng(index)
        width = np.where(np.arange(count) % 2, 0.05, 2.0)[:, None]
        return torch.from_numpy((generator.normal(0, 1, (count, 6)) * width).astype(np.float32))

    def gap(real):
        """By how much the cost of sparse rows is below that of dense ones, equal laws."""
        costs = [log_ratio(law(100, k), law(real, 1000 + k), [0.3], 50) for k in range(80)]
        dense, sparse = (torch.stack(costs)[:, first::2].mean(1) for first in (1, 0))
        return float((dense - sparse).mean()), float((dense - sparse).std() / 80**0.5)

    equal, error = gap(99)
    assert abs(equal) < 4 * error
    more, error = gap(2000)
    assert more > 4 * error  # the reason for learn.reinforcement.targets = none
