"""Derivations: drawn by the grammar's weights, scored exactly, and read back from scenes."""

import math
from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen import plugins
from datagen.derivation import (
    TRIES,
    Derivation,
    log_prob,
    outgrown,
    parse_tree,
    past_caps,
    recover,
    sample_prior,
)
from datagen.distributions import Choice, Constant, Distribution, Poisson, UniformInt
from datagen.errors import InputError
from datagen.grammar import Grammar, Repeat, Rule, Symbol
from datagen.language import named, parse
from datagen.placement import expand
from datagen.rng import Stream, rng_for
from datagen.scene import Scene, SceneNode

HEAD = "world w\ncanvas 64 x 48\nstart S\n"
TINY = HEAD + (
    "S -> a T * choice(0 1, 1 2, 3 1) b * uniform_int(0, 1) [0.3] | T [0.6] | empty [0.1]\n"
    "T -> a [0.5] | b b [0.2] | empty [0.3]\n"
    "a {}\nb {}\n"
)
# Chi-square values that are passed once in 10,000 runs, by degrees of freedom.
RARE = {3: 21.1, 4: 23.5, 6: 27.9, 10: 35.6}


def rng(seed: int = 0, index: int = 0) -> np.random.Generator:
    return rng_for(seed, index, Stream.SCENE)


def many(grammar: Grammar, count: int, seed: int = 0) -> list[Derivation]:
    generator = rng(seed)
    return [sample_prior(grammar, generator) for _ in range(count)]


def chi_square(seen: Counter, law: dict, count: int) -> float:
    assert set(seen) <= set(law)
    return sum((seen[key] - count * p) ** 2 / (count * p) for key, p in law.items())


def every(grammar: Grammar, name: str, depth: int = 99) -> list[tuple[Derivation, float]]:
    """All derivations of `name` whose trees are at most `depth` deep, with their probabilities."""
    if depth < 0:
        return []
    if grammar.is_terminal(name):
        return [((), 1.0)]
    found = []
    for rule in grammar.rules_of[name]:
        parts = [in_place(grammar, child, depth - 1) for child in rule.children]
        for combination in product(*parts):
            steps = (rule.index, *(step for part, _ in combination for step in part))
            found.append((steps, rule.weight * math.prod(p for _, p in combination)))
    return found


def in_place(grammar: Grammar, name: str, depth: int) -> list[tuple[Derivation, float]]:
    repeat = grammar.repeats.get(name)
    if repeat is None:
        return every(grammar, name, depth)
    found = []
    for count, p in counts_of(repeat.count):
        for combination in product(every(grammar, repeat.item, depth), repeat=count):
            items = tuple(step for part, _ in combination for step in (repeat.more, *part))
            found.append(((*items, repeat.stop), p * math.prod(q for _, q in combination)))
    return found


def counts_of(law: Distribution) -> list[tuple[int, float]]:
    match law:
        case Constant(value):
            return [(int(value), 1.0)]
        case UniformInt(low, high):
            return [(n, 1 / (high - low + 1)) for n in range(low, high + 1)]
        case Choice(values, weights):
            return [(int(v), w / sum(weights)) for v, w in zip(values, weights, strict=True)]
    raise TypeError(law)


# --------------------------------------------------------------------------------------- the prior


def test_golden_derivations_never_change():
    grammar = parse(TINY)
    assert [sample_prior(grammar, rng(0, k)) for k in range(6)] == [
        (5, 9),
        (5, 9),
        (0, 2, 3, 4),
        (0, 1, 7, 2, 3, 4),
        (5, 9),
        (0, 1, 7, 1, 7, 1, 9, 2, 4),
    ]


def test_rules_are_chosen_by_their_weights():
    grammar = parse(
        HEAD + "S -> a [0.1] | b [0.2] | c [0.3] | d [0.4] | a a [0]\na {}\nb {}\nc {}\nd {}"
    )
    seen = Counter(d[0] for d in many(grammar, 10_000))
    assert 4 not in seen
    assert chi_square(seen, {0: 0.1, 1: 0.2, 2: 0.3, 3: 0.4}, 10_000) < RARE[3]


def test_runs_are_as_long_as_their_count_says():
    grammar = parse(HEAD + "S -> a * uniform_int(0, 10)\na {}")
    seen = Counter(len(d) - 2 for d in many(grammar, 11_000))
    assert chi_square(seen, dict.fromkeys(range(11), 1 / 11), 11_000) < RARE[10]


def test_whole_derivations_occur_as_often_as_their_score_says():
    grammar = parse(
        HEAD + "S -> T * uniform_int(0, 1) T [0.4] | a [0.6]\nT -> a [0.7] | b [0.3]\na {}\nb {}"
    )
    law = {d: math.exp(log_prob(grammar, d)) for d, _ in every(grammar, "S")}
    assert len(law) == 7
    seen = Counter(many(grammar, 20_000))
    assert chi_square(seen, law, 20_000) < RARE[6]


def test_the_generator_alone_decides():
    grammar = named("aerial")
    assert many(grammar, 5, seed=3) == many(grammar, 5, seed=3)
    assert many(grammar, 5, seed=3) != many(grammar, 5, seed=4)


# ------------------------------------------------------------------------------------------- caps

DOUBLING = "S -> S S [0.6] | a [0.4]\na {}"


@pytest.mark.parametrize("caps", ["max_depth 4\n", "max_depth 60\nmax_nodes 30\n", "max_depth 1\n"])
def test_prior_scenes_always_fit_the_caps(caps):
    grammar = parse(HEAD + caps + DOUBLING)
    generator = rng(7)
    for _ in range(300):
        scene = expand(grammar, sample_prior(grammar, generator), generator)
        walked = list(scene.walk())
        assert len(walked) <= grammar.max_nodes
        assert max(len(placed.path.split(".")) for placed in walked if placed.path) <= (
            grammar.max_depth
        )


def test_the_prior_is_conditioned_on_the_caps():
    # Of depth 3 at most: `a` alone, or two sides that are each `a` or `S S` with two `a`.
    grammar = parse(HEAD + "max_depth 3\n" + DOUBLING)
    fitting = dict(every(grammar, "S", depth=3))
    fits = sum(fitting.values())
    assert len(fitting) == 5
    seen = Counter(many(grammar, 20_000))
    assert chi_square(seen, {d: p / fits for d, p in fitting.items()}, 20_000) < RARE[4]
    for derivation, p in fitting.items():
        assert log_prob(grammar, derivation) == pytest.approx(math.log(p))


def test_the_share_of_scenes_drawn_again_is_told():
    grammar = parse(HEAD + "max_depth 3\n" + DOUBLING)
    misfits = 1 - sum(p for _, p in every(grammar, "S", depth=3))
    # Five standard errors of a share of 500.
    assert outgrown(grammar)["max_depth"] == pytest.approx(misfits, abs=5 * math.sqrt(0.25 / 500))
    assert outgrown(grammar) == outgrown(grammar)


def test_the_cap_that_was_outgrown_is_named():
    assert list(outgrown(parse(HEAD + "max_depth 60\nmax_nodes 9\n" + DOUBLING))) == ["max_nodes"]


@pytest.mark.parametrize("name", plugins.names("grammars"))
def test_no_shipped_world_outgrows_its_caps(name):
    assert outgrown(named(name)) == {}


def test_scenes_that_fit_the_caps_at_once_leave_the_stream_as_it_was():
    wide = parse(HEAD + "S -> S S [0.4] | a [0.6]\na {}")
    tight = replace(wide, max_nodes=12)
    assert outgrown(wide) == {}
    fits = 0
    for k in range(100):
        one, other = rng(1, k), rng(1, k)
        derivation = sample_prior(wide, one)
        if not past_caps(tight, parse_tree(wide, derivation)):
            assert sample_prior(tight, other) == derivation
            assert one.random() == other.random()
            fits += 1
    assert 50 < fits < 100


def test_caps_that_no_scene_fits_are_refused_with_a_remedy():
    grammar = replace(parse(HEAD + "S -> T\nT -> a\na {}"), max_depth=1)
    with pytest.raises(
        InputError, match=f"{TRIES} scenes of w in a row outgrew max_depth 1 .*raise"
    ):
        sample_prior(grammar, rng())


def test_a_monstrous_count_is_dropped_before_it_is_laid_out():
    grammar = parse(HEAD + "max_depth 9\nS -> S * poisson(1e12) [0.5] | a [0.5]\na {}")
    assert all(len(d) == 1 for d in many(grammar, 20))


def test_the_largest_scene_that_fits_is_kept():
    grammar = parse(HEAD + "max_nodes 6\nS -> a * 5\na {}")
    scene = expand(grammar, sample_prior(grammar, rng()), rng())
    assert len(list(scene.walk())) == 6
    with pytest.raises(InputError, match="grew past 5 nodes"):
        expand(replace(grammar, max_nodes=5), recover(grammar, scene), rng())


def test_an_empty_run_at_the_last_depth_fits():
    grammar = parse(HEAD + "max_depth 1\nS -> T\nT -> a * choice(0 1, 1 1)\na {}")
    assert set(many(grammar, 50)) == {(0, 1, 3)}
    assert outgrown(grammar)["max_depth"] == pytest.approx(0.5, abs=0.11)


# -------------------------------------------------------------------------------------------- score


def test_scores_agree_with_brute_force_and_add_up_to_one():
    grammar = parse(TINY)
    found = every(grammar, "S")
    assert len(found) == 2 * (1 + 3 + 27) + 3 + 1
    for derivation, p in found:
        assert log_prob(grammar, derivation) == pytest.approx(math.log(p))
    assert sum(math.exp(log_prob(grammar, d)) for d, _ in found) == pytest.approx(1)


def test_what_the_prior_never_does_has_no_probability():
    grammar = parse(HEAD + "S -> a * uniform_int(0, 2) [1] | a b [0]\na {}\nb {}")
    run = lambda n: (0, *[1] * n, 2)  # noqa: E731
    assert [log_prob(grammar, run(n)) for n in (0, 2)] == pytest.approx([-math.log(3)] * 2)
    assert log_prob(grammar, run(3)) == -math.inf
    assert log_prob(grammar, (3,)) == -math.inf


def test_runs_inside_runs_are_scored_one_by_one():
    grammar = parse(HEAD + "S -> T * poisson(2)\nT -> a * poisson(3)\na {}")
    derivation = (0, 1, 3, 4, 4, 5, 1, 3, 5, 2)  # two T: one with two a, one with none
    law = Poisson(3)
    expected = Poisson(2).log_prob(2) + law.log_prob(2) + law.log_prob(0)
    assert log_prob(grammar, derivation) == pytest.approx(expected)


# --------------------------------------------------------------------------------------- malformed


@pytest.mark.parametrize(
    ("derivation", "words"),
    [
        ((), "ends before `S` is expanded"),
        ((0,), r"ends before `a\*` is expanded"),
        ((0, 1), r"ends before `a\*`"),
        ((3,), "rule 3 cannot expand `S` of w"),
        ((0, 0), r"rule 0 cannot expand `a\*`"),
        ((99,), "rule 99 cannot expand"),
        ((-1,), "rule -1 cannot expand"),
        ((0, 2, 3), r"goes on after the last symbol \(rule 3\)"),
        ((0, 2, 3, 3), r"\(rule 3\)"),
    ],
)
def test_malformed_derivations_are_refused(derivation, words):
    grammar = parse(HEAD + "S -> a * poisson(2)\na {}\nT -> a")
    for use in (log_prob, lambda g, d: expand(g, d, rng())):
        with pytest.raises(InputError, match=words):
            use(grammar, derivation)


def test_a_run_is_laid_flat_in_the_tree():
    grammar = parse(HEAD + "S -> a T * 2 a\nT -> b * 1\na {}\nb {}")
    nodes = parse_tree(grammar, sample_prior(grammar, rng()))
    rows = [(n.symbol, n.parent, n.depth, n.k) for n in nodes]
    assert rows == [
        ("S", -1, 0, 0),
        ("a", 0, 1, 0),
        ("T", 0, 1, 0),
        ("b", 2, 2, 0),
        ("T", 0, 1, 1),
        ("b", 4, 2, 0),
        ("a", 0, 1, 1),
    ]
    assert nodes[0].totals == {"a": 2, "T": 2}
    assert nodes[0].runs == [("T*", 2)]


# ---------------------------------------------------------------------------------------- recover


@pytest.mark.parametrize("name", plugins.names("grammars"))
def test_recovering_undoes_expanding_in_every_shipped_world(name):
    grammar = named(name)
    for k in range(60):
        generator = rng(11, k)
        derivation = sample_prior(grammar, generator)
        scene = expand(grammar, derivation, generator)
        assert scene.derivation == derivation
        assert recover(grammar, scene) == derivation
        assert recover(grammar, Scene.from_json(scene.to_json())) == derivation


COUNTS = st.one_of(
    st.builds(Constant, st.integers(0, 3)),
    st.builds(UniformInt, st.integers(0, 1), st.integers(1, 3)),
    st.just(Poisson(1.5)),
)


@st.composite
def grammars(draw: st.DrawFn, marked: bool) -> Grammar:
    """Small worlds; with `marked`, each alternative begins with a terminal of its own.

    A marked grammar is not ambiguous, since a child is repeated at most once in an alternative.
    Rules only name later symbols, and themselves rarely: scenes end.
    """
    inner = [f"N{k}" for k in range(draw(st.integers(1, 4)))]
    symbols = {name: Symbol(name) for name in (*inner, "a", "b")}
    rules: list[Rule] = []
    repeats: dict[str, Repeat] = {}
    for k, lhs in enumerate(inner):
        alternatives = draw(st.integers(1, 3))
        own = [0.1] * (alternatives > 1)
        weights = [(1 - sum(own)) / (alternatives - len(own))] * (alternatives - len(own)) + own
        for j, weight in enumerate(weights):
            names = [*inner[k + 1 :], "a", "b"] + [lhs] * (own != [] and j == alternatives - 1)
            children = draw(st.lists(st.sampled_from(names), max_size=3))
            if marked:
                mark = f"mark{len(symbols)}"
                symbols[mark] = Symbol(mark)
                children.insert(0, mark)
            _add(draw, rules, repeats, lhs, children, weight)
    return Grammar("random", (64, 64), "N0", tuple(rules), symbols, repeats)


def _add(draw, rules, repeats, lhs, children, weight) -> None:
    repeated = {}
    for place, child in enumerate(children):
        plain = child == lhs or child in repeated or child.startswith("mark")
        if not plain and draw(st.booleans()):
            repeated[child] = place
    names = {place: f"{child}*{len(rules)}" for child, place in repeated.items()}
    shown = tuple(names.get(place, child) for place, child in enumerate(children))
    rules.append(Rule(len(rules), lhs, shown, weight))
    for place, name in names.items():
        more = len(rules)
        rules.append(Rule(more, name, (children[place], name), 1.0))
        rules.append(Rule(more + 1, name, (), 1.0))
        repeats[name] = Repeat(name, children[place], draw(COUNTS), more, more + 1)


def shape(node: SceneNode) -> tuple:
    return node.symbol, tuple(map(shape, node.children))


@settings(max_examples=150)
@given(grammars(marked=True), st.integers(0, 999))
def test_recovering_undoes_expanding_in_random_worlds(grammar, seed):
    derivation = sample_prior(grammar, rng(seed))
    assert recover(grammar, expand(grammar, derivation, rng(seed))) == derivation
    assert math.isfinite(log_prob(grammar, derivation))


@settings(max_examples=150)
@given(grammars(marked=False), st.integers(0, 999))
def test_an_ambiguous_world_is_recovered_with_the_same_tree(grammar, seed):
    scene = expand(grammar, sample_prior(grammar, rng(seed)), rng(seed))
    again = expand(grammar, recover(grammar, scene), rng(seed))
    assert shape(again.root) == shape(scene.root)


@settings(max_examples=100)
@given(grammars(marked=False), st.integers(0, 999))
def test_the_tree_has_as_many_nodes_as_the_scene(grammar, seed):
    derivation = sample_prior(grammar, rng(seed))
    scene = expand(grammar, derivation, rng(seed))
    nodes = parse_tree(grammar, derivation)
    assert [n.symbol for n in nodes] == [placed.node.symbol for placed in scene.walk()]
    depths = [len(placed.path.split(".")) if placed.path else 0 for placed in scene.walk()]
    assert [n.depth for n in nodes] == depths


def test_of_two_equal_alternatives_the_first_is_recovered():
    grammar = parse(HEAD + "S -> a b [0.5] | a b [0.5]\na {}\nb {}")
    assert recover(grammar, expand(grammar, (1,), rng())) == (0,)


def test_of_two_runs_side_by_side_the_first_takes_all():
    grammar = parse(HEAD + "S -> a * poisson(2) a * poisson(2)\na {}")
    scene = expand(grammar, (0, 1, 2, 3, 3, 4), rng())
    assert recover(grammar, scene) == (0, 1, 1, 1, 2, 4)


def test_a_run_gives_back_what_the_rest_needs():
    grammar = parse(HEAD + "S -> a * poisson(2) a b a * poisson(2)\na {}\nb {}")
    derivation = (0, 1, 1, 2, 3, 4)
    assert recover(grammar, expand(grammar, derivation, rng())) == derivation


def test_many_runs_side_by_side_do_not_take_exponential_time():
    runs = " ".join(["a * poisson(1)"] * 12)
    grammar = parse(HEAD + f"S -> {runs} b | a * 40\na {{}}\nb {{}}")
    derivation = next(d for d in many(grammar, 50) if len(d) == 42)
    assert recover(grammar, expand(grammar, derivation, rng())) == derivation


@pytest.mark.parametrize(
    ("root", "words"),
    [
        (SceneNode("T"), "begins with `T`, w with `S`"),
        (SceneNode("S"), "no rule of `S` has the children empty"),
        (SceneNode("S", children=(SceneNode("b"),)), "no rule of `S` has the children b"),
        (
            SceneNode("S", children=(SceneNode("a", children=(SceneNode("a"),)),)),
            "no rule of `a` has the children a",
        ),
    ],
)
def test_a_scene_of_another_world_is_not_recovered(root, words):
    grammar = parse(HEAD + "S -> a | T\nT -> a\na {}")
    with pytest.raises(InputError, match=words):
        recover(grammar, Scene(root, (64, 48), "", ()))
