"""Streets in perspective: one projection for pixels and labels, and painters that keep to it."""

import math
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from worlds import prior_scenes, sample

from datagen import recipe
from datagen.audit import audit_frame
from datagen.errors import InputError, RecipeError
from datagen.labels import annotate
from datagen.language import check, named, parse, write
from datagen.rng import Stream, rng_for
from datagen.scene import Scene, SceneNode, Transform
from renderers._camera import NEAR, Camera, View, clip_near, on_map
from renderers._lying import TEXELS, lay
from renderers._solids import lit_faces
from renderers._street import STREET
from renderers._textures import Picture
from renderers._upright import hang
from renderers._vehicle_models import KINDS, vehicle
from renderers.raster import Renderer

CANVAS = (120, 90)
VIEW = View.of(Camera(), *CANVAS)
BACKGROUND = ("sky", "skyline", "land")
THINGS = tuple(name for name in STREET if name not in BACKGROUND)
STANDING = tuple(name for name in THINGS if name not in ("pavement", "carriageway", "marking"))


@cache
def world():
    blocks = [f'{name} {{ category: "{name}"  draw: {name} }}' for name in THINGS]
    blocks += [f"{name} {{ draw: {name} }}" for name in (*BACKGROUND, "ground")]
    rule = f"Scene -> ground {' '.join(STREET)}"
    return parse(f"world w\ncanvas 120 x 90\nstart Scene\n{rule}\n" + "\n".join(blocks))


def node(name, x=0.0, y=12.0, *, yaw=0.0, z=0.0, scale=1.0, **attributes):
    category = name if name in THINGS else None
    return SceneNode(name, category, Transform(x, y, z, yaw, scale), attributes, name)


def render(*nodes, seed=0, **options):
    scene = Scene(SceneNode("Scene", children=nodes), CANVAS, "", ())
    with Renderer(**options).open(world()) as draw:
        return draw([scene], [rng_for(seed, 0, Stream.RENDER)])[0]


def seen(frame, k=1):
    """Rows and columns of an instance: first and one past the last."""
    rows, columns = np.nonzero(frame.instance_map == k)
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


def row_of(distance, height=0.0):
    return VIEW.horizon + VIEW.focal * (VIEW.eye - height) / distance


def random_things(seed, count=9):
    rng = rng_for(seed, 0, Stream.SCENE)
    names = [str(rng.choice(STANDING)) for _ in range(count)]
    return [
        node(name, rng.uniform(-8, 8), rng.uniform(2, 40), yaw=rng.uniform(0, 6)) for name in names
    ]


# -------------------------------------------------------------------------------- projection


def test_a_point_falls_where_a_pinhole_puts_it():
    pixel = VIEW.project(np.array([[2.0, 10.0, 0.5], [0.0, 5.0, VIEW.eye]]))
    assert pixel[0] == pytest.approx([60 + 120 * 0.2, VIEW.horizon + 12 * (1.35 - 0.5)])
    assert pixel[1] == pytest.approx([60, 0.49 * 90])


@pytest.mark.parametrize("distance", [6.0, 9.0, 15.0])
def test_a_wall_across_the_view_has_the_size_and_place_of_its_projection(distance):
    frame = render(node("barrier", y=distance + 0.05, width=4.0, height=0.1, tall=1.2))
    top, bottom, left, right = seen(frame)
    wide = 4 * VIEW.focal / distance
    assert (left, right) == pytest.approx((60 - wide / 2, 60 + wide / 2), abs=0.8)
    assert top == pytest.approx(row_of(distance + 0.1, 1.2), abs=0.8)
    assert bottom == pytest.approx(row_of(distance), abs=0.8)


@pytest.mark.parametrize("name", ["pedestrian", "cyclist", "lamp_post", "sign", "traffic_light"])
def test_a_thing_stands_on_the_ground_and_shrinks_with_distance(name):
    near, far = (seen(render(node(name, y=distance, tall=3.0))) for distance in (8.0, 16.0))
    assert near[1] == pytest.approx(row_of(8.0), abs=1.6)
    assert far[1] == pytest.approx(row_of(16.0), abs=1.6)
    assert near[1] - near[0] == pytest.approx(2 * (far[1] - far[0]), abs=3)


def test_the_scale_of_a_frame_scales_what_stands_in_it():
    small, large = (seen(render(node("pedestrian", y=20.0, scale=s))) for s in (1.0, 2.0))
    assert large[1] == pytest.approx(small[1], abs=1)
    assert large[1] - large[0] == pytest.approx(2 * (small[1] - small[0]), abs=3)


def test_x_goes_to_the_right_and_yaw_turns_from_x_towards_y():
    left = seen(render(node("vehicle", -2.0)))
    right = seen(render(node("vehicle", 2.0)))
    assert right[2] > left[2] + 30
    corner = on_map(Transform(1.0, 5.0, 0.0, math.pi / 2), np.array([[0.0, 2.0, 0.7]]))
    assert corner[0] == pytest.approx([-1.0, 5.0, 0.7])


def test_a_vehicle_shows_its_lights_by_where_it_looks():
    behind, ahead = (render(node("vehicle", y=6.0, yaw=yaw, colour="teal")) for yaw in (0, math.pi))
    reds = [(f.image[..., 0].astype(int) - f.image[..., 1] > 60).sum() for f in (behind, ahead)]
    assert reds[0] > 8
    assert reds[1] == 0


def test_the_camera_decides_where_the_horizon_is_and_how_large_things_are():
    usual = seen(render(node("pedestrian")))
    raised = seen(render(node("pedestrian"), camera=Camera(horizon=0.3)))
    zoomed = seen(render(node("pedestrian"), camera=Camera(focal=2.0)))
    assert raised[0] == pytest.approx(usual[0] - 0.19 * 90, abs=1)
    assert zoomed[1] - zoomed[0] == pytest.approx(2 * (usual[1] - usual[0]), abs=2)


def test_clipping_keeps_the_part_of_a_polygon_that_lies_ahead():
    square = np.array([(-1, -1, 0), (1, -1, 0), (1, 3, 0), (-1, 3, 0)], float)
    clipped = clip_near(square)
    assert clipped[:, 1].min() == NEAR
    x, y = clipped[:, 0], clipped[:, 1]
    area = 0.5 * abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())
    assert area == pytest.approx(2 * (3 - NEAR))
    away = np.array([0.0, 9.0, 0.0])
    assert np.array_equal(clip_near(square + away), square + away)
    assert len(clip_near(square - away)) == 0


@pytest.mark.parametrize("wall", [((-3, 6), (2, 9)), ((2.5, 30), (2.5, 4)), ((-2, 3), (-2, 60))])
def test_a_picture_on_a_wall_lies_where_the_wall_is_projected(wall):
    """A bright patch in the picture comes out around the projection of its middle."""
    texels = np.zeros((200, 400, 4), np.uint8)
    texels[60:80, 250:270] = 255
    a, b = (np.array([*foot, 0.0], float) for foot in wall)
    up = np.array([0, 0, 4.0])
    view = View.of(Camera(), 1200, 900)
    window = (0, 0, 1200, 900)
    shown = hang(Picture(texels), (400, 200), np.array([a, b, b + up, a + up]), window, view)
    rows, columns = np.nonzero(shown[..., 3] > 127)
    corners = [a + (b - a) * (u / 400) + up * (1 - v / 200)
               for u, v in ((250, 60), (270, 60), (270, 80), (250, 80))]  # fmt: skip
    expected = view.project(np.array(corners))
    assert (columns.min(), columns.max() + 1) == pytest.approx(
        (expected[:, 0].min(), expected[:, 0].max()), abs=2
    )
    assert (rows.min(), rows.max() + 1) == pytest.approx(
        (expected[:, 1].min(), expected[:, 1].max()), abs=2
    )


def test_a_texture_on_the_ground_lies_where_the_ground_is_projected():
    tile = np.zeros((512, 512, 3), np.uint8)
    metre = TEXELS
    tile[8 * metre : 9 * metre, 2 * metre : 3 * metre] = 255  # 2 to 3 m right, 8 to 9 m ahead
    view = View.of(Camera(), 1200, 900)
    shown = lay(Picture(tile), (0, 450, 1200, 450), view, (0.0, 0.0))
    rows, columns = np.nonzero(shown[..., 0] > 127)
    near = columns[rows + 450 > view.project(np.array([2.5, 8.5, 0.0]))[1] - 30]
    corners = view.project(np.array([(2, 8, 0), (3, 8, 0), (3, 9, 0), (2, 9, 0.0)]))
    assert near.min() == pytest.approx(corners[:, 0].min(), abs=4)
    assert near.max() == pytest.approx(corners[:, 0].max(), abs=4)
    assert rows.max() + 450 == pytest.approx(corners[:, 1].max(), abs=4)


@pytest.mark.parametrize("kind", KINDS)
def test_every_face_of_a_vehicle_looks_outwards(kind):
    mesh = vehicle(kind)
    for first, end in zip(mesh.starts.tolist(), mesh.ends.tolist(), strict=True):
        corners = mesh.points[first:end]
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        normal /= np.linalg.norm(normal)
        middle = corners.mean(axis=0)
        for axis in (0, 1):
            if abs(normal[axis]) > 0.75:
                assert normal[axis] * middle[axis] > 0, (kind, first)


def test_only_faces_that_look_at_the_eye_are_seen_and_those_to_the_sun_are_brighter():
    mesh = vehicle("van")
    points = on_map(Transform(0.0, 10.0), mesh.points * (1.9, 5.0, 2.1))
    seen_faces, bright = lit_faces(points, mesh.starts, 1.35)
    middles = np.array([points[mesh.starts[k] : mesh.ends[k]].mean(axis=0) for k in seen_faces])
    assert middles[:, 1].min() < 8.0  # its back
    assert middles[:, 1].max() < 12.3  # and nothing of its front
    turned = [lit_faces(on_map(Transform(x, 10.0), mesh.points * 2.0), mesh.starts, 1.35)[1]
              for x in (-6.0, 6.0)]  # fmt: skip
    assert turned[1].mean() > turned[0].mean()  # the light comes from the left
    assert 0.3 < bright.min() <= bright.max() < 1.3


# -------------------------------------------------------------------- image and labels agree


@pytest.mark.parametrize("name", THINGS)
def test_every_painter_draws_what_it_labels(name):
    bare = render(node("ground", shade="#00ff80")).image.astype(int)
    frame = render(node("ground", shade="#00ff80"), node(name, y=8.0))
    change = np.abs(frame.image - bare).max(axis=2)
    owned = frame.instance_map == 1
    assert owned.sum() > 15
    assert change[owned].min() > 25
    assert audit_frame(frame, annotate(frame)) == []


@pytest.mark.parametrize("name", BACKGROUND)
def test_what_lies_behind_the_street_is_drawn_and_labels_nothing(name):
    frame = render(node("ground", shade="#00ff80"), node(name))
    assert (frame.image != (0, 255, 128)).any(axis=2).sum() > 100
    assert frame.instances == ()


@pytest.mark.parametrize("seed", range(6))
def test_instance_map_is_what_the_silhouettes_leave_of_each_other(seed):
    frame = render(node("land", z=-2.0), *random_things(seed))
    expected = np.zeros((90, 120), np.int32)
    for thing in frame.instances:
        expected[thing.silhouette.inside(90, 120)] = thing.id
    assert np.array_equal(frame.instance_map, expected)
    assert audit_frame(frame, annotate(frame)) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_silhouette_is_the_thing_painted_alone(seed):
    things = random_things(seed)
    for thing in render(*things).instances:
        alone = render(things[int(thing.path)])
        assert np.array_equal(alone.instance_map > 0, thing.silhouette.inside(90, 120))


def test_the_nearer_hides_the_farther_in_any_order_of_the_tree():
    near, far = node("vehicle", y=8.0, colour="red"), node("vehicle", y=14.0, colour="blue")
    for nodes in ((near, far), (far, near)):
        frame = render(*nodes)
        ids = {thing.path: thing.id for thing in frame.instances}
        front = ids[str(nodes.index(near))]
        silhouette = next(t for t in frame.instances if t.id == front).silhouette
        assert (frame.instance_map[silhouette.inside(90, 120)] == front).all()


def test_a_layer_goes_before_distance():
    near, far = node("vehicle", y=8.0), node("vehicle", y=14.0, z=1.0)
    frame = render(near, far)
    last = frame.instances[-1]
    assert last.path == "1"
    assert (frame.instance_map[last.silhouette.inside(90, 120)] == last.id).all()


def test_things_in_a_turned_street_are_ordered_by_their_distance_from_the_camera():
    """The frame of the street turns: what is farther along it may now be nearer."""
    first, second = node("vehicle", y=-8.0), node("vehicle", y=-14.0)
    street = SceneNode("ground", None, Transform(0, 0, 0, math.pi), {}, None, (first, second))
    frame = render(street)
    assert [thing.path for thing in frame.instances] == ["0.1", "0.0"]


def test_labels_do_not_depend_on_the_stream_but_textures_do():
    nodes = [node("land", z=-2.0), node("carriageway", y=60.0, z=-1.0), *random_things(4)]
    one, other = render(*nodes, seed=1), render(*nodes, seed=2)
    assert not np.array_equal(one.image, other.image)
    assert np.array_equal(one.instance_map, other.instance_map)


def test_the_light_of_the_sky_darkens_the_street_and_leaves_the_labels():
    things = random_things(2)
    day, night = (
        render(node("sky", z=-3.0, shade=shade, light=light), node("land", z=-2.0), *things)
        for shade, light in (("overcast", 1.0), ("dusk", 0.3))
    )
    assert np.array_equal(day.instance_map, night.instance_map)
    owned = day.instance_map > 0
    assert night.image[owned].mean() < 0.4 * day.image[owned].mean()
    sky, land = (~owned[rows] for rows in (slice(30), slice(60, 90)))
    assert night.image[:30][sky].mean() > 3 * night.image[60:][land].mean()


def test_haze_takes_contrast_from_what_is_far():
    dark = [render(node("barrier", y=y, width=30.0, height=1.0, tall=9.0, colour="black"))
            for y in (10.0, 80.0)]  # fmt: skip
    near, far = (frame.image[frame.instance_map == 1].mean() for frame in dark)
    assert far > near + 25


# ------------------------------------------------------------------------------- the border


@pytest.mark.parametrize("name", THINGS)
def test_what_stands_behind_the_camera_is_not_there(name):
    extents = {"width": 2.0, "height": 3.0} if name in ("pavement", "carriageway") else {}
    if name == "building":
        extents = {"width": 4.0, "height": 4.0}
    frame = render(node(name, y=-9.0, **extents))
    assert frame.instances == ()
    assert not frame.image.any()


@pytest.mark.parametrize("name", THINGS)
@pytest.mark.parametrize(("x", "y"), [(1.0, 0.4), (0.0, 1e9), (1e9, 3.0), (-3.0, 0.6), (0.0, 0.0)])
def test_nothing_breaks_at_the_camera_or_very_far_away(name, x, y):
    frame = render(node(name, x, y, yaw=0.3))
    assert audit_frame(frame, annotate(frame)) == []
    for thing in frame.instances:
        assert thing.silhouette.mask.size <= (2 * 120 + 2) * (2 * 90 + 2)


@pytest.mark.parametrize("name", STANDING)
@pytest.mark.parametrize("bad", [float("nan"), math.inf])
def test_a_place_that_is_no_number_is_an_input_error(name, bad):
    with pytest.raises(InputError, match=f"cannot draw `{name}`"):
        render(node(name, bad, 5.0))


def test_a_silhouette_goes_on_beyond_the_border():
    frame = render(node("vehicle", 4.0, 8.0))
    silhouette = frame.instances[0].silhouette
    assert silhouette.x + silhouette.mask.shape[1] > 120
    assert silhouette.area > np.count_nonzero(frame.instance_map)


# --------------------------------------------------------------------- mistakes in a grammar


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("draw: vehicle  kind: tank", ["unknown kind", "tank", "hatchback"]),
        ("draw: vehicle  length: 4 m", ["`length`", "height"]),
        ("draw: vehicle  tall: -1 m", ["`tall`", "-1"]),
        ("draw: building  storeys: choice(2, 12)", ["`storeys`", "12", "9"]),
        ("draw: building  style: gothic", ["gothic", "terrace"]),
        ("draw: sky  shade: purple", ["purple", "overcast"]),
        ("draw: land  surface: lava", ["lava", "asphalt"]),
        ("draw: street_tree  exemplar: uniform(0, 2)", ["`exemplar`", "2"]),
        ("draw: sign  kind: choice(round, square)", ["square", "triangle"]),
        ("draw: traffic_light  lit: blue", ["blue", "amber"]),
        ("draw: pedestrian  colour: mauve", ["mauve", "crimson"]),
        ("draw: carriageway  lanes: 2", ["`lanes`", "centre"]),
    ],
)
def test_what_a_painter_cannot_draw_is_refused_before_anything_is_drawn(block, words):
    text = f"world w\ncanvas 32 x 32\nstart Scene\nScene -> thing\nthing {{ {block} }}\n"
    with pytest.raises(InputError) as error, Renderer().open(parse(text)):
        pass
    for word in ("`thing`", *words):
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ("{horizon = 1.5}", "horizon"),
        ("{focal = 0}", "focal"),
        ("{tilt = 3}", "tilt"),
        ("3", "camera"),
    ],
)
def test_a_camera_that_cannot_be_is_refused(setting, word):
    with pytest.raises(RecipeError, match=word):
        recipe.load("street_2d", [f"renderers.0.camera={setting}"])


def test_a_recipe_can_move_the_camera():
    moved = recipe.load("street_2d", ["renderers.0.camera.horizon=0.4"])
    assert moved.renderers[0].component("renderers").camera == Camera(horizon=0.4)


# --------------------------------------------------------------------------- the shipped world


def test_the_grammar_has_no_finding_and_survives_a_round_trip():
    grammar = named("street_2d")
    assert check(grammar) == []
    assert parse(write(grammar)) == grammar


def test_every_category_is_seen_and_none_is_everywhere():
    frames = sample("street_2d", 150)[1]
    for category in frames[0].categories:
        share = np.mean([any(a.category == category for a in annotate(f)) for f in frames])
        assert 0.05 < share < 1, category


def test_everything_stands_on_the_ground_below_the_horizon():
    horizon = 0.49 * 180
    for frame in sample("street_2d", 150)[1]:
        for thing in annotate(frame):
            if thing.category in ("tree", "pole", "sign", "traffic light"):
                continue  # far away, a trunk or post is too thin to own a pixel
            foot = thing.amodal_bbox[1] + thing.amodal_bbox[3]
            assert foot >= horizon - 1, (thing.category, thing.amodal_bbox)


def test_traffic_keeps_to_the_road_and_people_off_the_middle_of_it():
    for scene in sample("street_2d", 150)[0]:
        shift = scene.root.transform
        for placed in scene.walk():
            dx, dy = placed.world.x - shift.x, placed.world.y
            aside = dx * math.cos(shift.yaw) + dy * math.sin(shift.yaw)
            if placed.node.symbol in ("Ahead", "Oncoming", "Parked", "rider"):
                assert abs(aside) < 4.8
            if placed.node.symbol in ("person", "lamp", "sign", "panel", "bollard"):
                assert abs(aside) > 4.9


def test_things_that_stand_in_one_strip_do_not_run_into_each_other():
    for scene in sample("street_2d", 150)[0]:
        for placed in scene.walk():
            for name in ("block", "home", "Parked", "Ahead", "Oncoming"):
                row = [c for c in placed.node.children if c.symbol == name]
                ends = [(c.transform.y, float(c.attributes["height"]) / 2) for c in row]
                for (y, half), (beyond, other) in pairwise(ends):
                    assert beyond - other >= y + half - 1e-6


def test_the_sky_is_brighter_than_the_road_and_an_evening_darker_than_a_day():
    scenes, frames = sample("street_2d", 150)
    means: dict[str, list[float]] = {}
    for scene, frame in zip(scenes, frames, strict=True):
        weather = scene.root.children[0].children[0].symbol
        grey = frame.image.mean(axis=2)
        nothing = frame.instance_map == 0
        sky, road = grey[:40][nothing[:40]], grey[150:, 60:180][nothing[150:, 60:180]]
        if len(sky) > 500 and len(road) > 500:
            assert np.median(sky) > 1.3 * np.median(road)
            means.setdefault(weather, []).append(float(np.median(road)))
    assert np.mean(means["dusk"]) < 0.55 * np.mean(means["overcast"])


def test_a_frame_is_the_same_in_any_company():
    scenes, frames = sample("street_2d", 150)
    grammar = named("street_2d")
    with Renderer().open(grammar) as draw:
        for k in (5, 0):
            alone = draw([scenes[k]], [rng_for(0, k, Stream.RENDER)])[0]
            assert np.array_equal(alone.image, frames[k].image)
            assert np.array_equal(alone.instance_map, frames[k].instance_map)


def test_the_classes_of_what_is_no_thing_change_no_picture_and_no_label():
    """Stuff has a class in `street_2d`, and nothing else of it is other than without."""
    grammar = named("street_2d")
    bare = {name: replace(symbol, stuff=None) for name, symbol in grammar.symbols.items()}
    drawn = []
    for one in (grammar, replace(grammar, symbols=bare)):
        scenes = prior_scenes(one, range(12))
        with Renderer().open(one) as draw:
            drawn.append(draw(scenes, [rng_for(0, k, Stream.RENDER) for k in range(12)]))
    for classed, plain in zip(*drawn, strict=True):
        assert np.array_equal(classed.image, plain.image)
        assert np.array_equal(classed.instance_map, plain.instance_map)
        assert annotate(classed) == annotate(plain)
        assert (classed.class_map > 0).all(), "every pixel of a street is something"
