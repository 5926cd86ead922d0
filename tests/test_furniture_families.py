"""Posts, signs and lights along the kerb in three dimensions."""

import numpy as np
import pytest
from family_checks import (
    bodies,
    check_geometries,
    check_stands,
    extent,
    faces,
    is_contact,
    placed,
)

from renderers._families.furniture import Bench, Bin, LampPost, Pole, Sign, TrafficLight
from renderers._families.materials import Material
from renderers._families.plates import KINDS

FAMILIES = [LampPost(), Sign(), TrafficLight(), Pole(), Bin(), Bench()]


@pytest.mark.parametrize("family", FAMILIES)
def test_few_geometries_make_all_furniture(family):
    check_geometries(family, most=40)


@pytest.mark.parametrize("family", FAMILIES)
def test_furniture_stands_on_dark_ground(family):
    pieces = family.pieces({}, 10.0)
    check_stands(pieces)
    assert any(is_contact(piece) for piece in pieces)


@pytest.mark.parametrize("family", FAMILIES)
def test_furniture_has_at_most_300_triangles(family):
    assert faces(family.pieces({}, 10.0)) <= 300


@pytest.mark.parametrize("family", [LampPost(), TrafficLight()])
def test_furniture_has_fewer_triangles_farther_away(family):
    assert faces(family.pieces({}, 60.0)) < faces(family.pieces({}, 10.0))


@pytest.mark.parametrize("family", [LampPost(), Sign(), TrafficLight(), Pole()])
def test_what_is_tall_is_as_tall_as_it_says(family):
    assert extent(family.pieces({"tall": 5}, 10.0))[1, 2] == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize("arm", [-1.5, 1.5])
def test_the_arm_of_a_lamp_post_reaches_along_its_x(arm):
    low, high = extent(LampPost().pieces({"arm": arm}, 10.0))
    assert (high[0] if arm > 0 else -low[0]) == pytest.approx(2.12, abs=0.05)
    assert (-low[0] if arm > 0 else high[0]) < 0.15


@pytest.mark.parametrize("kind", KINDS)
def test_a_sign_looks_along_y_and_its_back_is_grey(kind):
    plate = Sign().pieces({"kind": kind}, 10.0)[1].geometry
    ahead = plate.normals[:, 1] > 0.9
    behind = plate.normals[:, 1] < -0.9
    assert plate.positions[ahead, 1].min() > plate.positions[behind, 1].max()
    assert np.ptp(plate.colours[behind].astype(int), axis=1).max() < 10


@pytest.mark.parametrize("kind", KINDS)
def test_the_layers_of_a_sign_do_not_lie_in_one_plane(kind):
    plate = Sign().pieces({"kind": kind}, 10.0)[1].geometry
    levels = np.unique(plate.positions[plate.normals[:, 1] > 0.9, 1])
    assert len(levels) == 3 and np.diff(levels).min() >= 0.008


def test_a_panel_has_its_colour():
    pieces = Sign().pieces({"kind": "panel", "colour": "#123456"}, 10.0)
    assert pieces[1].first == (0x12, 0x34, 0x56)


@pytest.mark.parametrize(("lit", "place"), [("red", 0), ("amber", 1), ("green", 2)])
def test_one_lamp_shines_the_right_one(lit, place):
    pieces = bodies(TrafficLight().pieces({"lit": lit, "tall": 3.6}, 10.0))
    head = pieces[1]
    lamp = head.geometry.materials == Material.LAMP
    middle = placed(head)[lamp].mean(axis=0)
    assert middle[2] == pytest.approx(3.6 - 0.25 - 0.35 * place, abs=0.03)
    assert (head.geometry.normals[lamp, 1] > 0.99).all()


def test_a_pole_carries_a_crossarm():
    low, high = extent(Pole().pieces({}, 10.0))
    assert high[0] - low[0] == pytest.approx(1.6, abs=0.01)
