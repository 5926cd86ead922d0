"""Mode recall, shares and style consistency, against sums by hand and what chance gives."""

import itertools
import math

import numpy as np
import pytest
from structures import rng

from datagen.errors import InputError
from datagen.metrics.recall import consistency, recall, recall_of_truth, shares

TRUTH = np.array([0.5, 0.3, 0.15, 0.05])
SMALL = np.array([[0, 1, 1, -1, 2, 0, 0], [1, 1, 1, 2, 2, 2, 0]])  # two layouts, seven codes


def drawn(layouts, codes, law=TRUTH, index=0):
    return rng(index).choice(len(law), (layouts, codes), p=law)


def test_recall_counts_modes_in_disjoint_sets_of_codes():
    found = recall(SMALL, modes=4, codes=3)
    # Sets (0 1 1), (-1 2 0) and (1 1 1), (2 2 2); the seventh code is left over.
    assert found.mean == pytest.approx((2 / 4 + 2 / 4 + 1 / 4 + 1 / 4) / 4)
    assert found.by_mode == pytest.approx((2 / 4, 2 / 4, 2 / 4, 0))
    assert found.spread == pytest.approx(0)
    assert (found.codes, found.sets) == (3, 2)
    uneven = recall(np.array([[0, 1, 1, 1]]), modes=2, codes=2)
    assert uneven.spread == pytest.approx(np.std([1, 0.5], ddof=1))


def test_recall_of_one_set_has_no_spread():
    assert math.isnan(recall(SMALL, modes=4, codes=7).spread)
    assert recall(SMALL, modes=4, codes=7).mean == pytest.approx(3 / 4)


@pytest.mark.parametrize("codes", [1, 3, 20, 60])
def test_a_renderer_that_follows_the_truth_reaches_its_ceiling_and_no_more(codes):
    found = recall(drawn(100, 40 * codes), modes=4, codes=codes)
    assert found.mean == pytest.approx(recall_of_truth(TRUTH, codes), abs=0.01)
    assert found.by_mode == pytest.approx(tuple(1 - (1 - TRUTH) ** codes), abs=0.02)


def test_the_ceiling_is_what_counting_every_draw_gives():
    law, codes = np.array([0.7, 0.3]), 3
    exact = sum(
        np.prod(law[list(draw)]) * len(set(draw)) / 2
        for draw in itertools.product(range(2), repeat=codes)
    )
    assert recall_of_truth(law, codes) == pytest.approx(exact)
    assert recall_of_truth(TRUTH, 20) == pytest.approx(0.90, abs=0.01)  # rare modes are missed
    assert recall_of_truth(TRUTH, 60) > 0.98


def test_shares_count_what_is_of_no_mode_as_error():
    found = shares(SMALL, np.array([0.25, 0.25, 0.25, 0.25]))
    assert found.by_mode == pytest.approx((4 / 14, 5 / 14, 4 / 14, 0))
    assert found.none == pytest.approx(1 / 14)
    ours = np.array([4, 5, 4, 0, 1]) / 14
    assert found.variation == pytest.approx(0.5 * np.abs(ours - [0.25, 0.25, 0.25, 0.25, 0]).sum())
    lost = shares(np.full((2, 5), -1), TRUTH)
    assert (lost.none, lost.variation) == (1, pytest.approx(1))


def test_shares_of_the_true_law_are_the_truth():
    found = shares(drawn(100, 400), TRUTH)
    assert found.by_mode == pytest.approx(tuple(TRUTH), abs=0.01)
    assert found.variation < 0.01


def test_consistency_follows_the_codes_and_not_the_layouts():
    by_code = np.tile(drawn(1, 50), (30, 1))
    by_layout = np.tile(drawn(30, 1), (1, 50))
    assert (consistency(by_code, 4).mean, consistency(by_code, 4).valid) == (1, 1)
    assert consistency(by_layout, 4).mean == pytest.approx(np.bincount(by_layout[:, 0]).max() / 30)


def test_consistency_of_codes_that_mean_nothing_is_hardly_above_the_largest_share():
    assert consistency(drawn(1000, 50), 4).mean == pytest.approx(0.5, abs=0.03)


def test_pictures_of_no_mode_count_against_the_mean_only():
    found = consistency(np.array([[0, 1, -1], [0, -1, -1], [0, 1, -1], [1, 1, -1]]), 2)
    assert found.mean == pytest.approx((3 + 3 + 0) / 12)
    assert found.valid == pytest.approx(6 / 7)
    assert math.isnan(consistency(np.full((2, 3), -1), 2).valid)


@pytest.mark.parametrize("wrong", [SMALL.astype(float), SMALL[0], SMALL[:, :0]])
def test_what_is_no_table_of_modes_is_refused(wrong):
    with pytest.raises(InputError, match="give whole numbers"):
        shares(wrong, TRUTH)


def test_modes_that_are_not_there_and_sets_too_large_are_refused():
    with pytest.raises(InputError, match="modes from -1 to 2; give -1 for none, or 0 to 1"):
        recall(SMALL, modes=2, codes=3)
    with pytest.raises(InputError, match="modes from -2"):
        consistency(SMALL - 1, 4)
    for codes in (0, 8, -1):
        with pytest.raises(InputError, match="recall at"):
            recall(SMALL, modes=4, codes=codes)
    with pytest.raises(InputError, match="at least 2"):
        consistency(SMALL[:1], 4)
