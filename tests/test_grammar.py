"""The grammar as data: tables to index by, laws ready for drawing, and nothing that changes."""

import math
from dataclasses import FrozenInstanceError, replace

import pytest

from datagen.distributions import Constant, Uniform, UniformInt
from datagen.grammar import Attribute, Draw, Grammar, Repeat, Rule, Symbol


def grammar() -> Grammar:
    """S -> bg A* | A; A -> red [0.25] | blue [0.75]"""
    rules = (
        Rule(0, "S", ("bg", "A*"), 0.5),
        Rule(1, "A*", ("A", "A*"), 1.0),
        Rule(2, "A*", (), 1.0),
        Rule(3, "S", ("A",), 0.5),
        Rule(4, "A", ("red",), 0.25),
        Rule(5, "A", ("blue",), 0.75),
    )
    symbols = {
        "S": Symbol("S"),
        "bg": Symbol("bg", draw=Draw("ground")),
        "blue": Symbol("blue", "water", Draw("lake")),
        "A": Symbol("A"),
        "red": Symbol("red", "car", Draw("digits", "7")),
        "pink": Symbol("pink", "car"),
    }
    repeats = {"A*": Repeat("A*", "A", UniformInt(0, 3), 1, 2)}
    return Grammar("w", (64, 48), "S", rules, symbols, repeats, digest="abc")


def test_rules_are_found_by_their_left_side_in_file_order():
    of = grammar().rules_of
    assert {name: [rule.index for rule in rules] for name, rules in of.items()} == {
        "S": [0, 3],
        "A*": [1, 2],
        "A": [4, 5],
    }


def test_the_mask_of_a_symbol_is_its_rules():
    assert grammar().allowed("S") == (0, 3)
    assert grammar().allowed("A*") == (1, 2)


def test_a_terminal_has_no_rules():
    g = grammar()
    assert [name for name in (*g.symbols, "A*") if g.is_terminal(name)] == [
        "bg",
        "blue",
        "red",
        "pink",
    ]


def test_categories_are_named_once_in_the_order_of_the_file():
    assert grammar().categories == ("water", "car")


def test_a_drawing_is_named_by_painter_and_label():
    symbols = grammar().symbols
    assert [symbols[name].asset for name in ("bg", "red", "A")] == ["ground", "digits:7", None]


def test_places_and_the_digest_do_not_make_grammars_different():
    g = grammar()
    moved = replace(g, rules=tuple(replace(r, line=9, column=9) for r in g.rules), digest="xyz")
    assert moved == g
    assert replace(g, max_depth=9) != g


def test_a_changed_copy_has_its_own_tables():
    g = grammar()
    assert len(g.rules_of["S"]) == 2
    assert "S" not in replace(g, rules=g.rules[4:]).rules_of


def test_laws_bring_values_to_base_units_and_keep_their_order():
    turn, size = Uniform(0, 90), Constant(5)
    symbol = Symbol(
        "car",
        attributes={
            "yaw": Attribute(turn, "deg"),
            "size": Attribute(size, "cm"),
            "x": Attribute(turn, "width"),
            "name": Attribute(Constant("a")),
        },
    )
    assert [law.name for law in symbol.laws] == ["yaw", "size", "x", "name"]
    assert [law.distribution for law in symbol.laws] == [turn, size, turn, Constant("a")]
    assert symbol.laws[0].factor == pytest.approx(math.pi / 180)
    assert [law.factor for law in symbol.laws[1:]] == [0.01, 1.0, 1.0]
    assert [law.relative for law in symbol.laws] == [None, None, "width", None]


@pytest.mark.parametrize(
    ("names", "placed", "extents"),
    [
        ((), False, False),
        (("colour", "size"), False, False),
        (("layer",), True, False),
        (("z",), True, False),
        (("colour", "gap", "height"), True, True),
    ],
)
def test_a_symbol_knows_whether_it_has_a_place_and_extents(names, placed, extents):
    symbol = Symbol("s", attributes={name: Attribute(Constant(1)) for name in names})
    assert (symbol.is_placed, symbol.has_extents) == (placed, extents)


def test_nothing_can_be_changed():
    with pytest.raises(FrozenInstanceError):
        grammar().start = "A"  # type: ignore[misc]


def test_stuff_is_listed_in_the_order_of_the_file_and_is_no_category():
    symbols = {
        name: Symbol(name, stuff=stuff)
        for name, stuff in zip("abc", ["sky", "road", "sky"], strict=True)
    }
    stuffed = replace(grammar(), symbols=symbols)
    assert stuffed.stuffs == ("sky", "road")
    assert stuffed.categories == ()
