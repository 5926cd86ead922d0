"""The ray caster: what it sees of shapes whose places are known."""

import math
import time

import numpy as np
import pytest
import trimesh

from datagen.audit.agreement import edges
from datagen.frame import Pinhole
from renderers._families.geometry import Geometry, box, join, placement, polygon
from renderers._families.materials import Material
from renderers._raycast import cast

# The eye is 1.5 m above the world's origin and looks ahead.
POSE = (1, 0, 0, 0, 0, 0, -1, 1.5, 0, 1, 0, 0, 0, 0, 0, 1)
CAMERA = Pinhole(64, 48, 50.0, 50.0, 32.0, 24.0, pose=tuple(map(float, POSE)))
HERE = placement()
EVERY_PIXEL = np.stack(np.meshgrid(np.arange(64), np.arange(48)), axis=-1).reshape(-1, 2)


def see(*pieces, pixels=((32, 24),), near=0.1, camera=CAMERA):
    ids, depth = cast(pieces, camera, np.array(pixels), near)
    return ids.tolist(), depth.tolist()


def ball(centre, radius, subdivisions=3):
    mesh = trimesh.creation.icosphere(subdivisions, radius)
    n = len(mesh.vertices)
    return Geometry(
        (mesh.vertices + centre).astype(np.float32),
        mesh.vertex_normals.astype(np.float32),
        np.zeros((n, 2), np.float32),
        np.zeros((n, 3), np.uint8),
        np.zeros(n, np.uint8),
        mesh.faces.astype(np.uint32),
    )


def wall(y, half=100.0, material=Material.PLAIN):
    corners = [(-half, y, -half), (half, y, -half), (half, y, half), (-half, y, half)]
    return polygon(corners, material)


def test_a_box_is_seen_at_the_distance_of_its_front():
    ids, depth = see((box((-1, 5, 0), (1, 7, 3)), HERE, 9))
    assert ids == [9]
    assert depth == pytest.approx([5.0], abs=1e-4)


def test_depth_is_along_the_optical_axis_also_in_the_corners():
    ids, depth = see((wall(8.0), HERE, 1), pixels=((0, 0), (63, 47), (32, 24)))
    assert ids == [1, 1, 1]
    assert depth == pytest.approx([8.0] * 3, abs=1e-4)


def test_a_box_covers_the_pixels_whose_centres_it_covers():
    # 2 m across at 10 m and 50 px: slopes from -0.1 to 0.1 are columns 27 to 37.
    ids, _ = cast([(box((-1, 10, 0.5), (1, 11, 2.5)), HERE, 1)], CAMERA, EVERY_PIXEL, 0.1)
    shape = ids.reshape(48, 64) == 1
    assert np.flatnonzero(shape.any(axis=0)).tolist() == list(range(27, 38))
    assert np.flatnonzero(shape.any(axis=1)).tolist() == list(range(19, 30))


def test_a_sphere_is_as_far_as_its_equation_says():
    centre, radius = np.array([0.5, 6.0, 1.2]), 1.0
    pixels = np.array([[32, 24], [35, 25], [38, 28]])
    _, depth = cast([(ball(centre, radius, 5), HERE, 1)], CAMERA, pixels, 0.1)
    for (column, row), found in zip(pixels, depth, strict=True):
        ray = np.array([(column - 32) / 50, 1.0, -(row - 24) / 50])
        eye = np.array([0, 0, 1.5]) - centre
        a, b, c = ray @ ray, ray @ eye, eye @ eye - radius**2
        assert found == pytest.approx((-b - math.sqrt(b * b - a * c)) / a, abs=2e-3)


def test_the_nearer_of_two_things_is_seen_in_whatever_order_they_come():
    near, far = (wall(4.0), HERE, 1), (wall(9.0), HERE, 2)
    assert see(near, far) == see(far, near)
    assert see(far, near)[0] == [1]


def test_where_nothing_is_the_depth_is_infinite():
    assert see((box((5, 5, 0), (6, 6, 1)), HERE, 3)) == ([0], [math.inf])
    assert see() == ([0], [math.inf])


def test_what_is_behind_the_camera_is_not_seen():
    assert see((wall(-4.0), HERE, 1)) == ([0], [math.inf])


def test_what_is_nearer_than_the_near_plane_is_not_there():
    ids, depth = see((wall(0.4), HERE, 1), (wall(3.0), HERE, 2), near=0.5)
    assert ids == [2]
    assert depth == pytest.approx([3.0], abs=1e-4)


def test_a_ground_that_reaches_behind_the_camera_is_seen_in_front_of_it():
    ground = polygon([(-50, -50, 0), (50, -50, 0), (50, 50, 0), (-50, 50, 0)])
    ids, depth = see((ground, HERE, 4), pixels=((32, 34), (32, 14)))
    assert ids == [4, 0]
    assert depth[0] == pytest.approx(1.5 / (10 / 50), abs=1e-4)


def test_the_matrix_places_a_piece():
    unit = box((-0.5, -0.5, 0), (0.5, 0.5, 1))
    ids, depth = see((unit, placement((0, 12, 0), math.pi / 2, (2, 6, 3)), 5))
    assert ids == [5]
    assert depth == pytest.approx([11.0], abs=1e-4)  # turned: its width of 2 m lies along y


def test_the_darkness_under_things_is_nobodys_pixel():
    pieces = (wall(4.0, material=Material.CONTACT), HERE, 1), (wall(5.0), HERE, 2)
    assert see(*pieces)[0] == [2]


def test_no_ray_slips_between_triangles_that_share_an_edge():
    tiles = [
        polygon([(x, 8, z), (x + 1, 8, z), (x + 1, 8, z + 1), (x, 8, z + 1)])
        for x in range(-8, 8)
        for z in range(-7, 9)
    ]
    ids, depth = cast([(join(tiles), HERE, 1)], CAMERA, EVERY_PIXEL, 0.1)
    assert (ids == 1).all()
    assert depth == pytest.approx(8.0, abs=1e-4)


def test_a_bent_lens_sees_a_point_where_it_projects_to():
    camera = Pinhole(64, 48, 50.0, 50.0, 32.0, 24.0, (-0.2, 0.05), CAMERA.pose)
    pixels = np.array([[3, 5], [60, 40]])
    _, depth = cast([(wall(8.0), HERE, 1)], camera, pixels, 0.1)
    assert depth == pytest.approx([8.0, 8.0], abs=1e-4)
    slope = np.array([[-0.5, -0.3]])
    column, row = camera.project(np.column_stack([slope, [1.0]]))[0]
    corner = ball((slope[0, 0] * 8, 8.0, 1.5 - slope[0, 1] * 8), 0.3)
    ids, _ = cast([(corner, HERE, 1)], camera, np.rint([[column, row]]).astype(int), 0.1)
    assert ids.tolist() == [1]


def test_sixty_thousand_triangles_take_seconds():
    pieces = [(ball((k - 2, 8 + k, 1.5), 0.8, 5), HERE, k + 1) for k in range(3)]
    pixels = EVERY_PIXEL[:2000]
    start = time.process_time()
    ids, _ = cast(pieces, CAMERA, pixels, 0.1)
    assert time.process_time() - start < 6
    assert set(ids.tolist()) >= {0, 1}


def test_edges_are_the_pixels_beside_another_id():
    instances = np.zeros((5, 6), np.int32)
    instances[:, 3:] = 7
    expected = np.zeros((5, 6), bool)
    expected[:, 2:4] = True
    assert (edges(instances) == expected).all()


def test_a_corner_touches_eight_neighbours():
    instances = np.zeros((5, 5), np.int32)
    instances[2, 2] = 1
    expected = np.zeros((5, 5), bool)
    expected[1:4, 1:4] = True
    assert (edges(instances) == expected).all()
