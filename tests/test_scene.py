"""A scene survives JSON, is walked in drawing order, and its frames compose as matrices do."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.scene import Scene, SceneNode, Transform

reals = st.floats(-1e3, 1e3)
transforms = st.builds(Transform, reals, reals, reals, st.floats(-7, 7), st.floats(0.01, 10))
values = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.text())
nodes = st.recursive(
    st.builds(
        SceneNode,
        symbol=st.text(min_size=1, max_size=5),
        category=st.none() | st.text(max_size=5),
        transform=transforms,
        attributes=st.dictionaries(st.text(max_size=5), values, max_size=3),
        asset=st.none() | st.text(max_size=5),
    ),
    lambda below: st.builds(
        SceneNode,
        symbol=st.text(min_size=1, max_size=5),
        transform=transforms,
        children=st.lists(below, max_size=3).map(tuple),
    ),
    max_leaves=8,
)
scenes = st.builds(
    Scene,
    root=nodes,
    canvas=st.tuples(st.integers(8, 8192), st.integers(8, 8192)),
    grammar=st.text("0123456789abcdef", min_size=16, max_size=16),
    derivation=st.lists(st.integers(0, 1999)).map(tuple),
)


def matrix(t: Transform) -> np.ndarray:
    """float64 [4, 4] over (x, y, z, 1); the draw order z is only shifted."""
    c, s = t.scale * math.cos(t.yaw), t.scale * math.sin(t.yaw)
    return np.array([[c, -s, 0, t.x], [s, c, 0, t.y], [0, 0, 1, t.z], [0, 0, 0, 1]])


def named(symbol: str, *children: SceneNode, **where: float) -> SceneNode:
    return SceneNode(symbol, transform=Transform(**where), children=children)


@given(scenes)
def test_a_scene_survives_json_text(scene):
    assert Scene.from_json(json.loads(json.dumps(scene.to_json()))) == scene


def test_the_json_of_a_scene_is_stable():
    root = SceneNode("Scene", children=(SceneNode("car", "car", Transform(1, 2), {"w": 3}, "c"),))
    assert Scene(root, (8, 9), "d", (0, 1)).to_json() == {
        "canvas": [8, 9],
        "grammar": "d",
        "derivation": [0, 1],
        "root": {
            "symbol": "Scene",
            "transform": [0.0, 0.0, 0.0, 0.0, 1.0],
            "children": [
                {
                    "symbol": "car",
                    "transform": [1, 2, 0.0, 0.0, 1.0],
                    "category": "car",
                    "asset": "c",
                    "attributes": {"w": 3},
                }
            ],
        },
    }


def test_the_json_shares_nothing_that_can_change_with_the_scene():
    node = SceneNode("a", attributes={"w": 1})
    Scene(node, (8, 8), "", ()).to_json()["root"]["attributes"]["w"] = 2
    assert node.attributes["w"] == 1


def test_the_walk_goes_to_parents_before_children_and_keeps_their_order():
    root = named("r", named("a", named("b"), named("c", named("d"))), named("e"))
    walked = [(placed.path, placed.node.symbol) for placed in Scene(root, (8, 8), "", ()).walk()]
    assert walked == [("", "r"), ("0", "a"), ("0.0", "b"), ("0.1", "c"), ("0.1.0", "d"), ("1", "e")]


@given(nodes)
def test_paths_are_child_numbers_from_the_root(root):
    for placed in Scene(root, (8, 8), "", ()).walk():
        node = root
        for number in placed.path.split(".") if placed.path else ():
            node = node.children[int(number)]
        assert node is placed.node


def test_a_deep_tree_is_walked_without_recursion():
    node = named("leaf", x=1)
    for _ in range(5000):
        node = named("n", node, x=1)
    assert max(placed.world.x for placed in Scene(node, (8, 8), "", ()).walk()) == 5001


@given(transforms, transforms)
def test_composition_is_the_product_of_matrices(outer, inner):
    assert np.allclose(matrix(outer @ inner), matrix(outer) @ matrix(inner), rtol=1e-9, atol=1e-9)


@given(transforms, transforms, transforms)
def test_composition_is_associative(a, b, c):
    assert np.allclose(matrix((a @ b) @ c), matrix(a @ (b @ c)), rtol=1e-7, atol=1e-6)


@given(transforms)
def test_the_default_transform_is_neutral(t):
    assert Transform() @ t == t
    assert np.allclose(matrix(t @ Transform()), matrix(t))


def test_yaw_turns_from_x_towards_y_and_scale_reaches_the_children():
    child = named("c", x=3, y=1, z=2, yaw=0.5, scale=0.5)
    root = named("r", child, x=10, y=20, z=1, yaw=math.pi / 2, scale=2)
    world = list(Scene(root, (64, 64), "", ()).walk())[1].world
    # (3, 1) turned by a quarter is (-1, 3); doubled (-2, 6); moved (8, 26).
    assert (world.x, world.y) == pytest.approx((8, 26))
    assert (world.z, world.yaw, world.scale) == pytest.approx((3, math.pi / 2 + 0.5, 1))
