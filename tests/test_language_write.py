"""Grammar -> text -> Grammar loses nothing, and a diff tells what changed."""

import math
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
    largest,
    mean_of,
)
from datagen.errors import GrammarError
from datagen.grammar import Asset, Attribute, Draw, Grammar, Mutable, Repeat, Rule, Symbol
from datagen.language import Interval, Intervals, check, diff, load, parse, write, written
from datagen.language.mutability import natural_range
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
densities = _ordered(Uniform) | _ordered(Spread) | normals | truncated()
numeric = numbers.map(Constant) | densities | _weighted(Choice, numbers, unique=True)
densities = densities | _weighted(Mixture, densities, unique=False)
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


@st.composite
def learned(draw: st.DrawFn) -> Attribute:
    """A mutable attribute, with its natural range or one about the mean."""
    law, unit = draw(densities), draw(st.sampled_from(["", "m", "deg", "rad"]))
    span = natural_range(law, unit)
    if unit in ("", "m") and (span is None or draw(st.booleans())):
        span = Mutable(mean_of(law) - draw(st.floats(1e-3, 1e6)), mean_of(law) + 1)
    return Attribute(law, unit, span)


attributes = attributes | learned()
keys = names.filter(lambda name: name not in ("x", "width"))


@st.composite
def symbols(draw: st.DrawFn, name: str) -> Symbol:
    painters = names.filter(lambda n: n not in ("nan", "inf")).map(Draw)
    painter = draw(st.none() | painters | words.map(lambda label: Draw("pack", label)))
    label = draw(words.filter(lambda w: bool(w.strip())))
    category, stuff = draw(st.sampled_from([(None, None), (label, None), (None, f"stuff {label}")]))
    table = draw(st.dictionaries(keys, attributes, max_size=3))
    return Symbol(name, category, painter, table, stuff=stuff)


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


Child = tuple[str, Distribution | None, int | None]  # a symbol, its count, the count's bound


def _children(draw: st.DrawFn, below: list[str]) -> list[Child]:
    item = st.tuples(st.sampled_from(below), st.none() | counts, st.integers(0, 3))
    return [
        (name, count, None if more == 0 else _bound(count, more))
        for name, count, more in draw(st.lists(item, max_size=3))
    ]


def _bound(count: Distribution | None, more: int) -> int | None:
    top = math.inf if count is None else largest(count)
    return int(top) + more if math.isfinite(top) else None


def _add(
    rules: list[Rule],
    repeats: dict[str, Repeat],
    lhs: str,
    items: list[Child],
    weight: float,
) -> None:
    children, runs, index = [], [], len(rules)
    for name, count, most in items:
        child = name
        if count is not None:
            n = sum(r.item == name for r in repeats.values()) + 1
            child = f"{name}*" if n == 1 else f"{name}*{n}"
            more = index + 1 + len(runs)
            repeats[child] = Repeat(child, name, count, more, more + 1, most)
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


# -------------------------------------------------------------------------------------- comments

SURE = Intervals(
    rules={0: Interval(0.5, 0.4, 0.6), 3: Interval(0.5, 0.4, 0.6)},
    counts={"a*": Interval(1.5, 1.25, 1.75)},
    shares={"a*": {0: Interval(0.25, 0.2, 0.3), 3: Interval(0.75, 0.7, 0.8)}},
    means={("a", "x"): Interval(32, 30.04, 33.96)},
    spreads={("a", "x"): Interval(4, 3.5, 4.5)},
)
LEARNED = (
    "Scene -> a * uniform_int(0, 3) [0.25] | a [0.75]\na { x: normal(32, 4) px mutable [0, 64] }"
)


def test_intervals_stand_behind_what_they_belong_to() -> None:
    grammar = parse(HEAD + LEARNED)
    text = written(grammar, ["One.", "Two."], SURE)
    assert text.splitlines() == [
        "# One.",
        "# Two.",
        "",
        *HEAD.splitlines(),
        "",
        "Scene -> a * uniform_int(0, 3) [0.25]  # [0.400, 0.600], 1.50 [1.25, 1.75] a on average",
        "       | a [0.75]                      # [0.400, 0.600]",
        "",
        "a {",
        "  x: normal(32, 4) px mutable [0, 64]"
        "  # mean 32.00 [30.04, 33.96], spread 4.00 [3.50, 4.50]",
        "}",
    ]
    assert parse(text) == grammar


def test_an_interval_stands_above_a_line_that_is_long() -> None:
    count = "choice(" + ", ".join(f"{n} 0.0{n}1" for n in range(9)) + ", 9 0.6)"
    grammar = parse(HEAD + f"Scene -> a * {count}\na {{}}")
    lines = written(grammar, [], SURE).splitlines()
    assert lines[4:6] == [
        "# [0.400, 0.600], 1.50 [1.25, 1.75] a on average",
        f"Scene -> a * {count}",
    ]
    assert parse("\n".join(lines)) == grammar


def test_without_notes_and_intervals_nothing_is_added() -> None:
    grammar = load(ROOT / "tests" / "scenes" / "good" / "everything.scene")
    assert written(grammar, []) == write(grammar)
    assert written(grammar, [], Intervals()) == write(grammar)


@given(grammars(), st.lists(st.text(max_size=300), max_size=3))
@settings(max_examples=40, deadline=None)
def test_whatever_the_notes_say_the_grammar_is_read_back(
    grammar: Grammar, notes: list[str]
) -> None:
    text = written(grammar, notes, SURE)
    assert parse(text) == grammar


def test_long_notes_are_wrapped_and_stay_comments() -> None:
    grammar = parse(HEAD + LEARNED)
    lines = written(grammar, ["word " * 60 + "\nworld other\x00"]).splitlines()
    notes = lines[: lines.index("")]
    assert len(notes) == 4
    assert all(line.startswith("# ") and len(line) <= 100 for line in notes)
    assert parse("\n".join(lines)) == grammar


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


def test_the_diff_names_what_may_be_learned() -> None:
    old = "Scene -> a * 3\na { x: normal(1, 1) px }"
    new = "Scene -> a * 3 max 4\na { x: normal(1, 1) px mutable [0, 9] }"
    assert diff(parse(HEAD + old), parse(HEAD + new)).splitlines() == [
        "Scene -> a*   max none -> 4",
        "a.x   normal(1, 1) px -> normal(1, 1) px mutable [0, 9]",
    ]


def test_a_range_is_only_written_where_a_bare_mutable_would_mean_another() -> None:
    text = (
        "a { x: uniform(0, 8) px mutable  y: uniform(0, 8) px mutable [0, 9]  "
        "yaw: normal(0, 1) in [-3, 3] deg mutable [-180, 180]  z: normal(0, 1) rad mutable }"
    )
    assert write(parse(HEAD + "Scene -> a * 2 max 2\n" + text)).splitlines()[4:] == [
        "Scene -> a * 2 max 2",
        "",
        "a {",
        "  x: uniform(0, 8) px mutable",
        "  y: uniform(0, 8) px mutable [0, 9]",
        "  yaw: normal(0, 1) deg in [-3, 3] mutable",
        "  z: normal(0, 1) rad mutable",
        "}",
    ]


def test_the_diff_shows_the_intervals_of_what_was_learned() -> None:
    before = parse(HEAD + LEARNED)
    after = LEARNED.replace("uniform_int(0, 3)", "choice(0 1, 3 3)").replace(
        "normal(32, 4)", "normal(8, 2)"
    )
    after = after.replace("[0.25]", "[0.5]").replace("[0.75]", "[0.5]")
    assert diff(before, parse(HEAD + after), SURE).splitlines() == [
        "Scene -> a*   0.250 -> 0.500 [0.400, 0.600]",
        "Scene -> a    0.750 -> 0.500 [0.400, 0.600]",
        "Scene -> a*   mean count 1.50 -> 2.25 [1.25, 1.75]",
        "    count      0     1     2     3",
        "    before 0.250 0.250 0.250 0.250",
        "    after  0.250 0.000 0.000 0.750",
        "    from   0.200 0.000 0.000 0.700",
        "    to     0.300 0.000 0.000 0.800",
        "a.x   normal(32, 4) px -> normal(8, 2) px",
        "    mean 32.00 [30.04, 33.96], spread 4.00 [3.50, 4.50] px",
    ]


def test_an_alternative_that_is_written_twice_has_no_interval_of_one_half() -> None:
    text = "Scene -> a [0.2] | b [0.5] | a [0.3]\na {}\nb {}"
    after = parse(HEAD + text.replace("0.5", "0.4").replace("0.3", "0.4"))
    sure = Intervals(rules={k: Interval(0.4, 0.3, 0.5) for k in range(3)})
    assert diff(parse(HEAD + text), after, sure).splitlines() == [
        "Scene -> a   0.500 -> 0.600",
        "Scene -> b   0.500 -> 0.400 [0.300, 0.500]",
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
          "uniform_int(0, 4)", "Scene", "Scene ->", "car {", "x: ", "draw: ",
          "max", "max 4", "mutable", "mutable [0, 9]"]  # fmt: skip


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


def test_a_change_of_stuff_is_told():
    old, new = "Scene -> a\na { stuff: road }", "Scene -> a\na { category: car }"
    lines = diff(parse(HEAD + old), parse(HEAD + new)).splitlines()
    assert lines == ["a.category   none -> car", "a.stuff   road -> none"]
