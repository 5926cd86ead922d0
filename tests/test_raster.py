"""The raster renderer: image and labels come from one pass, in the stated pixel conventions."""

import json
import math
from pathlib import Path
from textwrap import dedent

import cv2
import numpy as np
import pytest

from datagen.audit import audit_frame
from datagen.derivation import sample_prior
from datagen.errors import InputError
from datagen.frame import Frame
from datagen.labels import annotate
from datagen.language import parse
from datagen.placement import expand
from datagen.rng import Stream, rng_for
from datagen.scene import Scene, SceneNode, Transform
from renderers._painters import PAINTERS
from renderers.raster import Renderer

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"

WORLD = """
    world shapes
    canvas 64 x 48
    start Scene
    Scene -> ground rect ellipse polygon car house tree road mark group
    ground  { draw: ground }
    rect    { category: "rect"  draw: rect }
    ellipse { category: "ellipse"  draw: ellipse }
    polygon { category: "polygon"  draw: polygon }
    car     { category: "car"  draw: car }
    house   { category: "house"  draw: house }
    tree    { category: "tree"  draw: tree }
    road    { category: "road"  draw: road }
    mark    { draw: rect }
    group   { category: "group" }
"""
CANVAS = (64, 48)
THINGS = ("rect", "ellipse", "polygon", "car", "house", "tree", "road")


def world():
    return parse(dedent(WORLD))


def node(name, x=32.0, y=24.0, *children, z=0.0, yaw=0.0, scale=1.0, labelled=True, **attributes):
    """A node of WORLD, drawn by the painter of the same name (a mark is a rect)."""
    asset = {"mark": "rect", "group": None}.get(name, name)
    category = name if labelled and name not in ("mark", "ground") else None
    return SceneNode(name, category, Transform(x, y, z, yaw, scale), attributes, asset, children)


def scene(*nodes, canvas=CANVAS):
    return Scene(SceneNode("Scene", children=nodes), canvas, "", ())


def render(*nodes, canvas=CANVAS, seed=0, **options) -> Frame:
    with Renderer(**options).open(world()) as draw:
        return draw([scene(*nodes, canvas=canvas)], [rng_for(seed, 0, Stream.RENDER)])[0]


def random_nodes(seed, count=9):
    rng = rng_for(seed, 0, Stream.SCENE)
    nodes = []
    for _ in range(count):
        name = str(rng.choice(THINGS))
        sizes = {"road": {"width": 50.0}, "polygon": {"sides": 5}}.get(name, {})
        x, y = rng.uniform(-8, 72), rng.uniform(-8, 56)
        z, yaw = float(rng.integers(-1, 2)), rng.uniform(0, 6)
        nodes.append(node(name, x, y, z=z, yaw=yaw, **sizes))
    return nodes


# ---------------------------------------------------------------------- pixel conventions


def test_a_rectangle_on_whole_pixels_covers_exactly_its_pixels():
    frame = render(node("rect", 16.0, 25.0, width=12.0, height=20.0, colour="red"))
    expected = np.zeros((48, 64), bool)
    expected[15:35, 10:22] = True
    assert np.array_equal(frame.instance_map == 1, expected)
    assert np.array_equal(frame.image, expected[..., None] * np.array([255, 0, 0], np.uint8))


def test_a_half_covered_column_is_half_as_bright_and_still_owned():
    frame = render(node("rect", 16.5, 25.0, width=12.0, height=20.0))
    assert frame.image[25, 10, 0] == pytest.approx(128, abs=1)
    assert frame.image[25, 22, 0] == pytest.approx(128, abs=1)
    assert frame.image[25, 11, 0] == 255
    assert frame.image[25, 23, 0] == 0


@pytest.mark.parametrize("yaw", [0.0, 0.3, math.pi / 4, 1.2, math.pi / 2, 2.5])
def test_coverage_of_a_turned_rectangle_adds_up_to_its_area(yaw):
    sums, centres = [], []
    for k in range(12):
        x, y = 32 + k / 12, 24 + (k * 5 % 12) / 12
        frame = render(node("rect", x, y, yaw=yaw, width=20.0, height=12.0))
        grey = frame.image[..., 0] / 255.0
        sums.append(grey.sum())
        rows, columns = np.mgrid[:48, :64] + 0.5
        centres.append(
            ((grey * columns).sum() / grey.sum() - x, (grey * rows).sum() / grey.sum() - y)
        )
    assert np.mean(sums) == pytest.approx(240, rel=0.01)
    assert np.abs(centres).max() < 1 / 8 + 0.01  # half of a fine pixel


def test_a_circle_and_a_polygon_have_their_areas():
    circle = render(node("ellipse", width=20.0, height=20.0)).image[..., 0].sum() / 255
    hexagon = render(node("polygon", sides=6, radius=12.0)).image[..., 0].sum() / 255
    assert circle == pytest.approx(math.pi * 100, rel=0.015)
    assert hexagon == pytest.approx(6 * 144 * math.sin(math.pi / 3) / 2, rel=0.015)


def test_yaw_turns_from_x_towards_y():
    frame = render(node("rect", yaw=0.4, width=40.0, height=4.0))
    rows, columns = np.nonzero(frame.instance_map)
    slope = np.polyfit(columns, rows, 1)[0]
    assert slope == pytest.approx(math.tan(0.4), abs=0.02)


def test_a_polygon_has_its_first_corner_up():
    rows, columns = np.nonzero(render(node("polygon", sides=3, radius=12.0)).instance_map)
    assert abs(columns[rows == rows.min()].mean() + 0.5 - 32) <= 0.5
    assert np.count_nonzero(rows == rows.max()) > 15


def test_a_car_looks_along_its_own_x():
    head = render(node("car", length=40.0, width=18.0, colour="blue")).image.astype(int)
    red, blue = head[..., 0], head[..., 2]
    assert red[:, 44:].max() > 200  # lights in front are nearly white
    assert ((red > 150) & (blue < 80))[:, :20].any()  # lights behind are red


def test_scale_and_parent_frames_reach_the_pixels():
    child = node("rect", 5.0, 0.0, width=10.0, height=10.0)
    frame = render(node("group", 20.0, 20.0, child, scale=2.0, yaw=math.pi / 2, labelled=False))
    rows, columns = np.nonzero(frame.instance_map)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 39, 10, 29)


# ------------------------------------------------------------------ image and labels agree


@pytest.mark.parametrize("seed", range(8))
def test_instance_map_is_what_the_silhouettes_leave_of_each_other(seed):
    nodes = random_nodes(seed)
    frame = render(node("ground", z=-2.0), *nodes)
    expected = np.zeros((48, 64), np.int32)
    for thing in frame.instances:  # ids are in draw order
        expected[thing.silhouette.inside(48, 64)] = thing.id
    assert np.array_equal(frame.instance_map, expected)
    classes = np.array([0] + [thing.category for thing in frame.instances])
    assert np.array_equal(frame.class_map, classes[frame.instance_map])


@pytest.mark.parametrize("seed", range(4))
def test_a_silhouette_is_the_thing_painted_alone(seed):
    nodes = random_nodes(seed)
    frame = render(node("ground", z=-2.0), *nodes)
    for thing in frame.instances:
        alone = render(nodes[int(thing.path) - 1])
        assert np.array_equal(alone.instance_map > 0, thing.silhouette.inside(48, 64))


@pytest.mark.parametrize("name", THINGS)
def test_pixels_change_where_the_labels_say_so(name):
    """A thing's own pixels differ from the ground, and nothing changes beyond edge and shadow."""
    bare = render(node("ground", shade="#00ff80")).image.astype(int)
    thing = node(name, yaw=0.5, width=18.0, height=9.0, length=18.0, size=16.0)
    frame = render(node("ground", shade="#00ff80"), thing)
    change = np.abs(frame.image - bare).max(axis=2)
    assert change[frame.instance_map > 0].min() > 40
    near = cv2.dilate((frame.instance_map > 0).astype(np.uint8), np.ones((11, 11), np.uint8))
    assert change[near == 0].max() == 0


def test_a_shadow_darkens_other_things_but_takes_no_pixel():
    below = node("rect", 36.0, 27.0, width=30.0, height=24.0)
    house = node("house", 30.0, 22.0, width=16.0, height=12.0)
    frame = render(below, house)
    left = frame.instance_map == 1
    assert np.array_equal(left | (frame.instance_map == 2), render(below).instance_map == 1)
    assert frame.image[left].min() < 180


def test_higher_z_is_nearer_and_ties_follow_the_tree():
    low, high = node("rect", z=1.0, colour="red"), node("rect", z=0.0, colour="blue")
    assert render(low, high).image[24, 32].tolist() == [255, 0, 0]
    tied = render(node("rect", colour="red"), node("rect", colour="blue"))
    assert tied.image[24, 32].tolist() == [0, 0, 255]


def test_depth_counts_layers_from_the_top():
    frame = render(
        node("rect", 20.0), node("rect", 24.0), node("rect", 50.0, colour="blue", z=-1.0)
    )
    assert frame.depth is not None
    assert frame.depth.dtype == np.float32
    assert frame.depth[24, 24] == 0  # the rect at 24 was drawn last
    assert frame.depth[24, 16] == 1
    assert frame.depth[24, 50] == 2
    assert frame.depth[0, 0] == 3


def test_a_drawn_node_without_category_erases_what_it_covers():
    frame = render(node("rect", width=20.0, height=20.0), node("mark", width=4.0, height=30.0))
    assert (frame.instance_map[:, 30:34] == 0).all()
    assert (frame.class_map[:, 30:34] == 0).all()
    assert len(frame.instances) == 1
    assert frame.instances[0].silhouette.area == 400


def test_a_drawn_child_without_category_is_part_of_the_thing_above_it():
    part = node("mark", 12.0, 0.0, width=8.0, height=4.0)
    frame = render(node("rect", 24.0, 24.0, part, width=20.0, height=20.0))
    assert len(frame.instances) == 1
    assert frame.instances[0].silhouette.area == 400 + 6 * 4
    assert np.count_nonzero(frame.instance_map == 1) == 424


def test_a_group_with_a_category_is_the_union_of_its_drawn_parts():
    parts = (node("mark", -10.0, 0.0), node("mark", 10.0, 0.0))
    frame = render(node("group", 32.0, 24.0, *parts))
    assert [thing.path for thing in frame.instances] == ["0"]
    assert frame.instances[0].silhouette.area == 200
    assert frame.categories[frame.instances[0].category - 1] == "group"


# ------------------------------------------------------------------------------- the border


def test_a_silhouette_goes_on_beyond_the_border():
    frame = render(node("rect", 0.0, 24.0, width=20.0, height=10.0))
    silhouette = frame.instances[0].silhouette
    assert silhouette.area == 200
    assert silhouette.x == -10
    assert np.count_nonzero(frame.instance_map) == 100


@pytest.mark.parametrize(("x", "y"), [(-500.0, 24.0), (32.0, 900.0), (1e6, -1e6)])
def test_a_thing_outside_the_image_keeps_its_silhouette_and_shows_nothing(x, y):
    frame = render(node("house", x, y))
    assert not frame.image.any()
    assert not frame.instance_map.any()
    assert frame.instances[0].silhouette.area == pytest.approx(140, abs=12)


def test_a_thing_too_small_to_own_a_pixel_is_no_instance():
    frame = render(node("rect", width=0.2, height=0.2), node("rect", 10.0))
    assert [thing.id for thing in frame.instances] == [1]
    assert frame.instances[0].path == "1"


@pytest.mark.parametrize("width", [1e9, float("nan"), -math.inf, "wide"])
def test_absurd_extents_in_a_scene_are_an_input_error_or_clipped(width):
    with Renderer().open(world()) as draw:
        odd = scene(node("rect", width=width, height=1e9))
        rng = [rng_for(0, 0, Stream.RENDER)]
        if width == -math.inf:
            assert draw([odd], rng)[0].image.shape == (48, 64, 3)
        else:
            with pytest.raises(InputError, match="cannot draw `rect`"):
                draw([odd], rng)


def test_a_scale_of_zero_is_an_input_error():
    with pytest.raises(InputError, match="scale is 0"):
        render(node("rect", scale=0.0))


# ------------------------------------------------------------------------------ determinism


def test_the_same_scene_and_stream_give_the_same_bytes_in_any_company():
    scenes = [scene(node("ground", shade="grass"), *random_nodes(k)) for k in range(6)]
    with Renderer(noise=4.0).open(world()) as draw:
        together = draw(scenes, [rng_for(7, k, Stream.RENDER) for k in range(6)])
    with Renderer(noise=4.0).open(world()) as draw:
        for k in (5, 0, 3):
            alone = draw([scenes[k]], [rng_for(7, k, Stream.RENDER)])[0]
            assert np.array_equal(alone.image, together[k].image)
            assert np.array_equal(alone.instance_map, together[k].instance_map)


def test_the_stream_changes_pixels_and_never_labels():
    nodes = [node("ground", shade="grass"), *random_nodes(3)]
    one, other = render(*nodes, seed=1, noise=6.0), render(*nodes, seed=2, noise=6.0)
    assert not np.array_equal(one.image, other.image)
    assert np.array_equal(one.instance_map, other.instance_map)


def test_noise_has_the_deviation_that_was_asked_for():
    frame = render(node("ground", shade="grey"), noise=5.0)
    assert frame.image.mean() == pytest.approx(128, abs=0.3)
    assert frame.image.std() == pytest.approx(5.0, rel=0.05)


def test_a_description_travels_as_json():
    renderer = Renderer(supersample=2, noise=1.5)
    assert Renderer.model_validate_json(renderer.model_dump_json()) == renderer
    with pytest.raises(ValueError, match="supersample"):
        Renderer(supersample=9)


def test_supersampling_only_refines_edges():
    nodes = random_nodes(5)
    rough, fine = render(*nodes, supersample=1), render(*nodes, supersample=8)
    differs = rough.instance_map != fine.instance_map
    assert 0 < differs.mean() < 0.06


def test_the_golden_scene_still_looks_the_same():
    """Loose on purpose: OpenCV may round differently on another processor."""
    with open(GOLDEN / "town.json") as stream:
        golden = Scene.from_json(json.load(stream))
    with Renderer().open(world()) as draw:
        frame = draw([golden], [rng_for(0, 0, Stream.RENDER)])[0]
    image = cv2.imread(str(GOLDEN / "town.png"))[..., ::-1]
    ids = cv2.imread(str(GOLDEN / "town_ids.png"), cv2.IMREAD_UNCHANGED)
    assert np.abs(frame.image.astype(int) - image).mean() < 0.5
    assert (frame.instance_map != ids).mean() < 0.002


# --------------------------------------------------------------------- mistakes in a grammar


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("car { draw: cat }", ["`car`", "cat", "ellipse"]),
        ('car { draw: digits("10") }', ["`car`", '"10"', '"9"']),
        ("car { draw: car  colour: mauve }", ["`car`", "mauve", "crimson"]),
        ('car { draw: car  colour: choice(red, "#12345") }', ["#12345"]),
        ("car { draw: car  size: 3 px }", ["`car`", "`size`", "length"]),
        ("car { draw: house  roof: thatched }", ["thatched", "hipped"]),
        ("car { draw: ground  shade: lava }", ["lava", "grass"]),
        ("car { draw: polygon  sides: uniform_int(2, 5) }", ["`sides`", "3"]),
        ("car { draw: rect  width: tall }", ["`width`", "tall"]),
        ("car { draw: rect  height: -4 px }", ["`height`", "-4"]),
    ],
)
def test_what_a_painter_cannot_draw_is_refused_before_anything_is_drawn(block, words):
    text = f"world w\ncanvas 32 x 32\nstart Scene\nScene -> car\n{block}\n"
    if "digits" in block:
        text += 'asset digits: sprites "strokes"\n'
    with pytest.raises(InputError) as error, Renderer().open(parse(text)):
        pass
    for word in words:
        assert word in str(error.value)


def test_the_readme_lists_every_painter_with_its_attributes_and_defaults():
    lines = (ROOT / "renderers" / "README.md").read_text().splitlines()
    for name, painter in PAINTERS.items():
        line = next(line for line in lines if line.startswith(f"| `{name}` |"))
        for entry in painter().reads:
            default = entry.default if isinstance(entry.default, str) else f"{entry.default:g}"
            assert f"`{entry.name}` ({default}" in line


def test_a_scene_of_another_grammar_is_an_input_error():
    stranger = SceneNode("boat", "boat", Transform(5, 5), {}, "rect")
    with pytest.raises(InputError, match="boat"):
        render(stranger)
    with pytest.raises(InputError, match="yacht"):
        render(SceneNode("car", "car", Transform(5, 5), {}, "yacht"))


STUFF = """
    world stuffed
    canvas 32 x 24
    start Scene
    Scene -> ground Street car
    Street -> mark
    ground { draw: ground }
    Street { draw: rect  stuff: "road"  width: 32 px  height: 8 px  x: 16 px  y: 12 px }
    mark { draw: rect  colour: white  width: 8 px  height: 2 px }
    car { draw: rect  category: "car"  width: 4 px  height: 4 px  x: 16 px  y: 12 px }
"""


def stuffed() -> Frame:
    grammar = parse(dedent(STUFF))
    rng = rng_for(0, 0, Stream.SCENE)
    with Renderer().open(grammar) as draw:
        return draw([expand(grammar, sample_prior(grammar, rng), rng)], [rng])[0]


def test_stuff_has_a_class_after_the_categories_and_is_no_thing():
    frame = stuffed()
    assert (frame.categories, frame.stuff) == (("car",), ("road",))
    assert [one.category for one in frame.instances] == [1]
    assert np.array_equal(np.unique(frame.class_map), [0, 1, 2])
    assert (frame.class_map[frame.instance_map > 0] == 1).all()
    assert np.count_nonzero(frame.class_map) == 32 * 8
    assert audit_frame(frame, annotate(frame)) == []


def test_what_is_drawn_below_stuff_is_part_of_it():
    frame = stuffed()
    assert frame.depth is not None
    assert frame.depth[12, 13] != frame.depth[9, 2]  # the mark lies on the street
    assert frame.class_map[12, 13] == frame.class_map[9, 2] == 2
