"""Buildings in three dimensions."""

import itertools

import numpy as np
import pytest
from family_checks import (
    check_geometries,
    check_stands,
    drawn,
    extent,
    faces,
    is_contact,
)

from renderers._facade_models import STOREY, STYLES
from renderers._families.buildings import Building
from renderers._families.materials import Material

ROOFS = ("flat", "pitched", "steep")


def test_few_geometries_make_all_buildings():
    check_geometries(Building())


@pytest.mark.parametrize(("style", "roof"), list(itertools.product(STYLES, ROOFS)))
def test_a_building_stands_on_the_ground_with_its_size(style, roof):
    pieces = Building().pieces({"width": 9, "height": 13, "style": style, "roof": roof}, 10.0)
    check_stands(pieces)
    low, high = extent(pieces)
    assert high[1] - low[1] == pytest.approx(13, abs=0.02)
    assert 9 <= high[0] - low[0] <= 9.9  # eaves and ledges
    assert high[2] >= 3 * STOREY


@pytest.mark.parametrize(("style", "roof"), list(itertools.product(STYLES, ROOFS)))
def test_an_ordinary_building_has_at_most_400_triangles(style, roof):
    values = {"style": style, "roof": roof, "storeys": 4, "height": 16}
    near, far = (faces(Building().pieces(values, distance)) for distance in (10.0, 90.0))
    assert far <= near <= 400


def test_a_storey_more_makes_it_higher_by_a_storey():
    tops = [extent(Building().pieces({"storeys": n}, 10.0))[1, 2] for n in (2, 3)]
    assert tops[1] - tops[0] == pytest.approx(STOREY, abs=1e-3)


def test_only_shops_have_shop_fronts_at_every_bay():
    pieces = Building().pieces({"style": "shop"}, 10.0)
    used = set(np.unique(np.concatenate([piece.geometry.materials for piece in pieces])))
    assert {Material.SHOP_A, Material.SHOP_B} <= used
    plain = Building().pieces({"style": "terrace"}, 10.0)
    assert not any((piece.geometry.materials == Material.SHOP_A).any() for piece in plain)


def test_the_wall_has_the_colour_of_the_building():
    pieces = Building().pieces({"colour": "#b08268"}, 10.0)
    walls = [p for p in pieces if (p.geometry.materials == Material.BRICK).any()]
    assert walls and all(piece.first == (0xB0, 0x82, 0x68) for piece in walls)


def test_the_same_values_give_the_same_building():
    first, second = (Building().pieces({"exemplar": 0.3}, 10.0) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.geometry is b.geometry and (a.matrix == b.matrix).all() and a.first == b.first


def test_its_foot_is_dark_all_around():
    feet = [piece for piece in Building().pieces({}, 10.0) if is_contact(piece)]
    assert len(feet) == 4


def test_no_building_sinks_into_the_ground():
    for values, pieces in drawn(Building(), 100):
        assert extent(pieces)[0, 2] == pytest.approx(0, abs=1e-4), values
