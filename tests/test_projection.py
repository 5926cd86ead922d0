"""The grammar that a model's strings fit best: shares and counts, as a file for people."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from structures import HEAD, rng

from datagen import plugins
from datagen.derivation import log_prob, sample_prior
from datagen.distributions import Choice, Normal, Uniform, UniformInt
from datagen.language import diff, named, parse, write
from datagen.learning.projection import project, project_attributes
from datagen.placement import expand, replaced

NESTED = HEAD + (
    "S -> Road * uniform_int(0, 3) lamp * uniform_int(0, 9)\n"
    "Road -> car * uniform_int(0, 5) Side [0.5] | lamp [0.5]\n"
    "Side -> car * uniform_int(1, 2)\n"
    "car {}\nlamp {}\n"
)


def sampled(grammar, count):
    generator = rng(7)
    return [sample_prior(grammar, generator) for _ in range(count)]


def shares(law):
    assert isinstance(law, Choice)
    return dict(zip(law.values, law.weights, strict=True))


def weights(grammar, name):
    return [rule.weight for rule in grammar.rules_of[name]]


def test_shares_and_counts_of_a_few_strings_by_hand():
    grammar = parse(HEAD + "S -> T * uniform_int(0, 5)\nT -> a [0.9] | b [0.1]\na {}\nb {}")
    more, stop = grammar.repeats["T*"].more, grammar.repeats["T*"].stop
    a, b = (rule.index for rule in grammar.rules_of["T"])
    learned = project(
        grammar, [(0, stop), (0, more, a, more, b, stop), (0, more, b, more, b, stop), (0, stop)]
    )
    assert weights(learned, "T") == [0.25, 0.75]
    assert shares(learned.repeats["T*"].count) == {0: 0.5, 2: 0.5}
    assert weights(learned, "S") == [1.0]


def test_known_counts_and_shares_come_back():
    hidden = parse(
        HEAD + "S -> T * choice(1 0.2, 4 0.5, 9 0.3)\nT -> a [0.7] | b [0.3]\na {}\nb {}"
    )
    believed = parse(HEAD + "S -> T * uniform_int(0, 9)\nT -> a | b\na {}\nb {}")
    learned = project(believed, sampled(hidden, 6000))
    found = shares(learned.repeats["T*"].count)
    assert found == pytest.approx({1: 0.2, 4: 0.5, 9: 0.3}, abs=0.02)
    assert weights(learned, "T") == pytest.approx([0.7, 0.3], abs=0.01)


def test_nested_runs_are_counted_each_for_itself():
    grammar = parse(NESTED)
    learned = project(grammar, sampled(grammar, 5000))
    for name, repeat in grammar.repeats.items():
        assert isinstance(repeat.count, UniformInt)
        numbers = range(repeat.count.low, repeat.count.high + 1)
        law = dict.fromkeys(numbers, 1 / len(numbers))
        assert shares(learned.repeats[name].count) == pytest.approx(law, abs=0.03)
    assert weights(learned, "Road") == pytest.approx([0.5, 0.5], abs=0.02)


def test_runs_inside_recursion_do_not_mix():
    # Depth n has a run of n items: 0 at the top, then 1, then 2.
    grammar = parse(
        HEAD + "max_depth 9\nS -> a * uniform_int(0, 9) S [0.4] | a * uniform_int(0, 9) [0.6]\na {}"
    )
    first, second = grammar.rules_of["S"]
    (x, y) = grammar.repeats.values()
    string = (first.index, x.stop, first.index, x.more, x.stop, second.index, y.more, y.more)
    learned = project(grammar, [(*string, y.stop)])
    assert shares(learned.repeats[x.symbol].count) == {0: 0.5, 1: 0.5}
    assert shares(learned.repeats[y.symbol].count) == {2: 1.0}


def test_unused_symbols_keep_the_prior():
    grammar = parse(NESTED)
    only_lamps = [(0, grammar.repeats["Road*"].stop, grammar.repeats["lamp*"].stop)]
    learned = project(grammar, only_lamps)
    assert weights(learned, "Road") == [0.5, 0.5]
    assert learned.repeats["car*"].count == UniformInt(0, 5)
    assert shares(learned.repeats["Road*"].count) == {0: 1.0}


@pytest.mark.parametrize("name", plugins.names("grammars"))
def test_shipped_worlds_can_be_projected_written_and_read(name):
    grammar = named(name)
    strings = sampled(grammar, 300)
    learned = project(grammar, strings)
    again = parse(write(learned))
    assert again == learned
    assert replace(again, rules=grammar.rules, repeats=grammar.repeats) == grammar
    for alternatives in learned.rules_of.values():
        if alternatives[0].lhs not in learned.repeats:
            assert adds_up([rule.weight for rule in alternatives])
    for repeat in learned.repeats.values():
        assert adds_up(repeat.count.weights)
    assert np.isfinite([log_prob(learned, s) for s in strings]).all()
    assert isinstance(diff(grammar, learned), str)


def test_no_grammar_explains_the_strings_better():
    grammar = parse(NESTED)
    strings = sampled(grammar, 50)
    learned = project(grammar, strings)
    best = sum(log_prob(learned, s) for s in strings)
    assert best > sum(log_prob(grammar, s) for s in strings)
    other = project(grammar, sampled(grammar, 80)[30:])
    assert best > sum(log_prob(other, s) for s in strings)


@pytest.mark.parametrize("alternatives", [2, 3, 7, 13, 99, 219, 256])
def test_shares_add_up_to_one_whatever_is_rounded(alternatives):
    names = [f"t{k}" for k in range(alternatives)]
    grammar = parse(HEAD + f"S -> {' | '.join(names)}\n" + "".join(f"{n} {{}}\n" for n in names))
    learned = project(grammar, [(k,) for k in range(alternatives)])
    assert all(0 <= w <= 1 for w in weights(learned, "S"))
    assert adds_up(weights(learned, "S"))
    assert parse(write(learned)) == learned


def test_what_is_too_rare_for_the_decimals_is_left_out_of_a_count():
    grammar = parse(HEAD + "S -> a * uniform_int(0, 5)\na {}")
    strings = [(0, 2)] * 60_000 + [(0, 1, 2)]
    assert shares(project(grammar, strings).repeats["a*"].count) == {0: 1.0}


def test_the_grammar_that_was_given_is_not_changed():
    grammar = parse(NESTED)
    before = write(grammar)
    project(grammar, sampled(grammar, 20))
    project_attributes(grammar, expanded(grammar, sampled(grammar, 20)))
    assert write(grammar) == before


def test_the_bound_of_a_count_stays():
    grammar = parse(HEAD + "S -> a * uniform_int(0, 3) max 9\na {}")
    learned = project(grammar, [(0, 1, 1, 1, 1, 1, 2)])
    assert shares(learned.repeats["a*"].count) == {5: 1.0}
    assert learned.repeats["a*"].most == 9


# ------------------------------------------------------------------------------------- attributes

TURNED = HEAD + (
    "S -> Road * uniform_int(1, 3)\nRoad -> car * uniform_int(1, 5)\n"
    "Road { y: 20 px  width: uniform(10, 60) px  height: normal(8, 1) px mutable [2, 14] }\n"
    "car { x: uniform(0, 1) width mutable  yaw: normal(0, 10) deg mutable  size: uniform(3, 5) px"
    "  colour: choice(red, blue)  length: uniform(100, 200) cm mutable }\n"
)


def expanded(grammar, derivations):
    return [expand(grammar, d, rng(k)) for k, d in enumerate(derivations)]


def moved(grammar, scenes, change):
    """Scenes whose cars have other values: change(attributes, the road's width) -> values."""
    found = []
    for k, scene in enumerate(scenes):
        placed = {p.path: p.node for p in scene.walk()}
        changes = {
            path: change(
                node.attributes, placed[path.rpartition(".")[0]].attributes["width"], rng(k)
            )
            for path, node in placed.items()
            if node.symbol == "car"
        }
        found.append(replaced(grammar, scene, changes))
    return found


def test_laws_of_what_moved_are_learned_in_the_units_of_the_grammar():
    grammar = parse(TURNED)
    scenes = moved(
        grammar,
        expanded(grammar, sampled(grammar, 400)),
        lambda old, width, _: {
            "x": 0.25 * width + 0.5 * old["x"],
            "yaw": old["yaw"] * 0.5 + np.pi,
            "length": 1.5,
        },
    )
    learned = project_attributes(grammar, scenes)
    car = learned.symbols["car"].attributes
    x, yaw, length = (car[name].distribution for name in ("x", "yaw", "length"))
    assert isinstance(x, Uniform)
    assert (x.low, x.high) == (pytest.approx(0.25, abs=0.01), pytest.approx(0.75, abs=0.01))
    assert isinstance(yaw, Normal)
    assert abs(yaw.mu) == pytest.approx(180, abs=0.5)
    assert yaw.std == pytest.approx(5, rel=0.05)
    assert (length.mean(), car["length"].unit) == (pytest.approx(150), "cm")
    assert parse(write(learned)) == learned


def test_what_did_not_move_or_may_not_keeps_its_prior():
    grammar = parse(TURNED)
    scenes = moved(grammar, expanded(grammar, sampled(grammar, 400)), lambda *_: {"size": 9.0})
    learned = project_attributes(grammar, scenes)
    assert learned == grammar
    assert diff(grammar, learned) == "no difference"


def test_what_is_learned_may_be_learned_again_within_the_same_range():
    grammar = parse(TURNED)
    scenes = moved(
        grammar, expanded(grammar, sampled(grammar, 200)), lambda old, *_: {"x": old["x"] / 4}
    )
    learned = parse(write(project_attributes(grammar, scenes)))
    before, after = (g.symbols["car"].attributes["x"] for g in (grammar, learned))
    assert after.mutable == before.mutable
    assert after.distribution.high == pytest.approx(0.25, abs=0.01)


def test_scenes_of_the_learned_grammar_are_like_those_it_was_learned_from():
    grammar = parse(TURNED)
    scenes = moved(
        grammar,
        expanded(grammar, sampled(grammar, 400)),
        lambda old, _, generator: {"yaw": generator.choice([0.3, 3.0]) + old["yaw"] / 4},
    )
    learned = project_attributes(grammar, scenes)
    again = expanded(learned, sampled(learned, 400))
    old, new = (
        [p.node.attributes["yaw"] for s in some for p in s.walk() if p.node.symbol == "car"]
        for some in (scenes, again)
    )
    for part in (0.1, 0.25, 0.75, 0.9):
        assert np.quantile(np.mod(new, 2 * np.pi), part) == pytest.approx(
            np.quantile(np.mod(old, 2 * np.pi), part), abs=0.03
        )


def test_run_lengths_agree_with_the_scenes():
    grammar = parse(NESTED)
    strings = sampled(grammar, 400)
    lamps = grammar.repeats["lamp*"]
    # Every `more` of a run directly before its `stop` belongs to it: lamps are terminals.
    lengths = Counter(s.count(lamps.more) for s in strings)
    found = shares(project(grammar, strings).repeats["lamp*"].count)
    assert found == pytest.approx({n: k / 400 for n, k in lengths.items()}, abs=1e-4)


def adds_up(shares):
    """Exactly, in units of the last decimal that is written."""
    return sum(round(share * 10_000) for share in shares) == 10_000 and all(
        abs(share * 10_000 - round(share * 10_000)) < 1e-6 for share in shares
    )
