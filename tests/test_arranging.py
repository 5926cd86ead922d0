"""Other arrangements of the prior's scenes: apart, in rows, evenly spaced."""

import math

import numpy as np
import pytest
from structures import CARS_AND_TREES, rng

from datagen.derivation import sample_prior
from datagen.distributions import Spread
from datagen.language import parse
from datagen.learning.arranging import (
    Placer,
    clearance,
    lined_up,
    preferred,
    settled,
    spaced,
    uncrowded,
)
from datagen.placement import attribute_log_prob, expand


def test_uncrowded_scenes_keep_clear_and_are_still_of_the_prior():
    grammar = parse(CARS_AND_TREES)
    crowded = [d for d in (sample_prior(grammar, rng(k)) for k in range(400)) if len(d) > 6]
    plain = [clearance(expand(grammar, d, rng(k))) for k, d in enumerate(crowded)]
    clear = [uncrowded(grammar, d, rng(k)) for k, d in enumerate(crowded)]
    assert np.mean([clearance(scene) for scene in clear]) > 1.1 * np.mean(plain)
    for scene in clear[:20]:
        assert np.isfinite(attribute_log_prob(grammar, scene))


def test_a_single_thing_is_as_clear_as_can_be():
    grammar = parse(CARS_AND_TREES)
    lonely = next(d for d in (sample_prior(grammar, rng(k)) for k in range(99)) if len(d) == 4)
    assert clearance(expand(grammar, lonely, rng())) == math.inf


def test_rows_are_rows_and_still_of_the_prior():
    grammar = parse(CARS_AND_TREES)
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


SHARES = {
    "as written": 0.1,
    "along x": 0.2,
    "evenly along x": 0.5,
    "along y": 0.1,
    "evenly along y": 0.1,
}


def test_only_axes_that_are_clearly_preferred_are_kept():
    assert preferred(SHARES) == {"x": pytest.approx(3.5)}
    kept = settled(SHARES)
    assert list(kept) == ["as written", "along x", "evenly along x"]
    assert kept["evenly along x"] == pytest.approx(5 / 8) and sum(kept.values()) == pytest.approx(1)
    assert preferred(kept) == {"x": pytest.approx(3.5)}
    assert settled(dict.fromkeys(SHARES, 0.2)) == {}
    assert settled({"as written": 1.0}) == {}


def test_a_placer_spaces_as_often_as_it_is_told():
    grammar = parse(SPACED)
    derivation = next(
        d for d in (sample_prior(grammar, rng(k)) for k in range(999)) if d.count(1) == 4
    )
    place = Placer(grammar, {"as written": 0.3, "evenly along x": 0.7})
    apart = 0
    for k in range(400):
        scene = place(derivation, rng(k))
        x = np.array([p.world.x for p in scene.walk() if p.node.symbol == "a"])
        apart += bool((abs(x - 10 - 20 * np.arange(4)) <= 4).all())
        assert np.isfinite(attribute_log_prob(grammar, scene))
    assert abs(apart / 400 - 0.7) < 0.08
    chosen = np.bincount(place.choose(2000, rng()), minlength=5) / 2000
    np.testing.assert_allclose(chosen, [0.3, 0, 0.7, 0, 0], atol=0.04)


@pytest.mark.parametrize("shares", [{}, {"as written": 1.0}, {"along z": 1.0}])
def test_as_written_is_the_prior_to_the_bit(shares):
    grammar = parse(SPACED)
    place = Placer(grammar, shares)
    for k in range(20):
        derivation = sample_prior(grammar, rng(k))
        assert place(derivation, rng(k)) == expand(grammar, derivation, rng(k))
