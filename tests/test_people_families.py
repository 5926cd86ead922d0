"""People on foot and on bicycles in three dimensions."""

import numpy as np
import pytest

from renderers._families.cyclists import RIDERS, Cyclist
from renderers._families.geometry import Geometry, moved
from renderers._families.materials import Material
from renderers._families.people import PEOPLE, Pedestrian

DISTANCES = (5.0, 50.0, 120.0)
BUDGET = {
    Pedestrian: {5.0: 900, 50.0: 225, 120.0: 150},
    Cyclist: {5.0: 1100, 50.0: 380, 120.0: 200},  # someone and a bicycle
}
WHO = [(Pedestrian, (k + 0.5) / len(PEOPLE)) for k in range(len(PEOPLE))]
WHO += [(Cyclist, (k + 0.5) / len(RIDERS)) for k in range(len(RIDERS))]

everyone = pytest.mark.parametrize(("family", "exemplar"), WHO)
every_distance = pytest.mark.parametrize("distance", DISTANCES)


def body(family, exemplar: float, distance: float = 5.0, tall: float = 1.8) -> Geometry:
    piece = family().pieces({"exemplar": exemplar, "tall": tall}, distance)[0]
    return moved(piece.geometry, piece.matrix)


@everyone
@every_distance
def test_people_are_as_tall_as_asked_and_stand_on_the_ground(family, exemplar, distance):
    low, high = body(family, exemplar, distance).bounds
    assert abs(low[2]) < 1e-3
    assert high[2] == pytest.approx(1.8, abs=1e-3)


@everyone
@every_distance
def test_triangles_are_within_the_budget_of_their_distance(family, exemplar, distance):
    assert len(body(family, exemplar, distance).faces) <= BUDGET[family][distance]


@everyone
@every_distance
def test_normals_are_finite_and_of_unit_length(family, exemplar, distance):
    normals = family().pieces({"exemplar": exemplar}, distance)[0].geometry.normals
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)


@everyone
def test_coarser_variants_keep_the_extents(family, exemplar):
    near = body(family, exemplar).bounds
    for distance in DISTANCES[1:]:
        np.testing.assert_allclose(body(family, exemplar, distance).bounds, near, atol=0.09)


@everyone
def test_the_same_person_is_one_geometry(family, exemplar):
    first, again = (
        family().pieces({"exemplar": exemplar, "tall": tall, "colour": colour}, distance)
        for tall, colour, distance in ((1.6, "red", 4.0), (1.9, "navy", 30.0))
    )
    assert [p.geometry for p in first] == [p.geometry for p in again]


@pytest.mark.parametrize("family", [Pedestrian, Cyclist])
def test_every_exemplar_is_someone_else(family):
    seen = [body(f, exemplar).positions for f, exemplar in WHO if f is family]
    shapes = {positions.tobytes() for positions in seen}
    assert len(shapes) == len(seen)


@everyone
def test_coat_and_trousers_take_the_colours(family, exemplar):
    values = {"exemplar": exemplar, "colour": "#102030", "trousers": "#405060"}
    piece = family().pieces(values, 5.0)[0]
    assert (piece.first, piece.second) == ((16, 32, 48), (64, 80, 96))
    coat, legs = (
        piece.geometry.positions[piece.geometry.materials == m][:, 2].mean()
        for m in (Material.CLOTH, Material.CLOTH_2)
    )
    assert coat > legs


@everyone
def test_the_darkness_below_is_soft(family, exemplar):
    dark = family().pieces({"exemplar": exemplar}, 5.0)[1]
    assert set(dark.geometry.materials.tolist()) == {Material.CONTACT}
    assert 0 == dark.geometry.uv[:, 0].min() < dark.geometry.uv[:, 0].max() <= 0.75


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("exemplar", [e for f, e in WHO if f is Cyclist])
def test_both_wheels_of_a_bicycle_touch_the_ground(exemplar, distance):
    shape = body(Cyclist, exemplar, distance)
    tyres = shape.positions[shape.materials == Material.RUBBER]
    feet = tyres[tyres[:, 2] < 1e-3]
    assert {y > 0 for y in feet[:, 1].tolist()} == {True, False}


@pytest.mark.parametrize("exemplar", [e for f, e in WHO if f is Cyclist])
def test_a_rider_looks_ahead_with_the_hands_before_the_hips(exemplar):
    shape = body(Cyclist, exemplar)
    coat = shape.positions[shape.materials == Material.CLOTH]
    assert coat[coat[:, 2] < coat[:, 2].mean() - 0.1][:, 1].max() > 0.1
