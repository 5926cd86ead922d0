"""Silhouettes may lie beyond the border; a frame stands wherever a layout is wanted."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.frame import Frame, Layout, Silhouette

BLOCK = np.array([[1, 1, 0], [0, 1, 1]], bool)


def test_area_counts_pixels_of_the_mask_even_outside_the_image():
    assert Silhouette(-100, 40, BLOCK).area == 4
    assert isinstance(Silhouette(0, 0, BLOCK).area, int)


def test_a_silhouette_within_the_image_is_pasted_at_its_place():
    full = Silhouette(1, 2, BLOCK).inside(5, 6)
    assert full.shape == (5, 6)
    assert full.dtype == bool
    assert np.argwhere(full).tolist() == [[2, 1], [2, 2], [3, 2], [3, 3]]


def test_a_silhouette_over_the_top_left_corner_is_cut():
    assert np.argwhere(Silhouette(-1, -1, BLOCK).inside(4, 4)).tolist() == [[0, 0], [0, 1]]


def test_a_silhouette_over_the_bottom_right_corner_is_cut():
    assert np.argwhere(Silhouette(2, 3, BLOCK).inside(4, 3)).tolist() == [[3, 2]]


@pytest.mark.parametrize(("x", "y"), [(-3, 0), (0, -2), (4, 0), (0, 4), (-9, 9)])
def test_nothing_remains_of_a_silhouette_outside(x, y):
    assert not Silhouette(x, y, BLOCK).inside(4, 4).any()


@given(x=st.integers(-9, 9), y=st.integers(-9, 9), h=st.integers(1, 9), w=st.integers(1, 9))
def test_inside_agrees_with_asking_every_pixel(x, y, h, w):
    full = Silhouette(x, y, BLOCK).inside(h, w)
    for row in range(h):
        for column in range(w):
            j, i = row - y, column - x
            expected = 0 <= j < 2 and 0 <= i < 3 and bool(BLOCK[j, i])
            assert full[row, column] == expected


def test_a_frame_is_a_layout_with_an_image():
    ids = np.zeros((4, 6), np.int32)
    frame = Frame(
        ids.astype(np.uint8), ids, None, (), ("car",), image=np.zeros((4, 6, 3), np.uint8)
    )
    assert isinstance(frame, Layout)
    assert (frame.height, frame.width) == (4, 6)
    with pytest.raises(FrozenInstanceError):
        frame.depth = ids  # type: ignore[misc]
