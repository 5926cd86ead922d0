"""Maximum mean discrepancy and its witness."""

import pytest
import torch

from datagen.learning.mmd import (
    contributions,
    kernel,
    median_variances,
    mmd2,
    squared,
    witness,
)

VARIANCES = (0.5, 2.0)


def rows(count, mean=0.0, seed=0):
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed)) + mean


def distance(a, b):
    return mmd2(squared(a, a), squared(a, b), squared(b, b), VARIANCES)


def test_squared_distances_are_right_far_from_the_origin():
    a, b = rows(5, 1000.0), rows(7, 1000.0, 1)
    want = (a[:, None].double() - b.double()).square().sum(2)
    assert torch.allclose(squared(a, b).double(), want, atol=1e-3)


def test_the_distance_of_one_law_to_itself_is_zero_on_average():
    readings = torch.tensor([distance(rows(40, seed=k), rows(60, seed=100 + k)) for k in range(50)])
    assert abs(float(readings.mean())) < 3 * float(readings.std()) / 50**0.5
    assert float(readings.min()) < 0 < float(readings.max())


def test_the_distance_grows_with_the_shift():
    readings = [distance(rows(50), rows(50, shift, 1)) for shift in (0, 0.5, 1, 2)]
    assert readings == sorted(readings)
    assert readings[-1] > 0.3


def test_the_witness_is_the_derivative_of_the_distance():
    a, b = rows(12).double().requires_grad_(), rows(20, 1.0, 1).double()
    near = kernel(squared(a, a), VARIANCES)
    total = (near.sum() - near.diagonal().sum()) / (12 * 11) - 2 * kernel(
        squared(a, b), VARIANCES
    ).mean()
    want = torch.autograd.grad(total, a)[0]
    points = a.detach().clone().requires_grad_()
    own = torch.eye(12, dtype=torch.bool)
    height = witness(squared(points, a.detach()), squared(points, b), own, VARIANCES)
    found = 2 / 12 * torch.autograd.grad(height.sum(), points)[0]
    assert torch.allclose(found, want, atol=1e-12)


def test_a_point_is_not_compared_with_the_sample_that_it_is_a_version_of():
    to_generated, to_real = torch.tensor([[0.1, 3.0, 5.0]]), torch.tensor([[2.0, 4.0]])
    own = torch.tensor([[True, False, False]])
    want = kernel(to_generated[:, 1:], VARIANCES).mean() - kernel(to_real, VARIANCES).mean()
    assert float(witness(to_generated, to_real, own, VARIANCES)) == pytest.approx(float(want))


def test_contributions_sum_up_to_the_distance():
    a, b, c = rows(30), rows(40, 0.5, 1), rows(30, 1.0, 2)
    between = [float(contributions(squared(x, x), squared(x, b), VARIANCES).mean()) for x in (a, c)]
    assert between[1] - between[0] == pytest.approx(distance(c, b) - distance(a, b), abs=1e-6)


def test_variances_are_multiples_of_the_median():
    d2 = torch.tensor([[1.0, 4.0, 9.0]])
    assert median_variances(d2, (0.5, 2)) == [2, 8]
    assert median_variances(torch.zeros(1, 3), (1,))[0] > 0
