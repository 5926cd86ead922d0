"""A grammar's text means what the reference page says."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datagen.derivation import sample_prior
from datagen.distributions import Choice, Constant, Mixture, Normal, Truncated, Uniform, UniformInt
from datagen.errors import GrammarError, InputError
from datagen.grammar import Asset, Draw, Grammar, Mutable
from datagen.language import check, expected_counts, expected_things, growth, named, parse
from datagen.rng import Stream, rng_for

HEAD = "world w\ncanvas 64 x 48\nstart Scene\n"
ROOT = Path(__file__).parents[1]


def world(body: str) -> Grammar:
    return parse(HEAD + body)


def test_headers_and_defaults() -> None:
    grammar = world("Scene -> empty")
    assert (grammar.world, grammar.canvas, grammar.start) == ("w", (64, 48), "Scene")
    assert (grammar.max_depth, grammar.max_nodes) == (Grammar.max_depth, Grammar.max_nodes)
    assert re.fullmatch("[0-9a-f]{16}", grammar.digest)


def test_a_repetition_becomes_two_rules_directly_after_its_rule() -> None:
    grammar = world("Scene -> bg car * uniform_int(0, 3) | car * 2 | bg\nbg {}\ncar {}")
    assert [(r.lhs, r.children) for r in grammar.rules] == [
        ("Scene", ("bg", "car*")),
        ("car*", ("car", "car*")),
        ("car*", ()),
        ("Scene", ("car*2",)),
        ("car*2", ("car", "car*2")),
        ("car*2", ()),
        ("Scene", ("bg",)),
    ]
    assert [r.index for r in grammar.rules] == list(range(7))
    first, second = grammar.repeats.values()
    assert (first.item, first.count, first.more, first.stop) == ("car", UniformInt(0, 3), 1, 2)
    assert (second.symbol, second.count, second.more, second.stop) == ("car*2", Constant(2), 4, 5)
    assert set(grammar.symbols) == {"bg", "car", "Scene"}


def test_multi_mnist_has_the_thirteen_rules_of_the_paper() -> None:
    digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    body = "Scene -> bg Digit * uniform_int(0, 10)\nDigit -> " + " | ".join(digits)
    blocks = "".join(f"\n{d} {{ category: {d} }}" for d in digits)
    grammar = world(body + "\nbg {}" + blocks)
    assert len(grammar.rules) == 13
    assert grammar.categories == tuple(digits)
    assert expected_things(grammar) == pytest.approx(dict.fromkeys(digits, 0.5))


def test_weights_are_given_or_equal() -> None:
    grammar = world("Scene -> A | a a\nA -> a [0.25] | empty [0.75]\na {}")
    assert [r.weight for r in grammar.rules_of["Scene"]] == [0.5, 0.5]
    assert [r.weight for r in grammar.rules_of["A"]] == [0.25, 0.75]


def test_places_count_from_one() -> None:
    grammar = world("Scene -> a\n  | a a\na {\n  x: 3 }")
    assert [(r.line, r.column) for r in grammar.rules] == [(4, 10), (5, 5)]
    assert (grammar.symbols["a"].line, grammar.symbols["a"].column) == (6, 1)
    x = grammar.symbols["a"].attributes["x"]
    assert (x.line, x.column) == (7, 3)


@pytest.mark.parametrize(
    ("text", "distribution", "unit"),
    [
        ("uniform(-0.5, 0.5) width", Uniform(-0.5, 0.5), "width"),
        ("normal(0, 8) deg in [-20, 20]", Truncated(Normal(0, 8), -20, 20), "deg"),
        ("normal(0, 8) in [-20, 20] deg", Truncated(Normal(0, 8), -20, 20), "deg"),
        ("normal(0, 8) in [-20, 20]", Truncated(Normal(0, 8), -20, 20), ""),
        ("choice(red 1, white 3, grey)", Choice(("red", "white", "grey"), (1, 3, 1)), ""),
        (
            "mix(uniform(7, 8) 0.7, normal(12, 1) in [9, 15] 0.3) px",
            Mixture((Uniform(7, 8), Truncated(Normal(12, 1), 9, 15)), (0.7, 0.3)),
            "px",
        ),
        ("18 px", Constant(18), "px"),
        (".5", Constant(0.5), ""),
        ("-1e-3", Constant(-0.001), ""),
        ('"two words \\"x\\" \\u00e9"', Constant('two words "x" é'), ""),
        ("red", Constant("red"), ""),
        ('"7"', Constant("7"), ""),
    ],
)
def test_a_value_is_read(text: str, distribution: object, unit: str) -> None:
    attribute = world(f"Scene -> a\na {{ k: {text} y: 1 }}").symbols["a"].attributes["k"]
    assert (attribute.distribution, attribute.unit) == (distribution, unit)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("normal(32, 1) px mutable [0, 64]", 0, 64),
        ("normal(0, 10) deg mutable", -180, 180),
        ("normal(200, 10) deg mutable", -180, 180),
        ("normal(0, 1) rad mutable", -math.pi, math.pi),
        ("normal(-90, 1) deg mutable [180, 360]", 180, 360),
        ("uniform(3, 5) width mutable", 3, 5),
        ("spread(3, 5, 0.5) width mutable", 3, 5),
        ("normal(0, 1) m in [-2, 3] mutable", -2, 3),
        ("normal(0, 1) in [-2, 3] m mutable", -2, 3),
        ("mix(uniform(0, 1), normal(5, 1) in [4, 7]) mutable", 0, 7),
    ],
)
def test_what_may_be_learned_has_a_range_in_its_own_unit(
    text: str, low: float, high: float
) -> None:
    x = world(f"Scene -> a\na {{ k: {text} mutable: 3 }}").symbols["a"].attributes["k"]
    assert x.mutable == Mutable(low, high)
    assert x.is_angle == (x.unit in ("deg", "rad"))


def test_what_is_not_marked_may_not_be_learned() -> None:
    grammar = world("Scene -> a * uniform_int(0, 3)\na { x: uniform(0, 1) px  k: mutable }")
    assert [a.mutable for a in grammar.symbols["a"].attributes.values()] == [None, None]
    assert grammar.symbols["a"].attributes["k"].distribution == Constant("mutable")
    assert grammar.repeats["a*"].most is None


def test_a_repetition_may_have_a_bound_for_learning() -> None:
    grammar = world("Scene -> a * uniform_int(0, 3) max 4 b | b * 2 max 2\na {}\nb {}")
    assert [r.most for r in grammar.repeats.values()] == [4, 2]
    assert [r.children for r in grammar.rules_of["Scene"]] == [("a*", "b"), ("b*",)]


def test_words_of_the_language_may_name_attributes() -> None:
    words = ["px", "m", "width", "world", "canvas", "start", "asset", "empty", "in", "x", "uniform"]
    words += ["max", "mutable"]
    body = "Scene -> a\na {" + " ".join(f"{w}: 3 px" for w in words) + "}"
    assert list(world(body).symbols["a"].attributes) == words


def test_draw_names_a_painter_or_a_sprite() -> None:
    grammar = world('asset d: sprites "strokes"\nScene -> a b\na { draw: car }\nb { draw: d("7") }')
    assert grammar.symbols["a"].draw == Draw("car")
    assert grammar.symbols["b"].draw == Draw("d", "7")
    assert grammar.assets == {"d": Asset("d", "sprites", "strokes")}


def test_line_breaks_mean_nothing_and_comments_are_skipped() -> None:
    spread = "Scene\n  ->\n a # | b\n | empty a{\nx\n:\n3 px}"
    assert world(spread) == world("Scene -> a | empty\na { x: 3 px }")


def test_headers_may_stand_anywhere() -> None:
    assert parse("Scene -> empty\nstart Scene\nworld w\ncanvas 64x48") == world("Scene -> empty")


def test_expected_counts_solve_the_branching_process() -> None:
    grammar = world("Scene -> Kerb * 2\nKerb -> tree Kerb [0.5] | lamp [0.2] | empty [0.3]\n"
                    "tree {}\nlamp {}")  # fmt: skip
    counts = expected_counts(grammar)
    assert counts == pytest.approx({"Scene": 1, "Kerb": 4, "tree": 2, "lamp": 0.8})
    assert growth(grammar) == pytest.approx(0.5)


def test_expected_counts_agree_with_samples() -> None:
    grammar = world("Scene -> Part * poisson(3)\nPart -> a Part [0.3] | b [0.5] | empty [0.2]\n"
                    "a {}\nb {}")  # fmt: skip
    n = 4000
    uses = np.zeros(len(grammar.rules))
    for i in range(n):
        np.add.at(uses, list(sample_prior(grammar, rng_for(0, i, Stream.SCENE))), 1)
    counts = expected_counts(grammar)
    for rule in grammar.rules:
        if rule.lhs == "Part" and rule.children:
            # 6 standard errors of a count whose variance is at most a few times its mean.
            assert uses[rule.index] / n == pytest.approx(counts[rule.children[0]], abs=0.25)


def test_supercritical_counts_stop_at_the_depth() -> None:
    grammar = world("max_depth 3\nScene -> Scene Scene [0.6] | a [0.4]\na {}")
    assert expected_counts(grammar)["Scene"] == pytest.approx(1 + 1.2 + 1.44 + 1.728)
    assert growth(grammar) == pytest.approx(1.2)


def test_an_explosion_past_the_largest_float_is_still_counted() -> None:
    grammar = world("max_depth 200\nScene -> Scene * poisson(1e12) [0.5] | empty [0.5]")
    assert 1e299 < expected_counts(grammar)["Scene"] <= 1e300


def test_a_cycle_through_many_symbols_has_the_right_radius() -> None:
    ring = "".join(
        f"A{i} -> A{(i + 1) % 5} A{(i + 1) % 5} [0.45] | empty [0.55]\n" for i in range(5)
    )
    assert growth(world("Scene -> A0\n" + ring)) == pytest.approx(0.9)
    with pytest.raises(GrammarError, match=r"radius 1\.1\)"):
        world("Scene -> A0\n" + ring.replace("0.45", "0.55", 5).replace("[0.55]\n", "[0.45]\n"))


def test_the_largest_grammars_are_read_in_seconds() -> None:
    grammar = world("max_nodes 100000\nScene -> " + "a " * 90_000 + "\na {}")
    assert math.isclose(expected_counts(grammar)["a"], 90_000)


def test_an_unknown_grammar_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="no grammar is named `no_such_world`"):
        named("no_such_world")


def test_the_language_loads_nothing_heavy() -> None:
    code = (
        "import sys, datagen.language; "
        "print([m for m in ('torch', 'cv2', 'matplotlib', 'celery') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_example_of_the_reference_page_parses() -> None:
    page = (ROOT / "docs" / "scene-language.md").read_text()
    examples = re.findall(r"```scene\n(.*?)```", page, re.DOTALL)
    assert len(examples) >= 3
    for example in examples:
        assert check(parse(example, "docs/scene-language.md")) == []
