"""Measures of what toggling shows, against sums by hand and brute force."""

import numpy as np
import pytest
from structures import rng

from datagen.errors import InputError
from datagen.metrics.disentanglement import (
    agreement,
    box_iou,
    clean_toggles,
    mask_iou,
    overlap,
    place_error,
    places_of,
)


def squares(places, size: int = 4, side: int = 20) -> np.ndarray:
    """bool [N, K, side, side]: squares with these top left corners [N, K, 2] (x, y)."""
    masks = np.zeros((*np.shape(places)[:2], side, side), bool)
    for n, row in enumerate(places):
        for k, (x, y) in enumerate(row):
            masks[n, k, y : y + size, x : x + size] = True
    return masks


def test_the_place_of_a_change_is_the_middle_of_its_largest_pixel():
    changes = np.zeros((1, 2, 5, 7))
    changes[0, 0, 3, 6] = 2
    changes[0, 0, 1, 1] = 1
    found = places_of(changes)
    assert found[0, 0].tolist() == [6.5, 3.5]
    assert np.isnan(found[0, 1]).all()


def test_a_constant_offset_is_in_the_distance_but_not_in_the_corrected_one():
    told = rng().uniform(10, 50, (200, 2, 2))
    seen = told + np.array([[3.0, 4.0], [0.0, -5.0]])
    found = place_error(seen, told, 50)
    assert found.median == pytest.approx(0.1)
    assert found.corrected == pytest.approx(0, abs=1e-12)
    assert np.allclose(found.offsets, [[0.06, 0.08], [0, -0.1]])
    assert found.toggles == 400


def test_the_distance_is_the_median_over_toggles_that_changed_something():
    told = np.zeros((4, 1, 2))
    seen = np.array([[[1.0, 0]], [[3.0, 0]], [[100.0, 0]], [[np.nan, np.nan]]])
    found = place_error(seen, told, 10)
    assert found.median == pytest.approx(0.3)
    assert found.toggles == 3


def test_places_told_at_random_are_about_half_a_width_off():
    # The mean distance of two places in a unit square is 0.5214; its median is close to that.
    seen, told = rng().uniform(0, 64, (2, 4000, 2, 2))
    assert place_error(seen, told, 64).median == pytest.approx(0.512, abs=0.02)


def test_an_object_that_is_never_seen_is_refused():
    seen = np.full((3, 2, 2), np.nan)
    seen[:, 0] = 1
    with pytest.raises(InputError, match="never seen"):
        place_error(seen, np.zeros((3, 2, 2)), 10)


def test_a_toggle_is_clean_when_one_ball_goes_and_the_others_stay():
    before = np.array([[True, True]] * 5)
    after = np.array(
        [
            [[False, True], [True, False]],  # both clean
            [[False, True], [False, True]],  # both clean: two objects may draw one ball
            [[True, True], [True, True]],  # painted into the background
            [[False, False], [True, False]],  # the first takes both
            [[True, True], [True, False]],
        ]
    )
    assert clean_toggles(before, after) == pytest.approx(6 / 10)


def test_a_toggle_that_brings_another_ball_is_not_clean():
    before = np.array([[True, False]])
    assert clean_toggles(before, np.array([[[False, True]]])) == 0
    assert clean_toggles(before, np.array([[[False, False]]])) == 1
    with pytest.raises(InputError, match=r"give \[N, B\], \[N, K, B\]"):
        clean_toggles(before, before)


def test_mask_and_box_iou_are_those_of_pixel_sets():
    a, b = rng().random((2, 50, 6, 8)) < 0.15
    for k in range(50):
        p, q = ({tuple(at) for at in np.argwhere(m[k])} for m in (a, b))
        assert mask_iou(a, b)[k] == pytest.approx(len(p & q) / len(p | q) if p | q else 1)
        p, q = (
            {(y, x)
             for y in range(m[k].any(1).argmax(), 6 - m[k].any(1)[::-1].argmax())
             for x in range(m[k].any(0).argmax(), 8 - m[k].any(0)[::-1].argmax())}
            if m[k].any() else set()
            for m in (a, b)
        )  # fmt: skip
        assert box_iou(a, b)[k] == pytest.approx(len(p & q) / len(p | q) if p | q else 1)


def test_empty_masks_agree_with_each_other_and_with_nothing_else():
    none, some = np.zeros((1, 4, 4), bool), np.ones((1, 4, 4), bool)
    assert mask_iou(none, none).tolist() == box_iou(none, none).tolist() == [1]
    assert mask_iou(none, some).tolist() == box_iou(none, some).tolist() == [0]


def test_the_best_fixed_pairing_is_found_and_only_a_fixed_one():
    places = rng().integers(0, 16, (30, 3, 2))
    truth = squares(places)
    found = agreement(truth[:, [2, 0, 1]], truth)
    assert found.pairing == (2, 0, 1)
    assert (found.mask_iou, found.box_iou, found.good_boxes) == (1, 1, 1)
    swapped = truth.copy()
    swapped[::2] = truth[::2, ::-1]
    assert agreement(swapped, truth).mask_iou < 0.8


def test_a_shifted_mask_has_the_iou_of_shifted_squares():
    places = np.array([[[2, 2]], [[9, 5]]])
    found = agreement(squares(places), squares(places + np.array([1, 0])))
    assert found.mask_iou == pytest.approx(12 / 20)
    assert found.box_iou == pytest.approx(12 / 20)
    assert found.good_boxes == 0


def test_masks_of_other_shapes_are_refused():
    with pytest.raises(InputError, match="twice"):
        agreement(np.ones((1, 1, 4, 4), bool), np.ones((1, 2, 4, 4), bool))
    with pytest.raises(InputError, match=r"give \[N, K, H, W\]"):
        places_of(np.ones((4, 4)))


def test_things_that_know_nothing_of_each_other_overlap_as_often_as_shuffled():
    places = rng().uniform(0, 10, (4000, 2, 2))
    found = overlap(places, 3)
    # P(|p - q| < r) in a square of side L, r < L: pi s^2 - 8/3 s^3 + s^4 / 2 with s = r / L.
    s = 0.3
    assert found.share == pytest.approx(np.pi * s**2 - 8 / 3 * s**3 + s**4 / 2, abs=0.02)
    assert found.ratio == pytest.approx(1, abs=0.1)
    assert found.pairs == 4000


def test_things_that_keep_apart_have_a_ratio_of_zero():
    places = rng().uniform(0, 10, (3000, 2, 2))
    apart = places[np.linalg.norm(places[:, 0] - places[:, 1], axis=1) >= 3]
    assert overlap(apart, 3).share == 0
    assert overlap(apart, 3).shuffled > 0.1
    assert overlap(apart, 3).ratio == 0


def test_unknown_places_make_no_pairs():
    places = rng().uniform(0, 10, (50, 2, 2))
    places[:20, 1] = np.nan
    assert overlap(places, 1).pairs == 30
    with pytest.raises(InputError, match="no picture has two"):
        overlap(np.full((20, 2, 2), np.nan), 1)
    with pytest.raises(InputError, match="more than 8 pictures"):
        overlap(places[:8], 1)
