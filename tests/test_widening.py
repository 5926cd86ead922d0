"""What the album shows beyond the prior: longer repetitions, other shares."""

import numpy as np
import pytest
from structures import rng

from datagen.distributions import UniformInt
from datagen.language import parse
from datagen.learning.album.widening import Wider, widened

WORLD = """
world w
canvas 64 x 64
start S
S -> a * {count}
a {{}}
"""


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        ("uniform_int(0, 4)", UniformInt(0, 8)),
        ("uniform_int(0, 4) max 5", UniformInt(0, 5)),
        ("choice(0, 3)", UniformInt(0, 6)),
        ("uniform_int(0, 500)", UniformInt(0, 500)),
    ],
)
def test_repetitions_become_twice_as_long_but_not_past_max(count, expected):
    grammar = widened(parse(WORLD.format(count=count)))
    assert grammar.repeats["a*"].count == expected


def test_what_has_no_end_stays_as_it_is():
    grammar = parse(WORLD.format(count="poisson(3)"))
    assert widened(grammar).repeats == grammar.repeats


def test_the_album_shows_shares_of_classes_that_the_prior_rarely_has():
    grammar = parse(
        "world w\ncanvas 64 x 64\nstart S\nS -> D * 8\nD -> one [0.8] | two [0.2]\n"
        'one { category: "1" }\ntwo { category: "2" }\n'
    )
    wider = Wider(grammar)
    ones = np.array([d.count(grammar.rules_of["D"][0].index) for d in draws(wider, 600)])
    eights = np.array([len(d) for d in draws(wider, 600)]) == 18  # the others are longer or shorter
    shares = ones[eights] / 8
    assert abs(shares.mean() - 0.8) < 0.04  # in the mean it is the prior
    assert (shares < 0.4).mean() > 0.04  # the prior has that in 1 scene of 800


def draws(wider, count):
    return [wider.sample(rng(k)) for k in range(count)]


def test_shares_of_a_recursion_are_left_alone():
    grammar = parse(
        'world w\ncanvas 64 x 64\nstart S\nS -> leaf [0.7] | S S [0.3]\nleaf { category: "leaf" }\n'
    )
    assert Wider(grammar).alternatives == []
