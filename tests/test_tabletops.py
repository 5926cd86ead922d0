"""Table-top worlds and the plain solids that they are made of."""

import math
from collections import Counter
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import pytest
from family_checks import check_geometries, check_stands, extent
from worlds import prior_scenes

from datagen import audit, labels, recipe
from datagen.audit.agreement import agreement
from datagen.interfaces import LABELS
from datagen.language import check, named, parse, write
from datagen.rng import Stream, rng_for
from renderers import raycast
from renderers._families.solids import Arrow, Ball, Block, Bowl, Cylinder

WORLDS = ("arrow_room", "balls_in_bowl_3d", "clevr_like", "shape_stacks")
FAMILIES = [Arrow(), Ball(), Block(), Bowl(), Cylinder()]
every_world = pytest.mark.parametrize("world", WORLDS)


@cache
def scenes(world):
    return prior_scenes(named(world), range(60), 3)


def things(scene):
    return [p for p in scene.walk() if p.node.category is not None]


# ----------------------------------------------------------------------------------------- solids


@pytest.mark.parametrize("family", FAMILIES)
def test_few_geometries_make_all_solids(family):
    check_geometries(family, most=8)


@pytest.mark.parametrize("family", FAMILIES)
def test_solids_stand_on_the_ground(family):
    check_stands(family.pieces({}, 10.0), slack=1e-3)


@pytest.mark.parametrize(
    ("family", "values", "size"),
    [
        (Ball(), {"width": 3}, (3, 3, 3)),
        (Block(), {"width": 3, "height": 2, "tall": 5}, (3, 2, 5)),
        (Cylinder(), {"width": 3, "tall": 5}, (3, 3, 5)),
        (Bowl(), {"width": 8, "height": 6, "tall": 2}, (8, 6, 2)),
        (Arrow(), {"width": 2, "height": 4, "tall": 1}, (2, 4, 1)),
    ],
)
def test_a_solid_is_as_large_as_it_says(family, values, size):
    low, high = extent(family.pieces(values, 10.0))
    assert high - low == pytest.approx(size, abs=0.01)


def test_the_tip_of_an_arrow_is_where_it_is_narrow():
    points = Arrow().pieces({"height": 4}, 10.0)[0].geometry.positions
    assert {float(x) for x, y, _ in points if y == points[:, 1].max()} == {0.0}


def test_the_inside_of_a_bowl_faces_inwards_and_up():
    shape = Bowl().pieces({}, 10.0)[0].geometry
    x, y, z = shape.positions.T
    wall = (z > 0.3) & (z < 0.9) & (np.hypot(x, y) < 0.92)
    outwards = (shape.normals[:, 0] * x + shape.normals[:, 1] * y)[wall]
    assert wall.any() and (outwards < 0).all()
    floor = (np.hypot(x, y) < 0.6) & (z > 0.1)
    assert (shape.normals[floor, 2] > 0.99).all()


def test_all_faces_of_a_solid_turn_the_same_way_as_its_normals():
    for family in FAMILIES:
        shape = family.pieces({}, 10.0)[0].geometry
        a, b, c = (shape.positions[shape.faces[:, k]] for k in range(3))
        flat = np.cross(b - a, c - a)
        smooth = shape.normals[shape.faces].mean(1)
        area = np.linalg.norm(flat, axis=1) > 1e-6
        signs = np.sign((flat * smooth).sum(1)[area])
        assert abs(signs.sum()) == len(signs), family


# ----------------------------------------------------------------------------------------- worlds


@every_world
def test_the_grammar_has_no_finding_and_survives_a_round_trip(world):
    grammar = named(world)
    assert check(grammar) == []
    assert parse(write(grammar)) == grammar


def test_things_of_the_table_never_touch():
    for scene in scenes("clevr_like"):
        placed = [(p.world, float(p.node.attributes["width"])) for p in scene.walk()
                  if p.node.symbol == "Thing"]  # fmt: skip
        assert 3 <= len(placed) <= 6
        for (a, wa), (b, wb) in combinations(placed, 2):
            assert math.hypot(a.x - b.x, a.y - b.y) >= (wa + wb) / 2 + 0.6


def test_a_thing_of_the_table_fits_the_circle_that_keeps_others_away():
    for scene in scenes("clevr_like"):
        for p in scene.walk():
            if p.node.symbol == "Thing":
                values = p.node.children[0].attributes
                side = math.hypot(*(float(values[k]) for k in ("width", "height") if k in values))
                assert side <= float(p.node.attributes["width"]) * 1.001


def test_each_thing_of_a_stack_stands_on_the_one_below():
    counts = Counter()
    for scene in scenes("shape_stacks"):
        pile = things(scene)
        counts[len(pile)] += 1
        for below, above in pairwise(pile):
            assert above.world.z == pytest.approx(below.world.z + 1.6)
            off = math.hypot(above.world.x - below.world.x, above.world.y - below.world.y)
            assert off <= 0.5 * math.sqrt(2) + 1e-9
        assert all(p.node.category != "ball" for p in pile[:-1])
    assert set(counts) == {2, 3, 4, 5}
    assert min(counts.values()) >= 6  # 15 expected


def test_the_arrow_points_at_the_odd_one_and_at_no_other():
    for scene in scenes("arrow_room"):
        (arrow,) = [p for p in things(scene) if p.node.category == "arrow"]
        others = [p for p in things(scene) if p.node.category != "arrow"]
        kinds = Counter(p.node.category for p in others)
        assert sorted(kinds.values()) == [1, 2]
        ahead = complex(-math.sin(arrow.world.yaw), math.cos(arrow.world.yaw))
        for p in others:
            to = complex(p.world.x - arrow.world.x, p.world.y - arrow.world.y)
            angle = math.degrees(abs(np.angle(to / ahead)))
            assert angle < 1e-6 if kinds[p.node.category] == 1 else angle > 60


def test_things_of_the_arrow_room_do_not_touch():
    for scene in scenes("arrow_room"):
        at = [complex(p.world.x, p.world.y) for p in things(scene)]
        assert min(abs(a - b) for a, b in combinations(at, 2)) > 2.2


def test_solid_balls_lie_on_the_floor_of_their_bowl():
    for scene in scenes("balls_in_bowl_3d"):
        nodes = {p.node.symbol: p for p in scene.walk()}
        red, blue = nodes["red"].node.transform, nodes["blue"].node.transform
        assert math.hypot(red.x - blue.x, red.y - blue.y) >= 2.1
        floor = nodes["floor"].node.attributes
        for ball in (red, blue):
            reach = [abs(ball.x) + 1, abs(ball.y) + 1]
            assert reach[0] <= float(floor["width"]) / 2
            assert reach[1] <= float(floor["height"]) / 2


# ---------------------------------------------------------------------------------------- pictures


@pytest.mark.opengl
@every_world
def test_pictures_have_no_finding_show_their_things_and_rays_agree(world):
    found = recipe.load(world)
    renderer = found.renderers[0].component("renderers")
    some = scenes(world)[:8]
    rngs = [rng_for(0, k, Stream.RENDER) for k in range(len(some))]
    with renderer.open(named(world), frozenset((LABELS,))) as render:
        frames = render(some, rngs)
    seen = 0
    for frame, scene in zip(frames, some, strict=True):
        annotations = labels.annotate(frame)
        assert audit.audit_frame(frame, annotations) == []
        assert frame.class_map.all()
        seen += sum(a.truncation < 0.2 and a.area >= 20 for a in annotations) / len(things(scene))
    assert seen / len(some) > 0.85
    with raycast.Renderer(camera=renderer.camera).open(named(world), frozenset((LABELS,))) as cast:
        (other,) = cast(some[:1], rngs[:1])
    both = agreement(frames[0], other)
    assert both.owners >= 0.999 and both.depth >= 0.999


@pytest.mark.opengl
def test_ground_far_from_the_sun_is_not_in_shadow():
    # The shadow map ends at 62 m ahead.
    from renderers.mesh import Renderer

    text = (
        "world w\ncanvas 64 x 64\nstart S\nS -> sky floor\n"
        'sky { stuff: "s" draw: sky shade: blue azimuth: 30 deg elevation: 55 deg }\n'
        'floor { stuff: "f" draw: block y: 390 m z: -0.12 m tall: 0.1 m\n'
        "width: 800 m height: 800 m }"
    )
    grammar = parse(text)
    camera = {"horizon": -0.02, "focal": 1.5, "height": 12.0}
    with Renderer.model_validate({"camera": camera}).open(grammar, frozenset()) as render:
        (frame,) = render(prior_scenes(grammar, [0]), [rng_for(0, 0, Stream.RENDER)])
    rows = frame.image[8:].mean((1, 2))  # below the haze of the horizon
    assert np.abs(np.diff(rows)).max() < 4
