"""Ground, sky and skyline in three dimensions."""

import math

import numpy as np
import pytest
from family_checks import bodies, check_geometries, extent, faces, placed

from renderers._families.ground import Carriageway, Land, Marking, Pavement
from renderers._families.materials import Material
from renderers._families.sky import Sky, Skyline

FAMILIES = [Land(), Pavement(), Carriageway(), Marking(), Sky(), Skyline()]


def heights(pieces, material):
    return {
        round(float(z), 4)
        for piece in bodies(pieces)
        for z in placed(piece)[piece.geometry.materials == material][:, 2]
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_few_geometries_make_all_ground(family):
    check_geometries(family)


def test_land_lies_below_every_road_all_around():
    low, high = extent(Land().pieces({"surface": "grass"}, 0.0))
    assert low[2] == high[2] == pytest.approx(-0.02)
    assert low[:2].max() == -300 and high[:2].min() == 300


@pytest.mark.parametrize("kerb", [0.05, 0.12, 0.2])
def test_a_pavement_is_a_kerb_above_the_road(kerb):
    pieces = Pavement().pieces({"width": 3, "height": 90, "kerb": kerb}, 10.0)
    low, high = extent(pieces)
    assert (low[2], high[2]) == pytest.approx((0, kerb))
    assert high[:2] - low[:2] == pytest.approx([3, 90], abs=1e-4)


def test_kerb_stones_are_15_cm_wide_and_face_the_road():
    pieces = bodies(Pavement().pieces({"width": 3, "height": 90}, 10.0))
    for stone, side in zip(pieces[1:3], (1, -1), strict=True):
        x = side * placed(stone)[:, 0]
        assert (x.min(), x.max()) == pytest.approx((1.35, 1.5), abs=1e-5)


def test_long_strips_are_cut_into_parts_of_at_most_25_m():
    (road, *_) = Carriageway().pieces({"height": 180, "centre": "none"}, 10.0)
    lines = np.unique(placed(road)[:, 1])
    assert np.diff(lines).max() <= 25


def test_paint_lies_at_least_8_mm_above_the_road():
    road = Carriageway().pieces({"edges": "yellow"}, 10.0)
    assert heights(road, Material.ASPHALT) == {0.0}
    assert min(heights(road, Material.MARKING)) >= 0.008
    for kind in ("stop", "zebra", "arrow", "box"):
        paint = heights(Marking().pieces({"kind": kind, "width": 6, "height": 6}, 5), 20)
        assert not paint or min(paint) >= 0.008


@pytest.mark.parametrize("length", [2.5, 12, 40, 77.7, 200])
def test_dashes_are_3_m_long_with_gaps_of_6_m_whatever_the_road(length):
    _, *lines = Carriageway().pieces({"height": length}, 10.0)
    ends = np.sort(np.unique(np.concatenate([placed(line)[:, 1] for line in lines]).round(3)))
    assert ends.min() >= -length / 2 - 1e-3 and ends.max() <= length / 2 + 1e-3
    if length > 3:
        steps = np.diff(ends)
        assert steps[::2] == pytest.approx(3, abs=1e-2)
        assert steps[1::2] == pytest.approx(6, abs=1e-2)


@pytest.mark.parametrize("lanes", [1, 2, 3, 4])
def test_a_line_lies_between_every_two_lanes(lanes):
    pieces = Carriageway().pieces({"lanes": lanes, "width": 12, "centre": "solid"}, 10.0)
    places = {round(float(placed(piece)[:, 0].mean()), 3) for piece in pieces[1:]}
    assert places == {round(12 * (k / lanes - 0.5), 3) for k in range(1, lanes)}


def test_edge_lines_lie_within_the_road():
    pieces = Carriageway().pieces({"width": 7, "edges": "yellow", "centre": "none"}, 10.0)
    assert len(pieces) == 5
    assert np.abs(np.concatenate([placed(p)[:, 0] for p in pieces[1:]])).max() < 3.5


@pytest.mark.parametrize("kind", ["stop", "zebra", "arrow", "box"])
def test_a_marking_fills_its_rectangle(kind):
    low, high = extent(Marking().pieces({"kind": kind, "width": 6, "height": 4}, 10.0))
    size = high - low
    assert 4.6 < size[0] <= 6.16 and 3.99 < size[1] <= 4.16
    assert np.abs((low + high)[:2]).max() < 0.02


def test_the_sky_is_all_around_and_reaches_below_the_horizon():
    low, high = extent(Sky().pieces({}, 0.0))
    assert high == pytest.approx([400, 400, 400], abs=1)
    assert low[2] < -5


@pytest.mark.parametrize("shade", ["overcast", "blue", "cloudy", "dusk"])
def test_asphalt_at_noon_is_as_grey_as_in_photos(shade):
    light = Sky().light({"shade": shade})
    level = np.array(light.sun) * light.direction[2] + light.ambient_up
    grey = 0.114 * level.mean()  # of asphalt, sRGB 95
    srgb = 255 * (1.055 * grey ** (1 / 2.4) - 0.055)
    assert (58 if shade == "dusk" else 88) < srgb < 110


def test_the_sun_stands_where_the_sky_says():
    light = Sky().light({"azimuth": math.pi / 2, "elevation": 0.3})
    assert light.direction == pytest.approx((math.cos(0.3), 0, math.sin(0.3)))


def test_half_the_light_leaves_the_haze_as_it_is():
    full, half = Sky().light({}), Sky().light({"light": 0.5})
    assert half.sun == pytest.approx([0.5 * c for c in full.sun])
    assert half.ambient_up == pytest.approx([0.5 * c for c in full.ambient_up])
    assert half.haze == full.haze


def test_a_skyline_is_as_tall_and_as_far_as_it_says():
    low, high = extent(Skyline().pieces({"tall": 12, "far": 200}, 0.0))
    assert (low[2], high[2]) == pytest.approx((0, 12), abs=1e-3)
    (ring,) = Skyline().pieces({"far": 200}, 0.0)
    assert np.linalg.norm(placed(ring)[:, :2], axis=1).min() == pytest.approx(200, abs=0.1)


def test_the_sky_is_cheap_enough_for_every_picture():
    assert faces(Sky().pieces({}, 0)) < 10_000 and faces(Skyline().pieces({}, 0)) < 10_000
