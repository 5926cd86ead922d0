"""Trees, hedges and walls in three dimensions."""

import numpy as np
import pytest
from family_checks import bodies, check_geometries, check_stands, extent, faces, is_contact

from renderers._families.materials import Material
from renderers._families.plants import Barrier, StreetTree
from renderers._families.trees import KINDS, VARIANTS


@pytest.mark.parametrize("family", [StreetTree(), Barrier()])
def test_few_geometries_make_all_plants(family):
    check_geometries(family)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("distance", [10.0, 50.0, 100.0])
def test_a_tree_is_as_tall_as_it_says_and_stands(kind, distance):
    for k in range(VARIANTS):
        values = {"kind": kind, "tall": 7, "exemplar": (k + 0.5) / VARIANTS}
        pieces = StreetTree().pieces(values, distance)
        check_stands(pieces)
        assert extent(pieces)[1, 2] == pytest.approx(7, abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tree_has_fewer_triangles_farther_away(kind):
    near, mid, far = (
        faces(StreetTree().pieces({"kind": kind}, distance)) for distance in (10.0, 50.0, 100.0)
    )
    assert near <= 1500 and mid <= 375 and far <= 200 and near > mid > far


@pytest.mark.parametrize("kind", KINDS)
def test_a_tree_keeps_its_outline_farther_away(kind):
    near, far = (extent(StreetTree().pieces({"kind": kind}, d)) for d in (10.0, 100.0))
    assert np.abs(near - far).max() < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_exemplars_differ(kind):
    shapes = {
        id(StreetTree().pieces({"kind": kind, "exemplar": (k + 0.5) / VARIANTS}, 5.0)[0].geometry)
        for k in range(VARIANTS)
    }
    assert len(shapes) == VARIANTS


def test_a_bare_tree_has_no_leaves():
    (wood,) = bodies(StreetTree().pieces({"kind": "bare"}, 10.0))
    assert (wood.geometry.materials == Material.BARK).all()


def test_leaves_are_lit_from_the_middle_of_the_crown_outwards():
    (tree,) = bodies(StreetTree().pieces({"kind": "leafy", "tall": 1}, 10.0))
    leaf = tree.geometry.materials == Material.FOLIAGE
    points, normals = tree.geometry.positions[leaf], tree.geometry.normals[leaf]
    outwards = points - points.mean(axis=0)
    assert (np.sum(outwards * normals, axis=1) > 0).mean() > 0.9


def test_leaves_are_darker_below():
    (tree,) = bodies(StreetTree().pieces({"kind": "leafy", "tall": 1}, 10.0))
    leaf = tree.geometry.materials == Material.FOLIAGE
    z, light = tree.geometry.positions[leaf, 2], tree.geometry.colours[leaf].mean(axis=1)
    assert light[z > np.quantile(z, 0.8)].mean() > 1.1 * light[z < np.quantile(z, 0.2)].mean()


def test_a_green_barrier_is_a_hedge_and_another_is_a_wall():
    hedge = bodies(Barrier().pieces({"colour": "forest"}, 10.0))
    wall = bodies(Barrier().pieces({"colour": "#7c6a5c"}, 10.0))
    assert all((piece.geometry.materials == Material.FOLIAGE).all() for piece in hedge)
    assert not any((piece.geometry.materials == Material.FOLIAGE).any() for piece in wall)


@pytest.mark.parametrize("colour", ["forest", "#7c6a5c"])
def test_a_barrier_has_its_size(colour):
    values = {"width": 0.6, "height": 12, "tall": 1.5, "colour": colour}
    pieces = Barrier().pieces(values, 10.0)
    check_stands(pieces)
    low, high = extent(pieces)
    assert high[2] == pytest.approx(1.5, abs=1e-3)
    assert high[1] - low[1] == pytest.approx(12, abs=0.5)
    assert high[0] - low[0] == pytest.approx(0.6, abs=0.2)


@pytest.mark.parametrize("family", [StreetTree(), Barrier()])
def test_the_ground_is_dark_below(family):
    assert any(is_contact(piece) for piece in family.pieces({}, 10.0))
