"""Things that must find room: inside one of their siblings, apart from the others."""

import math
from itertools import combinations

import numpy as np
import pytest

from datagen.clearance import Spot, lies_inside, on_ellipse, stands_apart
from datagen.derivation import sample_prior
from datagen.errors import GrammarError, InputError
from datagen.language import check, named, parse, write
from datagen.learning.arranging import lined_up, spaced
from datagen.placement import expand
from datagen.rng import Stream, rng_for
from datagen.scene import Scene

HEAD = "world w\ncanvas 64 x 48\nstart S\n"
PLACE = "x: uniform(0, 64) px  y: uniform(0, 48) px"
BOWL = "bowl { x: 32 px  y: 24 px  yaw: 30 deg  width: 50 px  height: 30 px }\n"


def draw(body: str, seed: int) -> Scene:
    grammar = parse(HEAD + body)
    rng = rng_for(seed, 0, Stream.SCENE)
    return expand(grammar, sample_prior(grammar, rng), rng)


def centres(scene: Scene, symbol: str) -> list[complex]:
    found = [p.node.transform for p in scene.walk() if p.node.symbol == symbol]
    return [complex(t.x, t.y) for t in found]


def to_ellipse(x: float, y: float, a: float, b: float) -> float:
    """Distance of a point inside an ellipse to it."""
    return math.dist((x, y), on_ellipse(x, y, a, b))


def rim(x: float, y: float, a: float, b: float, yaw: float, count: int) -> np.ndarray:
    """Points of an ellipse, complex [count]."""
    around = np.linspace(0, 2 * math.pi, count)
    return x + 1j * y + (a * np.cos(around) + 1j * b * np.sin(around)) * np.exp(1j * yaw)


# ---------------------------------------------------------------------------------------- geometry


def test_the_distance_to_an_ellipse_is_that_to_the_nearest_of_many_points_on_it():
    rng = rng_for(0, 0, Stream.SCENE)
    for _ in range(50):
        a, b = rng.uniform(0.5, 3, 2)
        reach, angle = math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
        x, y = a * reach * math.cos(angle), b * reach * math.sin(angle)
        nearest = np.abs(rim(0, 0, a, b, 0, 20_001) - complex(x, y)).min()
        assert to_ellipse(x, y, a, b) == pytest.approx(nearest, abs=1e-3)


def test_on_an_axis_the_distance_to_an_ellipse_has_a_closed_form():
    assert to_ellipse(0, 0, 3, 2) == pytest.approx(2)
    assert to_ellipse(0, 1.5, 3, 2) == pytest.approx(0.5)
    assert to_ellipse(2.5, 0, 3, 2) == pytest.approx(0.5)
    # Nearer to the centre than (a^2 - b^2) / a, the nearest point leaves the axis.
    x = 9 * 1 / 5
    assert to_ellipse(1, 0, 3, 2) == pytest.approx(math.hypot(x - 1, 2 * math.sqrt(1 - x * x / 9)))
    assert to_ellipse(0.3, 0.4, 1, 1) == pytest.approx(0.5)


def test_a_disc_lies_inside_an_ellipse_when_all_of_its_rim_does():
    rng = rng_for(1, 0, Stream.SCENE)
    verdicts = []
    for _ in range(300):
        x, y, cx, cy = rng.uniform(-1, 1, 4)
        yaw, r = rng.uniform(0, 7), rng.uniform(0.05, 0.6)
        spot = Spot("ball", x, y, 0, r, r / 2, None)
        around = Spot("bowl", cx, cy, yaw, 1.4, 0.8, None)
        local = (rim(x, y, r, r, 0, 2001) - complex(cx, cy)) * np.exp(-1j * yaw)
        furthest = np.hypot(local.real / 1.4, local.imag / 0.8).max()
        if abs(furthest - 1) > 1e-5:
            assert lies_inside(spot, around) == (furthest < 1)
            verdicts.append(furthest < 1)
    assert 30 < sum(verdicts) < 270


def test_two_discs_keep_the_larger_of_their_distances_and_heed_no_others():
    at = lambda x, apart: Spot("a", x, 0, 0, 2, 1, apart)  # noqa: E731
    assert stands_apart(at(0, 1.0), [at(5.0, 0.5)])
    assert not stands_apart(at(0, 1.0), [at(4.9, 0.5)])
    assert not stands_apart(at(0, 0.5), [at(4.9, 1.0)])
    assert stands_apart(at(0, 1.0), [at(0, None)])
    assert stands_apart(at(0, None), [at(0, 1.0)])


# ---------------------------------------------------------------------------------------- scenes


def test_siblings_apart_keep_their_distance_whatever_their_symbol():
    body = (
        "S -> a * 4 b * 2 free * 3\n"
        f"a {{ {PLACE}  width: 8 px  height: 4 px  apart: 1 px }}\n"
        f"b {{ {PLACE}  width: 5 px  height: 5 px  scale: 2  apart: 2 px }}\n"
        f"free {{ {PLACE}  width: 30 px  height: 30 px }}"
    )
    for seed in range(20):
        scene = draw(body, seed)
        a, b = centres(scene, "a"), centres(scene, "b")
        assert min(abs(p - q) for p, q in combinations(a, 2)) >= 9
        assert abs(b[0] - b[1]) >= 12
        assert min(abs(p - q) for p in a for q in b) >= 11


def test_children_of_different_parents_do_not_heed_each_other():
    body = f"S -> T T\nT -> a\na {{ {PLACE}  width: 60 px  apart: 0 px }}"
    assert len(centres(draw(body, 0), "a")) == 2


def test_what_lies_inside_fills_all_of_the_ellipse_evenly():
    body = f"S -> bowl dot * 500\n{BOWL}dot {{ {PLACE}  inside: bowl }}"
    at = (np.array(centres(draw(body, 3), "dot")) - (32 + 24j)) * np.exp(-1j * math.radians(30))
    reach = np.hypot(at.real / 25, at.imag / 15)
    assert reach.max() <= 1
    # Even in an ellipse: the squared reach is uniform on [0, 1].
    assert np.mean(reach**2) == pytest.approx(0.5, abs=0.04)
    assert np.mean(reach**2 < 0.25) == pytest.approx(0.25, abs=0.06)


def test_a_bowl_that_is_hard_to_fill_is_as_frequent_as_one_that_is_not():
    body = (
        "S -> bowl ball * 2\n"
        "bowl { x: 32 px  y: 24 px  width: choice(21, 40)  height: 21 px }\n"
        "ball { x: uniform(12, 52) px  y: uniform(13, 35) px  width: 8 px  inside: bowl  apart: 0 }"
    )
    widths = [draw(body, seed).root.children[0].attributes["width"] for seed in range(200)]
    assert widths.count(21) / 200 == pytest.approx(0.5, abs=0.11)


def test_where_one_finds_no_room_its_siblings_move():
    # The second fits only if the first stands near an end: most scenes must begin anew.
    body = "S -> a * 2\na { x: uniform(0, 11) px  y: 0 px  width: 10 px  apart: 0 px }"
    for seed in range(5):
        first, second = centres(draw(body, seed), "a")
        assert abs(first - second) >= 10


def test_what_stands_in_a_row_before_them_stays_in_its_row():
    body = (
        "S -> row * 2 a * 2 row\nrow { gap: 3 px  height: 4 px }\n"
        "a { x: uniform(0, 11) px  y: 0 px  width: 10 px  apart: 0 px }"
    )
    for seed in range(5):
        assert [p.imag for p in centres(draw(body, seed), "row")] == [5, 12, 19]


def test_a_choice_of_bowls_puts_balls_into_either():
    body = (
        "S -> left right dot * 40\nleft { x: 12 px  y: 24 px  width: 20 px  height: 20 px }\n"
        "right { x: 52 px  y: 24 px  width: 20 px  height: 20 px }\n"
        f"dot {{ {PLACE}  inside: choice(left 3, right 1) }}"
    )
    at = centres(draw(body, 0), "dot")
    left = sum(abs(p - (12 + 24j)) <= 10 for p in at)
    right = sum(abs(p - (52 + 24j)) <= 10 for p in at)
    assert left + right == 40
    assert left > right > 0


def test_conditions_that_nothing_can_meet_are_told_in_one_line():
    body = f"S -> a * 3\na {{ {PLACE}  width: 60 px  apart: 1 px }}"
    with pytest.raises(InputError, match="`a` of w found no room; make it smaller, .* `apart`"):
        draw(body, 0)


def test_a_bowl_that_is_missing_is_told_with_a_remedy():
    with pytest.raises(InputError, match="inside a `bowl`, but none stands before it"):
        draw(f"S -> ball bowl\n{BOWL}ball {{ {PLACE}  inside: bowl }}", 0)


def test_a_scene_without_conditions_draws_what_it_drew_before():
    plain = "S -> a * 3\na { x: uniform(0, 9) px }"
    beside = "S -> T U\nT -> a * 3\nU -> b\na { x: uniform(0, 9) px }\nb { width: 1 px  apart: 0 }"
    assert centres(draw(plain, 4), "a") == centres(draw(beside, 4), "a")


# ------------------------------------------------------------------------------------ the language


def test_conditions_survive_a_round_trip():
    text = HEAD + f"S -> bowl a\n{BOWL}a {{ apart: uniform(1, 2) px  inside: bowl }}"
    assert parse(write(parse(text))) == parse(text)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("a { inside: 3 px }", "`inside` must be a symbol's name"),
        ("a { inside: uniform(0, 1) }", "`inside` must be a symbol's name"),
        ("a { inside: choice(bowl, 3) }", "`inside` must be a symbol's name"),
        ("a { inside: bowll }", "undefined symbol `bowll`; did you mean `bowl`"),
        ("a { apart: bowl }", "`apart` must be a number"),
        ("a { gap: 1 px  apart: 1 px }", "`apart` cannot stand beside `gap`"),
        ("a { x: uniform(0, 1) px mutable  apart: 1 px }", "`x` of `a` cannot be learned"),
        ("a { apart: uniform(0, 1) px mutable }", "`apart` of `a` cannot be learned"),
    ],
)
def test_a_mistake_in_a_condition_is_told(body, message):
    with pytest.raises(GrammarError) as caught:
        parse(f"{HEAD}S -> bowl a\n{BOWL}{body}")
    assert message in str(caught.value).replace("\n", " ")


def test_a_bowl_that_things_lie_in_cannot_be_learned():
    with pytest.raises(GrammarError, match="`width` of `bowl` cannot be learned"):
        parse(
            HEAD + "S -> bowl a\nbowl { width: uniform(3, 4) px mutable height: 3 px }\n"
            "a { inside: bowl }"
        )


def test_colours_of_things_that_need_room_can_be_learned():
    parse(HEAD + "S -> a\na { apart: 1 px  light: uniform(0, 1) mutable }")


def test_the_lint_finds_bowls_that_hold_nothing():
    found = [
        str(finding)
        for finding in check(
            parse(HEAD + "S -> ball * 2 bowl\nbowl { width: 3 px }\nball { inside: bowl }")
        )
        if finding.severity == "error"
    ]
    assert found == [
        "4:6: error: no `bowl` stands before `ball` in this rule of `S`",
        "6:8: error: `bowl` has no height to lie inside of",
    ]


def test_arrangements_that_leave_no_room_are_not_tried_on_what_needs_it():
    grammar = parse(f"{HEAD}S -> a * 6\na {{ {PLACE}  width: 12 px  apart: 1 px }}")
    assert set(spaced(grammar)) == {"as written"}
    rng = rng_for(0, 0, Stream.SCENE)
    for _ in range(5):
        lined_up(grammar, sample_prior(grammar, rng), rng)


# --------------------------------------------------------------------------------------- the balls


@pytest.mark.parametrize(
    ("name", "radius"), [("balls_in_bowl", 0.08), ("balls_in_bowl_dense", 0.12)]
)
def test_balls_lie_in_their_bowl_and_never_overlap(name, radius):
    grammar = named(name)
    for seed in range(60):
        rng = rng_for(seed, 0, Stream.SCENE)
        scene = expand(grammar, sample_prior(grammar, rng), rng)
        bowl = next(p.node for p in scene.walk() if p.node.symbol == "bowl")
        a, b = (float(bowl.attributes[side]) / 2 for side in ("width", "height"))
        balls = [p for symbol in ("red", "blue") for p in centres(scene, symbol)]
        assert abs(balls[0] - balls[1]) >= 2 * radius * 64 + 0.5
        for ball in balls:
            edge = rim(ball.real, ball.imag, radius * 64, radius * 64, 0, 200) - (32 + 32j)
            edge = edge * np.exp(-1j * bowl.transform.yaw)
            assert np.hypot(edge.real / a, edge.imag / b).max() <= 1 + 1e-9
