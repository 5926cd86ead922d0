"""Bootstrap intervals of a projected grammar: they cover what they say that they cover."""

import math

import numpy as np
import pytest
from structures import HEAD, rng

from datagen.derivation import sample_prior
from datagen.language import Intervals, diff, parse, written
from datagen.learning.intervals import Sample, bootstrapped, caveat
from datagen.learning.projection import project, project_attributes
from datagen.placement import expand

WORLD = parse(
    HEAD + "S -> T * uniform_int(0, 4)\nT -> a [0.3] | b [0.7]\n"
    "a { yaw: normal(180, 20) deg mutable  x: uniform(0, 12) px mutable  k: 3 }\nb {}\n"
)
YAW, X = ("a", "yaw"), ("a", "x")


def sampled(grammar, count: int, index: int = 0) -> Sample:
    generator = rng(index)
    derivations = [sample_prior(grammar, generator) for _ in range(count)]
    return Sample(derivations, [expand(grammar, d, generator) for d in derivations])


def covers(interval, truth: float, turn: float = 1e9) -> bool:
    middle = 0.5 * (interval.low + interval.high)
    return abs(math.remainder(truth - middle, turn)) <= 0.5 * (interval.high - interval.low)


def test_an_interval_covers_the_truth_in_about_95_of_100_repetitions():
    repetitions = 150
    hits = np.zeros(6)
    first = WORLD.rules_of["T"][0].index
    for index in range(repetitions):
        found = bootstrapped(WORLD, [sampled(WORLD, 60, index)], seed=index, replicates=200)
        hits += [
            covers(found.rules[first], 0.3),
            covers(found.counts["T*"], 2),
            covers(found.shares["T*"][4], 0.2),
            covers(found.means[YAW], 180, 360),
            covers(found.spreads[YAW], 20),
            covers(found.means[X], 6),
        ]
    # 0.95 by design, less the percentile method's shortfall at 60 scenes; sigma is 0.018.
    assert hits / repetitions == pytest.approx(np.full(6, 0.94), abs=0.055)


def test_an_estimate_lies_in_its_interval_and_is_the_projections_own():
    sample = sampled(WORLD, 500)
    found = bootstrapped(WORLD, [sample], seed=0)
    learned = project(WORLD, sample.derivations)
    for index, interval in found.rules.items():
        assert interval.low <= learned.rules[index].weight <= interval.high
        assert interval.value == pytest.approx(learned.rules[index].weight, abs=1e-4)
    law = learned.repeats["T*"].count
    assert found.counts["T*"].value == pytest.approx(law.mean(), abs=1e-3)
    shares = {n: interval.value for n, interval in found.shares["T*"].items()}
    assert shares == pytest.approx(dict(zip(law.values, law.weights, strict=True)), abs=1e-4)
    assert set(found.means) == set(found.spreads) == {YAW, X}
    # The width of the mean of m values from U(0, 12) is 2 x 1.96 x 12 / sqrt(12 m).
    m = sum(len([n for n in s.root.children for c in n.children if c.symbol == "a"])
            for s in sample.scenes)  # fmt: skip
    width = found.means[X].high - found.means[X].low
    assert width == pytest.approx(2 * 1.96 * math.sqrt(12 / m), rel=0.2)


def test_scenes_are_drawn_again_as_a_whole():
    """Things of one scene are not independent: here all of a scene's digits are alike."""
    grammar = parse(HEAD + "S -> A [0.5] | B [0.5]\nA -> T T T T\nB -> T T T T\nT -> a | b\n"
                    "a {}\nb {}")  # fmt: skip
    a, b = (rule.index for rule in grammar.rules_of["T"])
    of = [grammar.rules_of[name][0].index for name in "AB"]
    derivations = [(k, of[k], *([(a, b)[k]] * 4)) for k in (0, 1) for _ in range(50)]
    interval = bootstrapped(grammar, [Sample(derivations)], seed=0).rules[a]
    # 100 scenes, not 400 things: 2 x 1.96 x sqrt(0.25 / 100).
    assert interval.high - interval.low == pytest.approx(0.196, rel=0.12)


def test_an_angle_about_the_cut_of_its_range_has_a_narrow_interval():
    found = bootstrapped(WORLD, [sampled(WORLD, 400)], seed=0).means[YAW]
    assert found.high - found.low < 6
    assert found.low < found.value < found.high
    assert covers(found, 180, 360)


def test_models_that_differ_make_wider_intervals_than_one_of_them():
    other = parse(
        HEAD + "S -> T * uniform_int(1, 5)\nT -> a [0.5] | b [0.5]\n"
        "a { yaw: normal(-150, 20) deg mutable  x: uniform(4, 16) px mutable  k: 3 }\nb {}\n"
    )
    one, two = sampled(WORLD, 300), sampled(other, 300, 1)
    alone = bootstrapped(WORLD, [one], seed=0)
    both = bootstrapped(WORLD, [one, two], seed=0)
    assert both.counts["T*"].value == pytest.approx(2.5, abs=0.2)
    assert both.counts["T*"].low < 2.3 < 2.7 < both.counts["T*"].high
    for key in (YAW, X):
        wide, narrow = both.means[key], alone.means[key]
        assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert 180 < both.means[YAW].value % 360 < 210


def test_structure_alone_has_intervals_too():
    sample = sampled(WORLD, 50)
    found = bootstrapped(WORLD, [Sample(sample.derivations)], seed=0)
    assert found.means == found.spreads == {}
    assert found.counts["T*"].low < found.counts["T*"].high


def test_what_was_never_seen_or_too_rarely_has_no_interval():
    blocks = "a { x: uniform(0, 1) px mutable }\nb { y: uniform(0, 1) px mutable }"
    grammar = parse(HEAD + "S -> T * uniform_int(0, 4)\nT -> a | b\n" + blocks)
    empty = (0, grammar.repeats["T*"].stop)
    one = (0, grammar.repeats["T*"].more, grammar.rules_of["T"][0].index, empty[1])
    derivations = [empty] * 30 + [one] * 10
    scenes = [expand(grammar, d, rng()) for d in derivations]
    found = bootstrapped(grammar, [Sample(derivations, scenes)], seed=0)
    assert found.shares["T*"].keys() == {0, 1}
    assert found.rules.keys() == {grammar.rules_of["T"][0].index}
    assert found.means == {}


def test_a_symbol_that_some_replicates_lack_has_an_interval_of_the_others():
    grammar = parse(HEAD + "S -> T | empty\nT -> a | b\na {}\nb {}")
    a = grammar.rules_of["T"][0].index
    t, nothing = (rule.index for rule in grammar.rules_of["S"])
    found = bootstrapped(grammar, [Sample([(nothing,)] * 20 + [(t, a)])], seed=0)
    assert found.rules[a] == (1, 1, 1)


def test_a_reader_is_told_what_the_intervals_leave_out():
    assert caveat(1).endswith("how the learning itself would vary from run to run is not in them.")
    assert "models of 3 runs" in caveat(3)


def test_equal_seeds_give_equal_intervals():
    sample = sampled(WORLD, 40)
    assert bootstrapped(WORLD, [sample], 3, 50) == bootstrapped(WORLD, [sample], 3, 50)
    assert bootstrapped(WORLD, [sample], 3, 50) != bootstrapped(WORLD, [sample], 4, 50)


def test_what_was_learned_can_be_read_with_its_intervals_and_run():
    truth = parse(
        HEAD + "S -> T * choice(1 0.5, 4 0.5)\nT -> a [0.8] | b [0.2]\n"
        "a { yaw: normal(90, 3) deg mutable  x: uniform(2, 5) px mutable [0, 12]  k: 3 }\nb {}\n"
    )
    sample = sampled(truth, 600)
    learned = project_attributes(project(WORLD, sample.derivations), sample.scenes)
    found = bootstrapped(WORLD, [sample], seed=0)
    text = written(learned, ["Learned from 600 scenes."], found)
    again = parse(text)
    assert again == learned
    assert text.startswith("# Learned from 600 scenes.\n")
    assert all(attribute.mutable for name, attribute in again.symbols["a"].attributes.items()
               if name != "k")  # fmt: skip
    lines = diff(WORLD, learned, found).splitlines()
    assert any(line.startswith("S -> T*   mean count 2.00 -> 2.") for line in lines)
    (yaw,) = [line for line in lines if line.startswith("    mean") and line.endswith("] deg")]
    low, high = map(float, yaw.partition("[")[2].partition("]")[0].split(","))
    assert low < 90 < high
    assert sampled(again, 5).scenes
    assert diff(WORLD, learned, Intervals()) == diff(WORLD, learned)
