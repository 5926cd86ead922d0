"""What is advised: the rule, the grammar that follows it, and the curve of more pictures."""

import math
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structures import rng

from datagen import language, recipe
from datagen.advising.amounts import RULE, SYMBOL, UNDER, Key, amounts
from datagen.advising.budget import Curve, budget
from datagen.advising.evaluations import Evaluation, Slice
from datagen.advising.levers import levers, moved, with_mean
from datagen.advising.reweighting import counted, reweighted
from datagen.advising.wishes import LEAST, MOST, wishes
from datagen.advising.words import gain_text, uncontrolled
from datagen.advising.writing import as_toml
from datagen.derivation import log_prob, sample_prior
from datagen.distributions import (
    Choice,
    Constant,
    Mixture,
    Poisson,
    UniformInt,
    largest,
    mean_of,
    smallest,
)
from datagen.errors import InputError
from datagen.language import expected_counts, expected_things, growth, parse, write
from datagen.plugins import names

HEAD = "world w\ncanvas 64 x 48\nstart S\n"
STREET = HEAD + (
    "S -> Side * uniform_int(1, 2) Lane\n"
    "Side -> person * uniform_int(0, 4) sign * poisson(1.5)\n"
    "Lane -> Parked * uniform_int(0, 6)\n"
    "Parked -> Car [0.9] | van [0.1]\n"
    "Car -> small [0.7] | large [0.3]\n"
    + "".join(
        f'{name} {{ category: "{kind}" }}\n'
        for name, kind in [
            ("person", "person"), ("sign", "sign"), ("small", "car"), ("large", "car"),
            ("van", "van"),
        ]
    )
)  # fmt: skip


def symbols(**factors: float) -> dict[Key, float]:
    return {Key(SYMBOL, name): factor for name, factor in factors.items()}


def found(label: str, things: int, recall: float | None, factor: str = SYMBOL) -> Slice:
    return Slice(factor, label, things, recall, recall)


def evaluation(trained_on: int | None, ap50: float | None, things: int = 3000) -> Evaluation:
    one = (Slice(SYMBOL, "car", things, ap50, ap50),)
    return Evaluation(Path("eval"), "run", "city", 300, trained_on, ("car",), ap50, one)


# -------------------------------------------------------------------------------------- the rule


def test_what_is_missed_by_more_than_its_share_of_what_is_made_is_wished_more_often():
    made = {Key(SYMBOL, "car"): 8.0, Key(SYMBOL, "person"): 2.0}
    slices = [found("car", 800, 0.9), found("person", 200, 0.4)]
    by = {one.key.label: one for one in wishes(slices, made, 1.0)}
    assert by["person"].missed == pytest.approx(120)
    assert by["person"].share_missed == pytest.approx(0.6)
    assert by["person"].share_made == pytest.approx(0.2)
    assert by["person"].factor == pytest.approx(3 ** (2 / 3))
    assert by["car"].factor == 1.0


def test_strength_0_wishes_nothing_and_much_strength_is_bounded():
    made = {Key(SYMBOL, "car"): 8.0, Key(SYMBOL, "person"): 2.0}
    slices = [found("car", 800, 0.9), found("person", 200, 0.4)]
    assert all(one.factor == 1.0 for one in wishes(slices, made, 0.0))
    assert max(one.factor or 0 for one in wishes(slices, made, 3.0)) == MOST


def test_what_cannot_be_used_says_why_and_takes_no_part_in_the_shares():
    made = {Key(SYMBOL, n): 1.0 for n in ("car", "person", "few", "blank")} | {
        Key(SYMBOL, "never"): 0.0
    }
    slices = [
        found("car", 100, 0.5), found("person", 100, 0.5), found("few", LEAST - 1, 0.0),
        found("blank", 100, None), found("never", 900, 0.1), found("tram", 900, 0.1),
        found("nothing", 0, None),
    ]  # fmt: skip
    by = {one.key.label: one for one in wishes(slices, made, 1.0)}
    assert by["car"].share_missed == 0.5
    assert "fewer than 30" in by["few"].why
    assert "not measured" in by["blank"].why
    assert "never makes" in by["never"].why
    assert "no symbol" in by["tram"].why
    assert "nothing" not in by


def test_nothing_that_can_be_used_is_an_error_with_a_remedy():
    with pytest.raises(InputError, match=r"tram: .*--recipe"):
        wishes([found("tram", 900, 0.1)], {}, 1.0)


def test_where_nothing_is_missed_nothing_is_wished():
    made = {Key(SYMBOL, "car"): 8.0, Key(SYMBOL, "person"): 2.0}
    slices = [found("car", 800, 1.0), found("person", 200, 1.0)]
    assert all(one.factor == 1.0 for one in wishes(slices, made, 1.0))


# ----------------------------------------------------------------------------------- the grammar


def test_a_rare_symbol_is_made_more_often_and_all_others_stay():
    grammar = parse(STREET)
    proposal = reweighted(grammar, symbols(van=2.5, small=1.0, large=1.0, person=1.0, sign=1.0))
    ratio = {name: proposal.made_after[name] / proposal.made[name] for name in ("van", "small")}
    assert ratio["van"] == pytest.approx(2.5, rel=0.05)
    for name in ("small", "large", "person", "sign"):
        assert proposal.made_after[name] == pytest.approx(proposal.made[name], rel=0.03), name
    assert proposal.exact
    assert proposal.held_back == 1.0


def test_a_wish_by_rule_moves_where_things_stand():
    grammar = parse(
        HEAD + "S -> Near * uniform_int(0, 6) Far * uniform_int(0, 6)\nNear -> car\nFar -> car\n"
        'car { category: "car" }\n'
    )
    assert reweighted(grammar, {Key(UNDER, "Far"): 1.0}).after == grammar
    after = reweighted(grammar, {Key(UNDER, "Far"): 1.5}).after
    before = amounts(grammar)
    assert amounts(after)[Key(UNDER, "Far")] > 1.2 * before[Key(UNDER, "Far")]
    assert amounts(after)[Key(UNDER, "Near")] < before[Key(UNDER, "Near")]


def test_the_amounts_are_those_of_the_language():
    grammar = parse(STREET)
    found_amounts = amounts(grammar)
    for name, count in expected_counts(grammar).items():
        assert found_amounts[Key(SYMBOL, name)] == pytest.approx(count)
    things = expected_things(grammar)
    parked = things["car"] + things["van"]
    assert found_amounts[Key(UNDER, "Lane")] == pytest.approx(parked)
    assert found_amounts[Key(UNDER, "S")] == pytest.approx(sum(things.values()))
    assert found_amounts[Key(RULE, "Parked -> van")] == pytest.approx(0.1 * parked)
    assert found_amounts[Key(RULE, "Side -> person* sign*")] == pytest.approx(
        things["person"] + things["sign"]
    )


def tells(grammar, lever, kinds) -> bool:
    """Does a lever change how many of these there are? Where each stands once, none does."""
    pulled = expected_counts(moved(grammar, {lever.of: lever.high}))
    return any(abs(pulled[n] - expected_counts(grammar)[n]) > 1e-9 for n in kinds)


@pytest.mark.parametrize("name", sorted(names("grammars")))
def test_any_wish_for_a_shipped_grammar_gives_one_that_can_be_written_and_ends(name):
    grammar = language.named(name)
    kinds = [n for n, s in grammar.symbols.items() if s.category and expected_counts(grammar)[n]]
    factors = {Key(SYMBOL, kinds[0]): MOST, Key(SYMBOL, kinds[-1]): 2.0}
    after = reweighted(grammar, factors).after
    assert parse(write(after)) == after
    useful = [one for one in levers(grammar, frozenset(kinds)) if tells(grammar, one, kinds)]
    assert after != grammar or not useful
    assert growth(after) < 1
    assert sum(expected_counts(after).values()) <= grammar.max_nodes
    for old, new in zip(grammar.rules, after.rules, strict=True):
        assert old.weight / MOST - 1e-3 <= new.weight <= old.weight * MOST + 1e-3
    for symbol, repeat in grammar.repeats.items():
        means = mean_of(repeat.count), mean_of(after.repeats[symbol].count)
        assert means[0] / MOST - 1e-3 <= means[1] <= means[0] * MOST + 1e-3
        assert largest(after.repeats[symbol].count) == largest(repeat.count)
        assert smallest(after.repeats[symbol].count) == smallest(repeat.count)
    strings = [sample_prior(after, rng(k)) for k in range(20)]
    assert all(log_prob(grammar, one) > -math.inf for one in strings), "no scene is a new kind"


def test_recursion_is_held_back_where_it_would_not_end():
    grammar = parse(
        HEAD + 'S -> Row\nRow -> car Row Row [0.49] | empty [0.51]\ncar { category: "car" }\n'
    )
    proposal = reweighted(grammar, symbols(car=3.0))
    assert growth(proposal.after) < 1
    assert sum(expected_counts(proposal.after).values()) <= grammar.max_nodes
    assert 0 <= proposal.held_back < 1


def test_what_lies_deeper_than_any_scene_is_no_thing_to_keep():
    grammar = parse(
        HEAD.replace("start", "max_depth 2\nstart")
        + "S -> A * uniform_int(0, 4)\nA -> car [0.9] | B [0.1]\nB -> C\nC -> bus\n"
        'car { category: "car" }\nbus { category: "bus" }\n'
    )
    assert expected_counts(grammar)["bus"] > 0 == amounts(grammar)[Key(SYMBOL, "bus")]
    assert amounts(reweighted(grammar, symbols(car=1.5)).after)[Key(SYMBOL, "car")] > 2


def test_a_cap_on_nodes_is_kept_to():
    grammar = parse(
        HEAD.replace("start", "max_nodes 40\nstart")
        + 'S -> car * poisson(28)\ncar { category: "car" }\n'
    )
    proposal = reweighted(grammar, symbols(car=3.0))
    assert not proposal.exact, "some scenes are cut off: they are sampled"
    assert proposal.held_back < 1
    assert proposal.made_after["car"] < 40


def test_sampled_counts_come_near_the_exact_ones():
    grammar = parse(STREET)
    exact, sampled = (counted(grammar, exact=one) for one in (True, False))
    for name, count in exact.items():
        assert sampled[name] == pytest.approx(count, rel=0.1, abs=0.1), name


def test_however_the_levers_stand_no_probability_changes_by_more_than_the_most():
    grammar = parse(STREET)
    free = [one for one in levers(grammar, frozenset(["van"])) if isinstance(one.of, int)]
    assert len(free) == 2
    for raised in free:
        values = {one.of: one.high if one is raised else one.low for one in free}
        for old, new in zip(grammar.rules, moved(grammar, values).rules, strict=True):
            assert old.weight / MOST - 1e-6 <= new.weight <= old.weight * MOST + 1e-6


def test_a_grammar_without_any_choice_stays_as_it_is():
    grammar = parse(HEAD + 'S -> car * 2 tree\ncar { category: "c" }\ntree { category: "t" }\n')
    assert reweighted(grammar, symbols(car=3.0)).after == grammar


LAWS = [
    UniformInt(0, 6),
    UniformInt(2, 4),
    Choice((0, 5, 1), (1.0, 0.5, 2.0)),
    Poisson(3.0),
    Mixture((Poisson(2.0), UniformInt(0, 6)), (1.0, 3.0)),
    Mixture((Constant(0), Constant(8)), (1.0, 1.0)),
]


@pytest.mark.parametrize("law", LAWS, ids=str)
@given(way=st.floats(-0.5, 0.5))
def test_a_count_gets_the_mean_that_is_asked_for_within_its_support(law, way):
    mean = mean_of(law)
    end = min(largest(law), 3 * mean) if way > 0 else smallest(law)
    asked = mean + abs(way) * (end - mean)
    after = with_mean(law, asked)
    assert mean_of(after) == pytest.approx(asked, rel=2e-3, abs=2e-3)
    assert (smallest(after), largest(after)) == (smallest(law), largest(law))


# ------------------------------------------------------------------------------------ the recipe


def test_a_recipe_comes_back_from_its_toml(write_recipe, tmp_path):
    world = """
        world "a \\"b\\""
        canvas 48 x 32
        start Scene
        asset digits: sprites "strokes"
        Scene -> ground three * uniform_int(1, 3)
        ground { draw: ground }
        three { draw: digits("3")  category: "3"  x: 9 px  y: 9 px  size: 9 px }
    """
    settings = """
        count = 7
        seed = 3
        passes = ["class"]
        canvas = [64, 40]
        [[renderers]]
        use = "raster"
        noise = 1.5
        [learn]
        seed = 4
        [learn.features]
        width = 6
        [train]
        steps = 12
        [train.categories]
        "a \\" digit" = ["3"]
    """
    before = recipe.load(write_recipe(world, settings))
    (tmp_path / "proposed.scene").write_text(before.grammar.text)
    text = as_toml(before, "proposed.scene", ["a remark"])
    assert text.startswith("# a remark\n")
    assert tomllib.loads(text)["renderers"] == [{"use": "raster", "noise": 1.5}]
    (tmp_path / "recipe.toml").write_text(text)
    after = recipe.load(tmp_path / "recipe.toml")
    name = before.grammar.model_copy(update={"name": "proposed"})
    assert after == before.model_copy(update={"grammar": name})


# --------------------------------------------------------------------------------- more pictures


def test_the_curve_is_found_again_and_its_interval_holds_the_truth():
    truth = Curve(0.6, 2.0, 0.35)
    ns = [500, 1000, 2000, 5000, 10_000, 20_000]
    said = budget([evaluation(n, truth.at(n)) for n in ns])
    assert said["curve"]["a"] == pytest.approx(0.6, abs=0.01)
    assert said["curve"]["c"] == pytest.approx(0.35, abs=0.03)
    gain = said["gains"][0]
    expected = truth.at(30_000) - truth.at(20_000)
    assert (gain["more"], gain["pictures"]) == (10_000, 30_000)
    assert gain["gain"] == pytest.approx(expected, abs=2e-3)
    assert gain["low"] <= expected <= gain["high"]
    assert gain["high"] - gain["low"] < 0.05


@pytest.mark.parametrize("ns", [[1000, 2000, 5000, 10_000], [1000, 3000, 10_000]], ids=len)
def test_the_interval_holds_the_truth_in_nearly_all_noisy_experiments(ns):
    """Of three points, which any curve meets, by the noise of the evaluated things alone."""
    truth, draws = Curve(0.6, 2.0, 0.35), rng(1)
    expected = truth.at(20_000) - truth.at(10_000)
    held = 0
    for _ in range(20):
        values = [truth.at(n) + 0.009 * float(draws.standard_normal()) for n in ns]
        said = budget([evaluation(n, v) for n, v in zip(ns, values, strict=True)])
        held += "gains" in said and (
            said["gains"][0]["low"] <= expected <= said["gains"][0]["high"]
        )
    assert held >= 17


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([(500, 0.3), (1000, 0.35)], "at least 3"),
        ([(500, 0.3), (500, 0.31), (500, 0.32)], "at least 3"),
        ([(None, 0.3), (None, 0.31), (None, 0.32)], "at least 3"),
        ([(500, None), (1000, 0.35), (2000, 0.4)], "at least 3"),
        ([(500, 0.5), (1000, 0.49), (2000, 0.48)], "does not grow"),
        ([(500, 0.3), (1000, 0.1), (2000, 0.55)], "points from the nearest curve"),
    ],
)
def test_where_there_is_no_curve_it_says_so(rows, word):
    said = budget([evaluation(n, value) for n, value in rows])
    assert word in said["why"]
    assert "gains" not in said


def test_a_gain_that_is_not_known_is_not_invented():
    said = budget([evaluation(n, v, 60) for n, v in [(250, 0.30), (500, 0.36), (1000, 0.41)]])
    far = said["gains"][-1]
    assert far["more"] == 10_000
    assert far["gain"] is None
    assert gain_text(far).startswith("10,000 more images: not known")
    assert gain_text(far | {"gain": 0.004, "low": -0.001, "high": 0.009}) == (
        "10,000 more images: +0.4 (-0.1 to +0.9) points of AP50"
    )


def test_what_no_rule_controls_is_said_in_words():
    far = found("50-80", 500, 0.1, "distance")
    near = found("0-10", 500, 0.9, "distance")
    text = uncontrolled([far, near, found("car", 500, 0.1)])
    assert text.startswith("By distance, metres, 50-80: 10 % found, of all things 50 %;")
    assert "nothing is proposed" in text
    assert uncontrolled([replace(far, things=5), near]) == ""
    assert uncontrolled([replace(far, recall=0.89), near]) == ""
