"""Grammar -> text -> Grammar loses nothing, and a diff tells what changed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.distributions import (
    Choice,
    Constant,
    Distribution,
    Mixture,
    Normal,
    Poisson,
    Spread,
    Truncated,
    Uniform,
    UniformInt,
)
from datagen.errors import GrammarError
from datagen.grammar import Asset, Attribute, Draw, Grammar, Repeat, Rule, Symbol
from datagen.language import check, diff, load, parse, write
from datagen.rng import Stream, rng_for

ROOT = Path(__file__).parents[1]
SHIPPED = sorted((ROOT / "grammars").glob("*.scene"))
GOOD = sorted((ROOT / "tests" / "scenes" / "good").glob("*.scene"))
HEAD = "world w\ncanvas 64 x 48\nstart Scene\n"

# ------------------------------------------------------------------------------- random grammars

numbers = st.integers(-1000, 1000) | st.floats(-1e6, 1e6)
words = st.text(st.characters(codec="utf-8"), max_size=8)
names = st.sampled_from(["a", "b", "nan", "uniform", "width", "x", "start", "Zebra_9", "inf"])
weights = st.floats(1e-6, 1e6) | st.integers(1, 9).map(float)


def _ordered(kind: type) -> st.SearchStrategy[Distribution]:
    pairs = st.tuples(numbers, numbers).filter(lambda p: p[0] < p[1])
    return pairs.map(lambda p: kind(*p))


def _weighted(kind: type, items: st.SearchStrategy, unique: bool) -> st.SearchStrategy:
    lists = st.lists(items, min_size=1, max_size=4, unique=unique)
    return lists.flatmap(
        lambda values: st.lists(weights, min_size=len(values), max_size=len(values)).map(
            lambda w: kind(tuple(values), tuple(w))
        )
    )


@st.composite
def truncated(draw: st.DrawFn) -> Truncated:
    mu, std = draw(numbers), draw(st.floats(1e-3, 1e3))
    return Truncated(Normal(mu, std), mu - std * draw(st.floats(0.1, 3)), mu + std)


normals = st.tuples(numbers, st.floats(1e-6, 1e6)).map(lambda p: Normal(*p))
numeric = (
    numbers.map(Constant)
    | _ordered(Uniform)
    | _ordered(Spread)
    | normals
    | truncated()
    | _weighted(Choice, numbers, unique=True)
)
numeric = numeric | _weighted(Mixture, numeric, unique=False)
texts = (words | names).map(Constant) | _weighted(Choice, words | names | numbers, unique=True)
counts = (
    st.integers(0, 5).map(Constant)
    | st.tuples(st.integers(0, 3), st.integers(3, 6)).map(lambda p: UniformInt(*p))
    | st.floats(0.01, 4).map(Poisson)
    | _weighted(Choice, st.integers(0, 6), unique=True)
)
counts = counts | _weighted(Mixture, counts, unique=False)
attributes = st.one_of(
    st.builds(Attribute, numeric, st.sampled_from(["", "px", "deg", "width"])),
    st.builds(Attribute, texts),
)
keys = names.filter(lambda name: name not in ("x", "width"))


@st.composite
def symbols(draw: st.DrawFn, name: str) -> Symbol:
    painters = names.filter(lambda n: n not in ("nan", "inf")).map(Draw)
    painter = draw(st.none() | painters | words.map(lambda label: Draw("pack", label)))
    category = draw(st.none() | words.filter(lambda w: bool(w.strip())))
    return Symbol(name, category, painter, draw(st.dictionaries(keys, attributes, max_size=3)))


def _probabilities(draw: st.DrawFn, n: int) -> list[float]:
    if draw(st.booleans()):
        return [1.0 / n] * n
    raw = [draw(st.floats(0.01, 1)) for _ in range(n)]
    return [w / sum(raw) for w in raw]


@st.composite
def grammars(draw: st.DrawFn) -> Grammar:
    """Layered, hence finite: the children of layer k stand in layers above k."""
    depth = draw(st.integers(1, 3))
    layers = ["Scene", *(f"N{k}" for k in range(1, depth)), "leaf", "dot"]
    rules: list[Rule] = []
    repeats: dict[str, Repeat] = {}
    for k, lhs in enumerate(layers[:depth]):
        right = [_children(draw, layers[k + 1 :]) for _ in range(draw(st.integers(1, 3)))]
        for items, weight in zip(right, _probabilities(draw, len(right)), strict=True):
            _add(rules, repeats, lhs, items, weight)
    table = {name: draw(symbols(name)) for name in draw(st.permutations(layers))}
    return Grammar(
        world=draw(words | names),
        canvas=(draw(st.integers(8, 8192)), draw(st.integers(8, 8192))),
        start="Scene",
        rules=tuple(rules),
        symbols=table,
        repeats=repeats,
        assets={"pack": Asset("pack", "sprites", draw(words))},
        max_depth=draw(st.sampled_from([64, 40])),
        max_nodes=draw(st.sampled_from([100_000, 50_000])),
    )


def _children(draw: st.DrawFn, below: list[str]) -> list[tuple[str, Distribution | None]]:
    item = st.tuples(st.sampled_from(below), st.none() | counts)
    return draw(st.lists(item, max_size=3))


def _add(
    rules: list[Rule],
    repeats: dict[str, Repeat],
    lhs: str,
    items: list[tuple[str, Distribution | None]],
    weight: float,
) -> None:
    children, runs, index = [], [], len(rules)
    for name, count in items:
        child = name
        if count is not None:
            n = sum(r.item == name for r in repeats.values()) + 1
            child = f"{name}*" if n == 1 else f"{name}*{n}"
            more = index + 1 + len(runs)
            repeats[child] = Repeat(child, name, count, more, more + 1)
            runs += [Rule(more, child, (name, child), 1.0), Rule(more + 1, child, (), 1.0)]
        children.append(child)
    rules += [Rule(index, lhs, tuple(children), weight), *runs]


@settings(max_examples=250, deadline=None)
@given(grammars())
def test_what_is_written_is_read_back_equal(grammar: Grammar) -> None:
    again = parse(write(grammar))
    assert again == grammar
    assert again.categories == grammar.categories
    assert write(again) == write(grammar)
    assert diff(grammar, again) == "no difference"


@pytest.mark.parametrize("path", [*SHIPPED, *GOOD], ids=lambda path: path.stem)
def test_a_file_survives_the_round_trip(path: Path) -> None:
    grammar = load(path)
    again = parse(write(grammar))
    assert again == grammar
    assert again.categories == grammar.categories
    assert list(again.repeats.values()) == list(grammar.repeats.values())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_grammar_has_no_findings(path: Path) -> None:
    assert [str(f) for f in check(load(path))] == []


def test_numbers_keep_their_kind_and_every_digit() -> None:
    grammar = parse(HEAD + "Scene -> a\na { i: 3 f: 3.0 t: 0.1 s: 1e-7 k: 0.30000000000000004 }")
    laws = parse(write(grammar)).symbols["a"].attributes
    values = [laws[k].distribution.sample(rng_for(0, 0, Stream.SCENE)) for k in "iftsk"]
    assert list(map(repr, values)) == ["3", "3.0", "0.1", "1e-07", "0.30000000000000004"]


def test_numbers_out_of_numpy_are_written_as_plain_numbers() -> None:
    grammar = parse(HEAD + "Scene -> a [0.5] | empty [0.5]\na {}")
    weights = np.array([0.1, 0.9])
    learned = replace(
        grammar,
        rules=tuple(replace(r, weight=w) for r, w in zip(grammar.rules, weights, strict=True)),
    )
    assert "np." not in write(learned)
    assert [r.weight for r in parse(write(learned)).rules] == [0.1, 0.9]


def test_a_long_rule_gets_a_line_for_each_alternative() -> None:
    body = "Scene -> " + " | ".join(f"symbol_{i}" for i in range(12)) + "\n"
    text = write(parse(HEAD + body + "".join(f"symbol_{i} {{}}\n" for i in range(12))))
    assert "\n       | symbol_3\n" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_supercritical_grammar_is_written_with_its_depth() -> None:
    text = HEAD + "max_depth 64\nScene -> Scene Scene [0.6] | a [0.4]\na {}\n"
    assert parse(write(parse(text))) == parse(text)


# ------------------------------------------------------------------------------------------ diff


def changed(old: str, new: str, text: str) -> list[str]:
    return diff(parse(HEAD + text), parse(HEAD + text.replace(old, new))).splitlines()


def test_the_diff_of_probabilities_is_one_aligned_line_for_each_rule() -> None:
    text = "Scene -> a [0.5] | a b [0.25] | empty [0.25]\na {}\nb {}"
    assert changed("a [0.5] | a b [0.25]", "a [0.4] | a b [0.35]", text) == [
        "Scene -> a     0.500 -> 0.400",
        "Scene -> a b   0.250 -> 0.350",
    ]


def test_the_diff_of_a_count_shows_mean_and_table() -> None:
    lines = changed("uniform_int(0, 3)", "choice(1 1, 3 3)", "Scene -> a * uniform_int(0, 3)\na {}")
    assert lines == [
        "Scene -> a*   mean count 1.50 -> 2.50",
        "    count      0     1     2     3",
        "    before 0.250 0.250 0.250 0.250",
        "    after  0.000 0.250 0.000 0.750",
    ]


def test_the_diff_of_a_long_tailed_count_is_cut_with_the_rest_summed() -> None:
    lines = changed("poisson(2)", "poisson(20)", "Scene -> a * poisson(2)\na {}")
    assert lines[-1] == "    above 15: 0.000 -> 0.843"
    assert max(map(len, lines)) <= 110


def test_the_diff_names_attributes_settings_and_symbols() -> None:
    old = "max_nodes 50\nScene -> a\na { x: uniform(0, 1) px category: car }"
    new = "max_nodes 60\nScene -> a\na { x: normal(0, 1) deg y: 3 category: bus }\nb {}"
    assert diff(parse(HEAD + old), parse(HEAD + new)).splitlines() == [
        "max_nodes   50 -> 60",
        "a.category   car -> bus",
        "a.x   uniform(0, 1) px -> normal(0, 1) deg",
        "a.y   none -> 3",
        "b   added",
    ]


def test_the_diff_names_rules_that_came_and_went() -> None:
    lines = changed("| a a", "| a * 2", "Scene -> a | a a\na {}")
    assert lines == [
        "Scene -> a a   0.500 -> none",
        "Scene -> a*    none -> 0.500",
        "a*   none -> 2",
    ]


# ------------------------------------------------------------------------------------------ fuzz

FUZZED = (ROOT / "tests" / "scenes" / "good" / "everything.scene").read_text()
PIECES = [*"(){}[]|*:,#\"'-+=. \n\t\\\0\u2028é", "->", "nan", "inf", "1e999", "-1", "empty", "in",
          "mix(", "choice(", "normal(0, 1)", "canvas", "start", "world w", "asset", "0", "px",
          "uniform_int(0, 4)", "Scene", "Scene ->", "car {", "x: ", "draw: "]  # fmt: skip


@st.composite
def mutations(draw: st.DrawFn) -> str:
    text = FUZZED
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 2, 5, 40]))
        other = draw(st.integers(0, len(FUZZED)))
        insert = draw(st.sampled_from([*PIECES, "", FUZZED[other : other + 20]]))
        text = text[:start] + insert + text[start + length :]
    return text


def read_or_refused(text: str) -> Grammar | GrammarError:
    try:
        return parse(text)
    except GrammarError as error:
        return error


@settings(max_examples=400, deadline=None)
@given(mutations())
def test_a_mutated_grammar_is_read_or_refused_and_nothing_else(text: str) -> None:
    read = read_or_refused(text)
    if isinstance(read, GrammarError):
        lines = text.split("\n")
        assert 1 <= read.line <= len(lines)
        assert 1 <= read.column <= len(lines[read.line - 1]) + 1
    else:
        check(read)
        assert parse(write(read)) == read


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    for source in (text, HEAD + text, HEAD + "Scene -> a\na { " + text + " }"):
        read_or_refused(source)
