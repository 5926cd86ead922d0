"""Rolling discs: conditions hold at every instant, energy stays, rebounds are as in billiards."""

import math
from itertools import pairwise

import numpy as np
import pytest

from datagen.clearance import lies_inside, spot_of
from datagen.derivation import sample_prior
from datagen.errors import InputError
from datagen.language import named, parse
from datagen.placement import expand
from datagen.rng import Stream, rng_for
from datagen.rolling import rolled

HEAD = "world w\ncanvas 64 x 64\nstart S\n"
ROUND = "bowl { x: 32 px  y: 32 px  width: 60 px  height: 60 px }\n"


def start(text, seed=0):
    grammar = named(text) if " " not in text else parse(HEAD + text)
    rng = rng_for(seed, 0, Stream.SCENE)
    return grammar, expand(grammar, sample_prior(grammar, rng), rng)


def moving(scenes, symbol="ball"):
    """complex [T, K]: places of these nodes."""
    return np.array(
        [
            [complex(p.world.x, p.world.y) for p in scene.walk() if p.node.symbol == symbol]
            for scene in scenes
        ]
    )


@pytest.mark.parametrize("world", ["balls_in_bowl", "balls_in_bowl_dense", "balls_in_bowl_3d"])
def test_balls_stay_in_the_bowl_and_apart_at_every_instant(world):
    for seed in range(3):
        grammar, scene = start(world, seed)
        size = 64 if world != "balls_in_bowl_3d" else 12
        scenes = rolled(
            grammar, scene, np.arange(0, 4, 0.2).tolist(), size / 3, rng_for(seed, 1, Stream.SCENE)
        )
        for one in scenes:
            spots = {
                p.node.symbol: spot_of(p.node.symbol, p.node.transform, p.node.attributes)
                for p in one.walk()
            }
            red, blue = spots["red"], spots["blue"]
            around = spots["floor" if "floor" in spots else "bowl"]
            least = red.radius + blue.radius + max(red.apart or 0, blue.apart or 0)
            assert math.hypot(red.x - blue.x, red.y - blue.y) >= least
            assert lies_inside(red, around) and lies_inside(blue, around)
        places = moving(scenes, "red")
        assert np.abs(np.diff(places, axis=0)).max() > 0


def test_what_meets_nothing_goes_straight_on():
    grammar, scene = start("S -> ball\nball { x: 30 px  y: 30 px  width: 4 px  apart: 0 px }")
    places = moving(rolled(grammar, scene, [0, 1, 2.5], 8.0, rng_for(0, 0, Stream.SCENE)))[:, 0]
    assert places[0] == 30 + 30j
    assert abs(places[1] - places[0]) == pytest.approx(8)
    assert places[2] - places[0] == pytest.approx(2.5 * (places[1] - places[0]))


def test_in_a_round_bowl_the_distance_of_a_path_from_the_middle_is_kept():
    # Billiards in a circle: every chord touches one and the same inner circle.
    grammar, scene = start(
        f"S -> bowl ball\n{ROUND}ball {{ x: 40 px  y: 25 px  width: 6 px  inside: bowl }}"
    )
    scenes = rolled(
        grammar, scene, np.arange(0, 20, 0.05).tolist(), 20.0, rng_for(3, 0, Stream.SCENE)
    )
    places = moving(scenes)[:, 0] - (32 + 32j)
    speeds = np.diff(places) / 0.05
    straight = np.abs(np.abs(speeds) - 20) < 1e-6
    arms = np.abs((places[:-1].conjugate() * speeds / 20).imag)[straight]
    assert straight.mean() > 0.85
    assert np.ptp(arms) < 0.5
    assert np.abs(places).max() <= 27 + 1e-9


def test_a_collision_keeps_momentum_and_energy():
    grammar, scene = start(
        "S -> big small\nbig { x: 20 px  y: 32 px  width: 12 px  apart: 0 px }\n"
        "small { x: 44 px  y: 32 px  width: 6 px  apart: 0 px }"
    )
    met = 0
    for seed in range(150):
        scenes = rolled(grammar, scene, [0, 0.1, 3.9, 4], 10.0, rng_for(seed, 0, Stream.SCENE))
        big, small = moving(scenes, "big")[:, 0], moving(scenes, "small")[:, 0]
        before = np.array([big[1] - big[0], small[1] - small[0]]) / 0.1
        after = np.array([big[3] - big[2], small[3] - small[2]]) / 0.1
        mass = np.array([36, 9])
        assert (mass * before).sum() == pytest.approx((mass * after).sum(), abs=1e-6)
        energy = [(mass * np.abs(v) ** 2).sum() for v in (before, after)]
        assert energy[0] == pytest.approx(energy[1], rel=1e-6)
        met += abs(after[0] - before[0]) > 1e-6
    assert met > 2


def test_paths_stay_and_the_first_instant_is_the_scene_itself():
    grammar, scene = start("balls_in_bowl")
    first, second = rolled(grammar, scene, [0, 1], 9.0, rng_for(0, 0, Stream.SCENE))
    assert first == scene
    shapes = [[(p.path, p.node.symbol) for p in one.walk()] for one in (first, second)]
    assert shapes[0] == shapes[1]


def test_the_same_rng_and_instants_give_the_same_motion():
    grammar, scene = start("balls_in_bowl")
    some = rolled(grammar, scene, [0, 0.5, 1.0], 9.0, rng_for(0, 0, Stream.SCENE))
    again = rolled(grammar, scene, [0, 0.5, 1.0], 9.0, rng_for(0, 0, Stream.SCENE))
    assert some == again
    assert all(a != b for a, b in pairwise(some))


def test_what_cannot_roll_is_told():
    grammar, scene = start("S -> ball\nball { x: 3 px }")
    with pytest.raises(InputError, match="so nothing rolls"):
        rolled(grammar, scene, [0], 1.0, rng_for(0, 0, Stream.SCENE))
    grammar, scene = start("balls_in_bowl")
    with pytest.raises(InputError, match="must rise from 0"):
        rolled(grammar, scene, [1, 0], 1.0, rng_for(0, 0, Stream.SCENE))
    with pytest.raises(InputError, match=r"allowed; lower clips\.speed"):
        rolled(grammar, scene, [1e9], 1.0, rng_for(0, 0, Stream.SCENE))
