"""Vehicles in three dimensions: size, stance, detail by distance, and being told apart."""

import numpy as np
import pytest

from renderers._families.geometry import Geometry, moved
from renderers._families.materials import Material
from renderers._families.vehicles import KINDS, Vehicle

SIZE = {"width": 1.9, "height": 5.1, "tall": 1.7}
DISTANCES = (5.0, 50.0, 120.0)
BUDGET = {5.0: 1500, 50.0: 375, 120.0: 250}

every_kind = pytest.mark.parametrize("kind", KINDS)
every_distance = pytest.mark.parametrize("distance", DISTANCES)


def body(kind: str, distance: float = 5.0) -> Geometry:
    """As it stands on the road, without the darkness below it."""
    whole = Vehicle().pieces({**SIZE, "kind": kind}, distance)[0]
    return moved(whole.geometry, whole.matrix)


def ground(kind: str) -> Geometry:
    piece = Vehicle().pieces({**SIZE, "kind": kind}, 5.0)[1]
    return moved(piece.geometry, piece.matrix)


@every_kind
@every_distance
def test_a_vehicle_is_as_large_as_asked_and_stands_on_the_ground(kind, distance):
    low, high = body(kind, distance).bounds
    np.testing.assert_allclose(high - low, [1.9, 5.1, 1.7], rtol=0.02)
    assert abs(low[2]) < 1e-3
    np.testing.assert_allclose((low + high)[:2], 0, atol=0.02)


@every_kind
@every_distance
def test_four_wheels_touch_the_ground(kind, distance):
    shape = body(kind, distance)
    tyres = shape.positions[shape.materials == Material.RUBBER]
    feet = tyres[tyres[:, 2] < 1e-3]
    assert {(x > 0, y > 0) for x, y, _ in feet.tolist()} == {(a, b) for a in (0, 1) for b in (0, 1)}
    others = shape.positions[shape.materials != Material.RUBBER]
    assert others[:, 2].min() > 0.02


@every_kind
@every_distance
def test_triangles_are_within_the_budget_of_their_distance(kind, distance):
    assert len(body(kind, distance).faces) <= BUDGET[distance]


@every_kind
@every_distance
def test_normals_are_finite_and_of_unit_length(kind, distance):
    raw = Vehicle().pieces({"kind": kind}, distance)[0].geometry
    np.testing.assert_allclose(np.linalg.norm(raw.normals, axis=1), 1, atol=1e-4)


@every_kind
def test_normals_point_out_of_the_bodywork(kind):
    shape = body(kind)
    a, b, c = (shape.positions[shape.faces[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    agree = (flat * shape.normals[shape.faces].mean(axis=1)).sum(axis=1) > 0
    assert agree.all()
    volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6
    assert volume > 0.3 * 1.9 * 5.1 * 1.7


@every_kind
@every_distance
def test_a_face_has_one_material(kind, distance):
    shape = body(kind, distance)
    of_corners = shape.materials[shape.faces]
    assert (of_corners == of_corners[:, :1]).all()


@every_kind
def test_the_same_kind_and_detail_is_one_geometry(kind):
    first, again = (
        Vehicle().pieces({"kind": kind, "width": w, "colour": c}, d)
        for w, c, d in ((1.7, "red", 4.0), (2.0, "navy", 30.0))
    )
    assert [p.geometry for p in first] == [p.geometry for p in again]


def test_every_kind_has_its_own_shape():
    shapes = [body(kind) for kind in KINDS]
    alike = [
        (a, b)
        for i, a in enumerate(KINDS)
        for j, b in enumerate(KINDS[:i])
        if shapes[i].positions.shape == shapes[j].positions.shape
        and np.allclose(shapes[i].positions, shapes[j].positions)
    ]
    assert alike == []


@every_kind
def test_coarser_variants_keep_the_outline(kind):
    """The silhouettes from ahead and from the side, in cells of 5 %, differ by a few cells."""
    near = body(kind, 5.0)
    for distance in DISTANCES[1:]:
        far = body(kind, distance)
        for axis in (0, 1):
            heights = [top_line(shape, axis) for shape in (near, far)]
            assert np.abs(heights[0] - heights[1]).mean() < 0.04 * SIZE["tall"]


def top_line(shape: Geometry, axis: int) -> np.ndarray:
    """Height of the silhouette over its middle 90 % along an axis, sampled on triangles' edges."""
    ends = shape.positions[shape.faces[:, [0, 1, 1, 2, 2, 0]]].reshape(-1, 2, 3)
    share = np.linspace(0, 1, 60)[:, None, None]
    points = (ends[:, 0] * (1 - share) + ends[:, 1] * share).reshape(-1, 3)
    reach = np.abs(points[:, axis]).max()
    cell = ((points[:, axis] / reach + 1) * 10).astype(int).clip(0, 19)
    return np.array([points[cell == k, 2].max() for k in range(1, 19)])


@every_kind
def test_the_ground_is_darkest_below_and_light_beside(kind):
    dark = ground(kind)
    assert set(dark.materials.tolist()) == {Material.CONTACT}
    assert dark.normals[:, 2].min() > 0.99
    opacity = dark.uv[:, 0]
    beside = (np.abs(dark.positions[:, 0]) > 0.95 + 0.2) | (
        np.abs(dark.positions[:, 1]) > 2.55 + 0.2
    )
    assert opacity.max() == pytest.approx(0.75)
    assert beside.any() and opacity[beside].max() == 0
    assert 0.005 < dark.positions[:, 2].min() == dark.positions[:, 2].max() < 0.02


def test_paint_takes_the_colours():
    piece = Vehicle().pieces({"kind": "bus", "colour": "#102030", "second": "#405060"}, 5.0)[0]
    assert (piece.first, piece.second) == ((16, 32, 48), (64, 80, 96))
    assert {Material.PAINT, Material.PAINT_2, Material.GLASS} <= set(piece.geometry.materials)
