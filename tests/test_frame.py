"""Silhouettes may lie beyond the border; a frame stands wherever a layout is wanted."""

import json
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.frame import Box3D, Frame, Layout, Pinhole, Silhouette

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


AHEAD = Box3D((1.0, 0.5, 10.0), (4.0, 2.0, 1.5), -np.pi / 2)


def test_the_corners_of_a_box_that_drives_ahead_start_at_its_bottom_front_left():
    corners = AHEAD.corners()
    assert corners.shape == (8, 3)
    assert np.allclose(corners[:4, 1], 1.25)  # y is down
    assert np.allclose(corners[0], (0, 1.25, 12))
    assert np.allclose(corners[2], (2, 1.25, 8))
    assert np.allclose(corners[4:], corners[:4] - (0, 1.5, 0))


def test_a_box_that_is_not_turned_faces_right():
    corners = replace(AHEAD, rotation_y=0.0).corners()
    assert np.ptp(corners, axis=0) == pytest.approx((4, 1.5, 2))
    assert np.allclose(corners[0], (3, 1.25, 11))  # its left is what lies behind


def test_the_observation_angle_is_the_turn_as_seen_along_the_ray():
    assert AHEAD.alpha == pytest.approx(-np.pi / 2 - np.arctan2(1, 10))
    far = Box3D((-5.0, 0.0, 5.0), (1, 1, 1), 3.1)
    assert far.alpha == pytest.approx(3.1 + np.pi / 4 - 2 * np.pi)  # from -pi to pi


def test_a_camera_sees_straight_ahead_at_its_centre_and_counts_pixels_from_their_middles():
    camera = Pinhole(100, 50, 80.0, 40.0, 49.5, 20.0)
    points = camera.to_camera(np.array([[0, 10, 0], [1, 10, 0], [0, 10, 1], [0, -1, 0]], float))
    assert np.allclose(points[1], (1, 0, 10))
    assert np.allclose(camera.project(points)[:3], [(49.5, 20), (57.5, 20), (49.5, 16)])
    assert np.isnan(camera.project(points)[3]).all()  # behind


def test_radial_distortion_moves_points_along_their_ray():
    camera = Pinhole(100, 50, 80.0, 80.0, 50.0, 25.0, distortion=(0.1, 0.01))
    seen = camera.project(np.array([3.0, 4.0, 10.0]))
    assert np.allclose((seen - (50, 25)) / (24, 32), 1 + 0.1 * 0.25 + 0.01 * 0.25**2)


def test_boxes_and_cameras_come_back_from_json():
    camera = Pinhole(100, 50, 80.0, 40.0, 49.5, 20.0, (0.1, -0.2), tuple(map(float, range(16))))
    assert Pinhole.from_json(json.loads(json.dumps(camera.to_json()))) == camera
    assert Box3D.from_json(json.loads(json.dumps(AHEAD.to_json()))) == AHEAD
    assert AHEAD.to_json()["alpha"] == AHEAD.alpha
