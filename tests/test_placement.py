"""Where things stand, against numbers worked out by hand."""

import math
from dataclasses import replace

import pytest

from datagen import plugins
from datagen.derivation import sample_prior
from datagen.distributions import Normal, Uniform
from datagen.errors import InputError
from datagen.grammar import Grammar
from datagen.language import named, parse
from datagen.placement import attribute_log_prob, expand, replaced, written_values
from datagen.rng import Stream, rng_for
from datagen.scene import Scene, SceneNode, Transform

HEAD = "world w\ncanvas 64 x 48\nstart S\n"


def make(body: str, seed: int = 0) -> Scene:
    return draw(parse(HEAD + body), seed)


def draw(grammar: Grammar, seed: int = 0) -> Scene:
    rng = rng_for(seed, 0, Stream.SCENE)
    return expand(grammar, sample_prior(grammar, rng), rng)


def frames(scene: Scene, symbol: str) -> list[Transform]:
    """Frames in the parent's frame."""
    return [p.node.transform for p in scene.walk() if p.node.symbol == symbol]


def on_canvas(scene: Scene, symbol: str) -> list[Transform]:
    return [p.world for p in scene.walk() if p.node.symbol == symbol]


# ---------------------------------------------------------------------------------------- the tree


def test_a_scene_has_the_symbols_categories_and_assets_of_its_rules():
    scene = make(
        'asset digits: sprites "strokes"\nS -> a b * 2\n'
        'a { category: "A"  draw: digits("7")  size: 3 px }\nb { draw: car }'
    )
    rows = [
        (p.path, p.node.symbol, p.node.category, p.node.asset, dict(p.node.attributes))
        for p in scene.walk()
    ]
    assert rows == [
        ("", "S", None, None, {}),
        ("0", "a", "A", "digits:7", {"size": 3}),
        ("1", "b", None, "car", {}),
        ("2", "b", None, "car", {}),
    ]
    assert scene.canvas == (64, 48)
    assert scene.derivation == (0, 1, 1, 2)
    assert len(scene.grammar) == 16


def test_what_has_no_place_stays_in_its_parents_frame():
    scene = make("S -> a\na { size: 3 px  colour: red }")
    assert frames(scene, "a") == [Transform()]


def test_golden_attributes_never_change():
    grammar = parse(
        HEAD + "S -> a * 2 b\na { x: uniform(0, 10) px  colour: choice(red 1, blue 3) }\n"
        "b { y: normal(5, 2) px in [4, 9]  n: poisson(4)  k: uniform_int(1, 6)  x: spread(0, 1) }"
    )
    scene = draw(grammar)
    assert [dict(p.node.attributes) for p in scene.walk()] == [
        {},
        {"x": 5.651317655614633, "colour": "blue"},
        {"x": 4.7987454708253905, "colour": "blue"},
        {"y": 4.811443386050864, "n": 4, "k": 4, "x": 0.6845994311869417},
    ]


@pytest.mark.parametrize("name", ["multi_mnist", "aerial", "colored_shapes"])
def test_every_attribute_of_a_shipped_world_lies_in_its_support(name):
    grammar = named(name)
    for seed in range(20):
        assert math.isfinite(attribute_log_prob(grammar, draw(grammar, seed)))


def test_structure_and_attributes_come_from_one_stream_in_tree_order():
    grammar = parse(HEAD + "S -> T a\nT -> a\na { x: uniform(0, 1) px  y: uniform(0, 1) px }")
    rng = rng_for(5, 0, Stream.SCENE)
    first, second = frames(draw(grammar, 5), "a")
    numbers = [rng.random() for _ in range(4)]
    assert [first.x, first.y, second.x, second.y] == numbers


# ------------------------------------------------------------------------------------------ frames


def test_placement_attributes_make_the_frame():
    scene = make("S -> a\na { x: 3 px  y: -4 px  yaw: 90 deg  scale: 2  layer: 5 }")
    (t,) = frames(scene, "a")
    assert (t.x, t.y, t.z, t.scale) == (3, -4, 5, 2)
    assert t.yaw == pytest.approx(math.pi / 2)


def test_children_inherit_the_frame_of_their_parent():
    scene = make(
        "S -> T\nT -> a\nT { x: 10 px  y: 20 px  yaw: 90 deg  scale: 2  layer: 1 }\n"
        "a { x: 3 px  y: 1 px  yaw: 45 deg  scale: 0.5  layer: 2 }"
    )
    (t,) = on_canvas(scene, "a")
    # (3, 1) turned by 90 degrees is (-1, 3); doubled (-2, 6); moved (8, 26).
    assert (t.x, t.y, t.z, t.scale) == pytest.approx((8, 26, 3, 1))
    assert t.yaw == pytest.approx(math.radians(135))


def test_the_start_symbol_may_have_a_frame_too():
    scene = make("S -> a\nS { x: 5 px  y: 6 px }\na { x: 1 px }")
    (t,) = on_canvas(scene, "a")
    assert (t.x, t.y) == (6, 6)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("7", 7),
        ("7 px", 7),
        ("7 m", 7),
        ("7 cm", 0.07),
        ("7 rad", 7),
        ("180 deg", math.pi),
        ("uniform_int(7, 7) cm", 0.07),
    ],
)
def test_units_become_base_units(written, value):
    (node,) = make(f"S -> a\na {{ size: {written} }}").root.children
    assert node.attributes["size"] == pytest.approx(value)


# ---------------------------------------------------------------------------------- relative units


def test_a_fraction_is_of_the_canvas_below_a_start_without_extents():
    scene = make("S -> a\na { x: 0.25 width  y: 0.5 height  size: 0.1 height }")
    (t,) = frames(scene, "a")
    assert (t.x, t.y) == (16, 24)
    assert scene.root.children[0].attributes["size"] == pytest.approx(4.8)


def test_a_fraction_is_of_the_parents_own_extents():
    scene = make(
        "S -> T\nT -> a\nT { width: 0.5 width  height: 10 px }\n"
        "a { x: 0.25 width  y: 0.5 height  size: 0.5 width }"
    )
    (t,) = frames(scene, "a")
    assert (t.x, t.y) == (0.25 * 32, 5)
    assert scene.root.children[0].children[0].attributes["size"] == 16


def test_the_start_symbol_is_a_fraction_of_the_canvas():
    scene = make("S -> a\nS { width: 0.5 width  x: 0.5 height }\na { x: 0.5 width  y: 1 height }")
    assert scene.root.attributes["width"] == 32
    assert scene.root.transform.x == 24
    (t,) = frames(scene, "a")
    assert (t.x, t.y) == (16, 48)  # the start has no height of its own: the canvas has


def test_extents_are_not_handed_to_grandchildren():
    body = "S -> T\nT -> a\nT {}\na { x: 0.5 width }"
    with pytest.raises(InputError, match=r"`a\.x` is a fraction of its parent's width, but .* px"):
        make(body)


def test_each_parent_has_its_own_extents():
    grammar = parse(HEAD + "S -> T * 3\nT -> a\nT { width: uniform(10, 20) px }\na { x: 1 width }")
    scene = draw(grammar)
    widths = [t.attributes["width"] for t in scene.root.children]
    assert [t.x for t in frames(scene, "a")] == widths
    assert len(set(widths)) == 3


# --------------------------------------------------------------------------------- gap and spread


def test_gaps_stack_siblings_edge_to_edge():
    scene = make("S -> row * 3\nrow { gap: 5 px  height: 10 px }")
    # 5 + 10/2; then 15 + 5 + 5; then 30 + 5 + 5.
    assert [t.y for t in frames(scene, "row")] == [10, 25, 40]
    assert all(node.attributes["gap"] == 5 for node in scene.root.children)


def test_gaps_without_height_are_between_middles():
    assert [t.y for t in frames(make("S -> row * 3\nrow { gap: 5 px }"), "row")] == [5, 10, 15]


def test_a_gap_is_added_to_y_and_counts_from_the_edge_before():
    scene = make("S -> row * 2\nrow { y: 3 px  gap: 5 px  height: 10 px }")
    assert [t.y for t in frames(scene, "row")] == [3 + 10, 3 + 18 + 5 + 5]


def test_gaps_only_look_at_siblings_of_the_same_symbol():
    scene = make("S -> a b a b\na { gap: 4 px  height: 2 px }\nb { gap: 1 px  height: 8 px }")
    assert [t.y for t in frames(scene, "a")] == [5, 11]
    assert [t.y for t in frames(scene, "b")] == [5, 14]


def test_gaps_start_again_under_every_parent():
    scene = make("S -> T T\nT -> a * 2\na { gap: 4 px }")
    assert [t.y for t in frames(scene, "a")] == [4, 8, 4, 8]


def test_gaps_with_drawn_heights_never_overlap():
    body = "S -> row * 6\nrow { gap: uniform(0, 3) px  height: uniform(1, 9) px }"
    for seed in range(20):
        rows = make(body, seed).root.children
        edges = [
            (r.transform.y - r.attributes["height"] / 2, r.transform.y + r.attributes["height"] / 2)
            for r in rows
        ]
        gaps = [row.attributes["gap"] for row in rows]
        assert edges[0][0] == pytest.approx(gaps[0])
        for (_, bottom), (top, _), gap in zip(edges, edges[1:], gaps[1:], strict=False):
            assert top - bottom == pytest.approx(gap)


def test_spread_siblings_lie_in_their_own_strata():
    for seed in range(30):
        xs = [t.x for t in frames(make("S -> a * 3\na { x: spread(0, 30) px }", seed), "a")]
        assert all(10 * k <= x <= 10 * (k + 1) for k, x in enumerate(xs))


def test_strata_are_shared_by_siblings_of_the_same_symbol_only():
    scene = make("S -> b a b a\na { x: spread(0, 2) px }\nb {}")
    first, second = (t.x for t in frames(scene, "a"))
    assert first <= 1 <= second


def test_siblings_of_several_runs_share_their_strata():
    scene = make("S -> a a * 2 a\na { x: spread(0, 40) px }")
    assert [int(t.x // 10) for t in frames(scene, "a")] == [0, 1, 2, 3]


def test_a_spread_start_is_uniform():
    assert 0 <= make("S -> a\nS { x: spread(0, 3) px }\na {}").root.transform.x <= 3


# --------------------------------------------------------------------------------- changed values


def rows(scene: Scene) -> list[tuple[str, Transform, dict]]:
    return [(p.path, p.node.transform, dict(p.node.attributes)) for p in scene.walk()]


@pytest.mark.parametrize("name", plugins.names("grammars"))
def test_the_same_values_give_the_same_scene(name):
    grammar = named(name)
    for seed in range(5):
        scene = draw(grammar, seed)
        assert replaced(grammar, scene, {}) == scene
        everything = {p.path: p.node.attributes for p in scene.walk()}
        assert replaced(grammar, scene, everything) == scene


def test_a_changed_value_moves_its_node_and_all_below_and_nothing_else():
    grammar = parse(
        HEAD + "S -> T * 2\nT -> a\nT { x: 10 px  y: 20 px  k: 1 }\na { x: 3 px  yaw: 45 deg }"
    )
    scene = draw(grammar)
    moved = replaced(grammar, scene, {"1": {"x": 30.0, "k": 7}, "0.0": {"yaw": 0.5}})
    old, new = dict(zip("abcde", rows(scene), strict=True)), rows(moved)
    assert new[0] == old["a"]
    assert new[1] == old["b"]
    assert new[2] == ("0.0", Transform(3, yaw=0.5), {"x": 3, "yaw": 0.5})
    assert new[3] == ("1", Transform(30, 20), {"x": 30, "y": 20, "k": 7})
    assert new[4] == old["e"]
    assert [t.x for t in on_canvas(moved, "a")] == [13, 33]
    assert rows(scene)[3][1].x == 10  # the scene that was given is not changed


def test_a_changed_height_or_gap_moves_the_siblings_that_follow():
    grammar = parse(HEAD + "S -> row * 3\nrow { gap: 5 px  height: 10 px }")
    scene = draw(grammar)
    taller = replaced(grammar, scene, {"0": {"height": 20}})
    assert [t.y for t in frames(taller, "row")] == [15, 35, 50]
    apart = replaced(grammar, scene, {"1": {"gap": 8}})
    assert [t.y for t in frames(apart, "row")] == [10, 28, 43]


def test_what_was_a_fraction_stays_where_it_is():
    grammar = parse(HEAD + "S -> T\nT -> a\nT { width: 20 px }\na { x: 0.5 width  y: 1 px }")
    scene = replaced(grammar, draw(grammar), {"0": {"width": 40}, "0.0": {"y": 2}})
    assert [(t.x, t.y) for t in frames(scene, "a")] == [(10, 2)]
    assert scene.root.children[0].attributes["width"] == 40


def test_the_root_may_change_too():
    grammar = parse(HEAD + "S -> a\nS { x: 5 px  gap: 2 px }\na { x: 1 px }")
    scene = replaced(grammar, draw(grammar), {"": {"x": 7.0, "gap": 3.0}})
    # A start without a height of its own has the canvas': 3 + 48 / 2.
    assert (scene.root.transform.x, scene.root.transform.y) == (7, 27)
    assert [t.x for t in on_canvas(scene, "a")] == [8]


@pytest.mark.parametrize("seed", range(4))
def test_changes_place_as_drawing_the_same_values_would(seed):
    """Against `expand` itself: the values are the whole difference between two draws."""
    grammar = parse(
        HEAD + "S -> row * 4 b\nrow -> a\n"
        "row { gap: uniform(1, 9) px  height: uniform(2, 8) px  yaw: normal(0, 9) deg }\n"
        "a { x: uniform(0, 9) px  scale: uniform(1, 2) }\nb { y: uniform(0, 1) height }"
    )
    scene, other = draw(grammar, seed), draw(grammar, seed + 50)
    changes = {p.path: p.node.attributes for p in other.walk()}
    assert replaced(grammar, scene, changes) == other


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"7": {"x": 1}}, "the scene has no node 7; take paths from Scene.walk"),
        ({"0.0": {}}, r"no node 0\.0"),
        ({"first": {"x": 1}}, "no node first"),
        ({"0": {"size": 1}}, "node 0 .`a`. has no attribute `size`"),
        ({"": {"x": 1}}, "node root .`S`. has no attribute `x`"),
    ],
)
def test_a_change_of_what_is_not_there_is_refused(changes, words):
    grammar = parse(HEAD + "S -> a\na { x: 3 px }")
    with pytest.raises(InputError, match=words):
        replaced(grammar, draw(grammar), changes)


# ------------------------------------------------------------------------------------------- caps


def test_a_derivation_past_the_caps_is_refused():
    grammar = parse(HEAD + "S -> T\nT -> a * 3\na {}")
    derivation = sample_prior(grammar, rng_for(0, 0, Stream.SCENE))
    for caps in ({"max_nodes": 4}, {"max_depth": 1}):
        with pytest.raises(
            InputError, match="a scene of w grew past .* raise max_nodes / max_depth"
        ):
            expand(replace(grammar, **caps), derivation, rng_for(0, 0, Stream.SCENE))
    fitting = replace(grammar, max_nodes=5, max_depth=2)
    assert len(list(expand(fitting, derivation, rng_for(0, 0, Stream.SCENE)).walk())) == 5


def test_a_world_of_one_symbol_is_a_scene():
    grammar = parse(HEAD + "S -> empty\nS { x: 3 px }")
    assert draw(grammar).root == SceneNode("S", None, Transform(3.0), {"x": 3})


# ----------------------------------------------------------------------------------- log-densities


def scene_of(root: SceneNode) -> Scene:
    return Scene(root, (64, 48), "", ())


def test_densities_multiply_over_attributes_and_nodes():
    grammar = parse(
        HEAD + "S -> a * 2\n"
        "a { x: uniform(0, 8) px  yaw: normal(0, 10) deg  colour: choice(red 1, blue 3) }"
    )
    children = tuple(
        SceneNode("a", attributes={"x": x, "yaw": math.radians(yaw), "colour": colour})
        for x, yaw, colour in ((1, 0, "red"), (2, 20, "blue"))
    )
    expected = 2 * math.log(1 / 8)
    expected += Normal(0, 10).log_prob(0) + Normal(0, 10).log_prob(20)  # per degree
    expected += math.log(1 / 4) + math.log(3 / 4)
    found = attribute_log_prob(grammar, scene_of(SceneNode("S", children=children)))
    assert found == pytest.approx(expected)


def test_densities_of_fractions_are_per_fraction():
    grammar = parse(HEAD + "S -> T\nT -> a\nT { width: 20 px }\na { x: normal(0.5, 0.1) width }")
    a = SceneNode("a", attributes={"x": 12})
    scene = scene_of(
        SceneNode("S", children=(SceneNode("T", None, Transform(), {"width": 20}, None, (a,)),))
    )
    assert attribute_log_prob(grammar, scene) == pytest.approx(Normal(0.5, 0.1).log_prob(0.6))


def test_densities_of_spread_siblings_are_of_their_strata():
    grammar = parse(HEAD + "S -> a * 2\na { x: spread(0, 10) px }")
    at = lambda *xs: attribute_log_prob(  # noqa: E731
        grammar,
        scene_of(SceneNode("S", children=tuple(SceneNode("a", attributes={"x": x}) for x in xs))),
    )
    assert at(1, 9) == pytest.approx(2 * Uniform(0, 5).log_prob(1))
    assert at(9, 1) == -math.inf


def test_values_come_back_in_the_units_that_the_grammar_writes():
    grammar = parse(
        HEAD + "S -> T b\nT -> a * 2\nT { width: 20 px }\nb { colour: red }\n"
        "a { x: uniform(0, 1) width  yaw: uniform(0, 90) deg  size: uniform(1, 2) cm }"
    )
    scene = draw(grammar)
    found = list(written_values(grammar, scene))
    assert [(w.symbol, w.attribute, w.k, w.n) for w in found] == [
        ("T", "width", 0, 1),
        ("b", "colour", 0, 1),
        *(("a", name, k, 2) for k in range(2) for name in ("x", "yaw", "size")),
    ]
    assert [w.value for w in found[:2]] == [20, "red"]
    a = scene.root.children[0].children[0].attributes
    values = [float(w.value) for w in found[2:5]]
    assert values == pytest.approx([a["x"] / 20, math.degrees(a["yaw"]), a["size"] * 100])


def test_a_value_outside_the_support_is_impossible():
    grammar = parse(HEAD + "S -> a\na { x: uniform(0, 0.5) width }")
    at = lambda x: attribute_log_prob(  # noqa: E731
        grammar, scene_of(SceneNode("S", children=(SceneNode("a", attributes={"x": x}),)))
    )
    assert at(31) == pytest.approx(math.log(2))
    assert at(33) == -math.inf


def test_a_fraction_of_nothing_is_impossible():
    grammar = parse(HEAD + "S -> a\nS { width: 0 px }\na { x: uniform(0, 1) width }")
    a = SceneNode("a", attributes={"x": 0})
    scene = scene_of(SceneNode("S", attributes={"width": 0}, children=(a,)))
    assert attribute_log_prob(grammar, scene) == -math.inf


@pytest.mark.parametrize(
    ("child", "words"),
    [
        (SceneNode("b"), "w has no symbol `b`"),
        (SceneNode("a"), "a `a` of the scene has no attribute `x`"),
    ],
)
def test_a_scene_of_another_world_has_no_density(child, words):
    grammar = parse(HEAD + "S -> a\na { x: 3 px }")
    with pytest.raises(InputError, match=words):
        attribute_log_prob(grammar, scene_of(SceneNode("S", children=(child,))))


def test_z_is_a_height_above_the_parents_frame():
    scene = make("S -> a\na -> b\na { z: 1.5 m  y: 4 m }\nb { z: 50 cm }")
    assert [t.z for t in on_canvas(scene, "b")] == [2.0]
    assert frames(scene, "b") == [Transform(z=0.5)]
