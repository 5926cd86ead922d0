"""The shipped worlds: every one renders, keeps its promises, and has the paper's prior."""

from collections import Counter
from itertools import pairwise

import cv2
import numpy as np
import pytest
from worlds import sample

from datagen import plugins
from datagen.audit import audit_frame
from datagen.labels import annotate
from datagen.language import check, named, parse, write

WORLDS = (
    "multi_mnist",
    "multi_mnist_line",
    "mnist_rotation",
    "mnist_rotation_target",
    "mnist_rotation_translation",
    "mnist_rotation_translation_target",
    "aerial",
    "aerial_town",
    "colored_shapes",
    "facade",
    "balls_in_bowl",
    "balls_in_bowl_dense",
    "mnist_4",
    "mnist_10",
    "mnist_4_10",
    "digits",
    "traffic",
    "things",
)
TABLETOPS = ("arrow_room", "balls_in_bowl_3d", "clevr_like", "shape_stacks")  # drawn in 3D


def counted(scene):
    return Counter(placed.node.symbol for placed in scene.walk())


def total_variation(values, law):
    seen = Counter(values)
    return sum(abs(seen[k] / len(values) - law.get(k, 0)) for k in set(seen) | set(law)) / 2


@pytest.mark.parametrize("world", WORLDS)
def test_two_hundred_scenes_have_no_audit_finding(world):
    for frame in sample(world)[1]:
        assert audit_frame(frame, annotate(frame)) == []


@pytest.mark.parametrize("world", WORLDS)
def test_the_grammar_has_no_finding_and_survives_a_round_trip(world):
    grammar = named(world)
    assert [finding for finding in check(grammar) if finding.severity == "error"] == []
    assert parse(write(grammar)) == grammar


def test_every_drawable_grammar_of_the_folder_is_tested_here():
    flat = {
        name
        for name in plugins.names("grammars")
        if name not in TABLETOPS and not name.startswith("street")
    }
    assert flat == set(WORLDS)


@pytest.mark.parametrize(
    ("target", "prior"),
    [
        ("multi_mnist_line", "multi_mnist"),
        ("mnist_rotation_target", "mnist_rotation"),
        ("mnist_rotation_translation_target", "mnist_rotation_translation"),
        ("aerial_town", "aerial"),
    ],
)
def test_a_target_has_the_canvas_and_categories_of_its_prior(target, prior):
    assert named(target).categories == named(prior).categories
    assert named(target).canvas == named(prior).canvas


def test_multi_mnist_has_thirteen_rules_and_zero_to_ten_digits():
    assert len(named("multi_mnist").rules) == 13
    counts = [counted(scene)["Digit"] for scene in sample("multi_mnist")[0]]
    assert total_variation(counts, dict.fromkeys(range(11), 1 / 11)) < 0.2
    assert set(counts) == set(range(11))


@pytest.mark.parametrize(
    ("world", "yaw", "place"),
    [("mnist_rotation", 0, (16, 16)), ("mnist_rotation_target", 90, (16, 16)),
     ("mnist_rotation_translation", 0, (32, 32)),
     ("mnist_rotation_translation_target", 270, (16, 48))],
)  # fmt: skip
def test_the_digit_of_meta_sim_stands_where_its_experiment_says(world, yaw, place):
    placed = [p.world for scene in sample(world)[0] for p in scene.walk() if p.node.category]
    turned = np.exp(1j * (np.array([t.yaw for t in placed]) - np.radians(yaw)))
    assert abs(np.degrees(np.angle(turned.mean()))) < 3
    assert np.mean([t.x for t in placed]) == pytest.approx(place[0], abs=0.3)
    assert np.mean([t.y for t in placed]) == pytest.approx(place[1], abs=0.3)


def test_multi_mnist_digits_stay_inside_the_canvas():
    labels = [label for frame in sample("multi_mnist")[1] for label in annotate(frame)]
    assert np.mean([label.truncation for label in labels]) < 0.01


def test_multi_mnist_and_its_target_share_no_exemplar():
    for world, low, high in (("multi_mnist", 0, 0.5), ("multi_mnist_line", 0.5, 1)):
        for scene in sample(world)[0]:
            for placed in scene.walk():
                if placed.node.asset and ":" in placed.node.asset:
                    assert low <= float(placed.node.attributes["exemplar"]) <= high


def test_the_digit_target_is_bimodal_and_on_a_line():
    scenes, frames = sample("multi_mnist_line")
    counts = Counter(counted(scene)["Digit"] for scene in scenes)
    assert counts[2] + counts[7] > 130
    heights = [label.bbox[1] + label.bbox[3] / 2 for f in frames for label in annotate(f)]
    assert np.mean(heights) == pytest.approx(64, abs=1.5)
    assert np.std(heights) < 4


def digits_of(scene) -> dict[int, complex]:
    """Digit -> its place, where each stands once."""
    placed = [p for p in scene.walk() if p.node.category is not None]
    found = {int(p.node.category): complex(p.world.x, p.world.y) for p in placed}
    assert len(found) == len(placed)
    return found


def test_mnist_4_counts_on_clockwise_and_is_symmetric_both_ways():
    seen = set()
    for scene in sample("mnist_4")[0]:
        digits = digits_of(scene)
        first = min(digits)
        a, b, c, d = (digits[first + k] - (32 + 32j) for k in range(4))
        assert a.real < 0 and a.imag < 0
        assert (b, c, d) == (-a.conjugate(), -a, a.conjugate())
        seen.add(first)
    assert seen == set(range(7))


def test_mnist_10_has_each_digit_in_its_quarter():
    ways = Counter()
    for scene in sample("mnist_10")[0]:
        digits = digits_of(scene)
        assert sorted(digits) == list(range(10))
        quarters = [(digits[k].real > 64, digits[k].imag > 64) for k in range(10)]
        assert quarters[0] == quarters[1] in ((False, False), (True, True))
        assert quarters[8] == quarters[9] == (not quarters[0][0], not quarters[0][1])
        assert quarters[2] == quarters[3] == quarters[4] in ((True, False), (False, True))
        assert quarters[5] == quarters[6] == quarters[7]
        assert quarters[5] == (not quarters[2][0], not quarters[2][1])
        ways[quarters[0], quarters[2]] += 1
    assert len(ways) == 4
    assert min(ways.values()) > 25


def test_mnist_10_digits_hardly_hide_each_other():
    labels = [label for frame in sample("mnist_10")[1] for label in annotate(frame)]
    assert min(label.visible_fraction for label in labels) > 0.6
    assert np.mean([label.visible_fraction for label in labels]) > 0.995


def test_mnist_4_10_is_one_or_the_other_evenly():
    counts = Counter(len(digits_of(scene)) for scene in sample("mnist_4_10")[0])
    assert total_variation(list(counts.elements()), {4: 0.5, 10: 0.5}) < 0.12


def test_the_aerial_prior_has_roads_and_cars_as_in_the_paper():
    scenes = sample("aerial")[0]
    roads = [counted(scene)["Road"] for scene in scenes]
    cars = [
        sum(child.symbol == "car" for child in placed.node.children)
        for scene in scenes
        for placed in scene.walk()
        if placed.node.symbol == "Road"
    ]
    assert total_variation(roads, dict.fromkeys(range(5), 1 / 5)) < 0.15
    assert total_variation(cars, dict.fromkeys(range(9), 1 / 9)) < 0.15


def test_the_town_has_one_busy_road_and_quiet_others():
    busy, quiet = [], []
    for scene in sample("aerial_town")[0]:
        for placed in scene.walk():
            cars = sum(child.symbol == "car" for child in placed.node.children)
            if placed.node.symbol == "FirstRoad":
                busy.append(cars)
            elif placed.node.symbol == "Road":
                quiet.append(cars)
    assert len(busy) == 200
    assert np.mean(busy) == pytest.approx(9, abs=0.8)
    assert np.mean(quiet) == pytest.approx(3, abs=0.4)
    assert 1 + len(quiet) / 200 == pytest.approx(3.15, abs=0.25)


@pytest.mark.parametrize("world", ["aerial", "aerial_town"])
def test_houses_and_trees_never_stand_on_a_road(world):
    for frame in sample(world)[1]:
        names = (None, *frame.categories)
        roads = np.zeros((frame.height, frame.width), bool)
        for thing in frame.instances:
            if names[thing.category] == "road":
                roads |= thing.silhouette.inside(frame.height, frame.width)
        for thing in frame.instances:
            if names[thing.category] in ("house", "tree"):
                inside = thing.silhouette.inside(frame.height, frame.width)
                assert np.count_nonzero(inside & roads) <= 0.05 * thing.silhouette.area


@pytest.mark.parametrize("world", ["aerial", "aerial_town"])
def test_roads_do_not_overlap_and_lie_inside_the_canvas(world):
    for frame in sample(world)[1]:
        roads = [a for a in annotate(frame) if a.category == "road"]
        assert all(road.truncation == 0 for road in roads)
        spans = sorted((road.amodal_bbox[1], road.amodal_bbox[3]) for road in roads)
        for (top, height), (below, _) in pairwise(spans):
            assert top + height <= below


def test_cars_keep_to_the_road():
    for frame in sample("aerial")[1]:
        names = (None, *frame.categories)
        roads = np.zeros((frame.height, frame.width), np.uint8)
        for thing in frame.instances:
            if names[thing.category] == "road":
                roads |= thing.silhouette.inside(frame.height, frame.width)
        roads = cv2.dilate(roads, np.ones((3, 3), np.uint8)) > 0
        for thing in frame.instances:
            if names[thing.category] == "car":
                assert not (thing.silhouette.inside(frame.height, frame.width) & ~roads).any()


def test_colored_shapes_are_whole_with_the_square_on_top():
    for frame in sample("colored_shapes")[1]:
        circle, rectangle, square = annotate_all(frame)
        assert frame.categories == ("circle", "rectangle", "square")
        assert square.visible_fraction == 1
        assert square.area == pytest.approx(100, abs=21)
        assert rectangle.amodal_area == pytest.approx(240, abs=33)
        assert circle.amodal_area == pytest.approx(314, abs=12)
        assert circle.truncation == rectangle.truncation == square.truncation == 0


def annotate_all(frame):
    """Labels of all three shapes; a shape that is hidden altogether fails the unpacking."""
    labels = annotate(frame)
    assert [label.category_id for label in labels] == [1, 2, 3]
    return labels
