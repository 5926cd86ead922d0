"""The streets in 3D: nothing stands in another thing, floats, or is where such things never are."""

import math
from functools import cache
from itertools import combinations

import cv2
import numpy as np
import pytest
from worlds import prior_scenes

from datagen.language import named

VEHICLES = ("hatchback", "saloon", "estate", "offroad", "van", "truck", "bus")
KERBSIDE = ("pedestrian", "lamp_post", "pole", "sign", "traffic_light", "bin", "bench")
SOLID = ("building", "barrier")
STANDING = (*KERBSIDE, "street_tree")

every_world = pytest.mark.parametrize(
    "world", ["street_urban", "street_suburban", "street_rural", "street_simple"]
)


@cache
def scenes(world):
    """The placed nodes of sixty scenes of the prior."""
    return [list(scene.walk()) for scene in prior_scenes(named(world), range(60), 4)]


def drawn(nodes, *families):
    return [one for one in nodes if one.node.asset in families]


def footprint(placed):
    """float32 [4, 2]: the corners of what a node covers of the ground, 1 cm off its border."""
    at, values = placed.world, placed.node.attributes
    half = np.array([float(values["width"]), float(values["height"])]) / 2 - 0.01
    c, s = math.cos(at.yaw), math.sin(at.yaw)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    return (corners @ [[c, s], [-s, c]] + (at.x, at.y)).astype(np.float32)


def overlaps(things):
    """Symbols of the pairs of which one stands in the other."""
    shapes = [(one.node.symbol, footprint(one)) for one in things]
    return [
        (a, b)
        for (a, first), (b, second) in combinations(shapes, 2)
        if cv2.intersectConvexConvex(first, second)[0] > 0.01
    ]


def stands_on(placed, ground):
    """Is the node's place within a node of `width` x `height`?"""
    dx, dy = placed.world.x - ground.world.x, placed.world.y - ground.world.y
    c, s = math.cos(ground.world.yaw), math.sin(ground.world.yaw)
    values = ground.node.attributes
    across, along = c * dx + s * dy, c * dy - s * dx
    return abs(across) <= values["width"] / 2 and abs(along) <= values["height"] / 2


@every_world
def test_no_vehicle_stands_in_another(world):
    for nodes in scenes(world):
        assert overlaps([one for one in nodes if one.node.symbol in VEHICLES]) == []


@every_world
def test_houses_walls_and_hedges_stand_one_behind_the_other(world):
    for nodes in scenes(world):
        assert overlaps(drawn(nodes, *SOLID)) == []


@every_world
def test_no_tree_post_or_person_stands_in_a_house(world):
    for nodes in scenes(world):
        houses = drawn(nodes, "building")
        inside = [
            (one.node.symbol, one.path)
            for one in drawn(nodes, *STANDING)
            if any(stands_on(one, house) for house in houses)
        ]
        assert inside == []


@every_world
def test_what_stands_at_the_height_of_a_kerb_stands_on_a_pavement(world):
    """Else it floats, as it would where another street crosses."""
    for nodes in scenes(world):
        pavements = drawn(nodes, "pavement")
        floating = [
            (one.node.symbol, one.path)
            for one in drawn(nodes, *STANDING)
            if one.world.z > 0.01 and not any(stands_on(one, ground) for ground in pavements)
        ]
        assert floating == []


@every_world
def test_only_vehicles_and_riders_are_on_the_road(world):
    for nodes in scenes(world):
        roads = drawn(nodes, "carriageway")
        stray = [
            (one.node.symbol, one.path)
            for one in drawn(nodes, *KERBSIDE, "street_tree")
            if one.node.symbol != "walker" and any(stands_on(one, road) for road in roads)
        ]
        assert stray == []


@every_world
def test_vehicles_are_on_the_road(world):
    for nodes in scenes(world):
        roads = drawn(nodes, "carriageway")
        vehicles = [one for one in nodes if one.node.symbol in VEHICLES]
        assert all(any(stands_on(one, road) for road in roads) for one in vehicles)
