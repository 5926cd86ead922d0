"""Other arrangements of the prior's scenes: apart, in rows, evenly spaced."""

import math

import numpy as np
from structures import rng

from datagen.derivation import sample_prior
from datagen.distributions import Spread
from datagen.language import parse
from datagen.learning.arranging import clearance, lined_up, spaced, uncrowded
from datagen.placement import attribute_log_prob, expand

WORLD = """
world small
canvas 36 x 28
start Scene
Scene -> ground car * uniform_int(0, 3) tree * uniform_int(0, 2)
ground { draw: ground }
car { draw: rect  category: "car"  colour: red  x: uniform(0, 36) px  y: uniform(0, 28) px
      width: 6 px  height: 5 px }
tree { draw: ellipse  category: "tree"  colour: green  x: uniform(0, 36) px  y: uniform(0, 28) px
      width: 6 px  height: 6 px }
"""


def test_uncrowded_scenes_keep_clear_and_are_still_of_the_prior():
    grammar = parse(WORLD)
    crowded = [d for d in (sample_prior(grammar, rng(k)) for k in range(400)) if len(d) > 6]
    plain = [clearance(expand(grammar, d, rng(k))) for k, d in enumerate(crowded)]
    clear = [uncrowded(grammar, d, rng(k)) for k, d in enumerate(crowded)]
    assert np.mean([clearance(scene) for scene in clear]) > 1.1 * np.mean(plain)
    for scene in clear[:20]:
        assert np.isfinite(attribute_log_prob(grammar, scene))


def test_a_single_thing_is_as_clear_as_can_be():
    grammar = parse(WORLD)
    lonely = next(d for d in (sample_prior(grammar, rng(k)) for k in range(99)) if len(d) == 4)
    assert clearance(expand(grammar, lonely, rng())) == math.inf


def test_rows_are_rows_and_still_of_the_prior():
    grammar = parse(WORLD)
    cars = [d for d in (sample_prior(grammar, rng(k)) for k in range(400)) if d.count(1) == 3]
    spreads = []
    for k, derivation in enumerate(cars):
        scene = lined_up(grammar, derivation, rng(k))
        assert np.isfinite(attribute_log_prob(grammar, scene))
        at = np.array([(p.world.x, p.world.y) for p in scene.walk() if p.node.symbol == "car"])
        spreads.append((at.std(0) / [36, 28]).min())
    plain = [
        np.array(
            [
                (p.world.x, p.world.y)
                for p in expand(grammar, d, rng(k)).walk()
                if p.node.symbol == "car"
            ]
        )
        for k, d in enumerate(cars)
    ]
    assert np.mean(spreads) < 0.5 * np.mean([(at.std(0) / [36, 28]).min() for at in plain])


SPACED = """
world w
canvas 100 x 40
start S
S -> bg a * uniform_int(0, 4) b * uniform_int(0, 4) lone
bg { draw: ground  shade: black }
a { category: "a"  draw: rect  x: uniform(0, 80) px  y: uniform(5, 10) px }
b { category: "b"  draw: rect  x: uniform(0, 80) px mutable  y: normal(20, 2) px }
lone { category: "c"  draw: rect  x: uniform(0, 80) px }
"""


def test_only_repeated_things_that_may_lie_anywhere_are_spaced():
    found = spaced(parse(SPACED))
    assert list(found) == ["as written", "along x", "evenly along x", "along y", "evenly along y"]
    assert found["as written"] == parse(SPACED)
    changed = {
        (kind, name, key)
        for kind, grammar in found.items()
        for name, symbol in grammar.symbols.items()
        for key, attribute in symbol.attributes.items()
        if isinstance(attribute.distribution, Spread)
    }
    assert changed == {(kind, "a", kind[-1]) for kind in list(found)[1:]}


def test_spaced_things_keep_to_their_part_of_the_range():
    grammar = parse(SPACED)
    derivation = next(
        d for d in (sample_prior(grammar, rng(k)) for k in range(999)) if d.count(1) == 4
    )
    for kind, even in spaced(grammar).items():
        scenes = [expand(even, derivation, rng(k)) for k in range(50)]
        x = np.array([[p.world.x for p in s.walk() if p.node.symbol == "a"] for s in scenes])
        parts = (x // 20 == np.arange(4)).all(1)
        assert parts.all() == kind.endswith("along x")
        if kind == "evenly along x":
            assert (abs(x - 10 - 20 * np.arange(4)) <= 4).all()


def test_a_world_without_free_places_has_one_arrangement():
    text = SPACED.replace("uniform(0, 80) px", "40 px").replace("uniform(5, 10) px", "5 px")
    assert list(spaced(parse(text.replace(" mutable", "")))) == ["as written"]
