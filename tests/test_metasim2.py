"""The structure model: what it draws are derivations, and its scores are their probabilities."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from structures import FINITE, HEAD, every_string, opinionated, rng

from datagen import derivation, plugins
from datagen.derivation import parse_tree, sample_prior
from datagen.language import named, parse
from datagen.learning.strings import draw, enough_steps, pad
from datagen.models.metasim2 import rule_tables

ONE_BELOW = float(np.nextafter(np.float32(1), np.float32(0)))
GRAMMARS = plugins.names("grammars")


def uniforms(count, steps, index=0):
    return torch.from_numpy(rng(index).random((count, steps), np.float32))


def no_latent(count):
    return torch.zeros(count, dtype=torch.int64)


# ----------------------------------------------------------------------------------------- tables


def test_tables_of_a_small_grammar_by_hand():
    t = rule_tables(parse(FINITE))
    # S A B are 0 1 2 and "nothing" is 3; rules 0-2 expand S, 3-4 A, 5-7 B, 8 is padding.
    assert (t.rules, t.nothing, t.start) == (8, 3, 0)
    assert t.lhs.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3]
    assert t.pushes.tolist() == [2, 1, 0, 0, 1, 0, 0, 0, 0]
    assert t.push[0].tolist() == [1, 1]
    assert t.push[1].tolist() == [2, 3]
    assert t.push[8].tolist() == [3, 3]
    assert t.last.tolist() == [2, 4, 7, 8]
    assert t.allowed.nonzero().tolist() == [
        [0, 0], [0, 1], [0, 2], [1, 3], [1, 4], [2, 5], [2, 6], [2, 7], [3, 8],
    ]  # fmt: skip


def test_children_are_pushed_last_first():
    t = rule_tables(parse(HEAD + "S -> A x B\nA -> x\nB -> x\nx {}"))
    assert t.push[0].tolist() == [2, 1]


@pytest.mark.parametrize("name", GRAMMARS)
def test_every_rule_is_allowed_for_its_own_symbol_alone(name):
    grammar = named(name)
    t = rule_tables(grammar)
    assert t.rules == len(grammar.rules)
    order: list[str] = []  # the symbol of each state: a repetition with `max` N has N + 1
    for symbol in grammar.rules_of:
        repeat = grammar.repeats.get(symbol)
        order += [symbol] * (1 + ((repeat.most if repeat else None) or 0))
    assert t.nothing == len(order)
    for rule in grammar.rules:
        states = [k for k in range(t.nothing) if t.allowed[k, rule.index]]
        assert {order[k] for k in states} == {rule.lhs}
        repeat = grammar.repeats.get(rule.lhs)
        full = repeat is not None and repeat.most is not None and rule.index == repeat.more
        assert len(states) == order.count(rule.lhs) - full  # none more after `max` items
        assert order[int(t.lhs[rule.index])] == rule.lhs
        inner = [c for c in rule.children if not grammar.is_terminal(c)]
        pushed = t.push[rule.index, : int(t.pushes[rule.index])].tolist()
        assert [order[k] for k in reversed(pushed)] == inner


# --------------------------------------------------------------------------------------- sampling


@pytest.mark.parametrize("name", GRAMMARS)
def test_drawn_strings_are_derivations(name):
    grammar = named(name)
    model = opinionated(grammar, max_steps=64, latents=2)
    strings = model.sample(uniforms(200, 64), torch.arange(200) % 2)
    assert strings.finished.any()
    for row in strings.rules[strings.finished].tolist():
        string = [r for r in row if r < model.tables.rules]
        assert row[len(string) :] == [model.tables.rules] * (64 - len(string))
        parse_tree(grammar, string)  # raises InputError for what is no derivation


def test_deep_recursion_and_wide_rules_keep_their_order():
    grammar = parse(
        HEAD
        + "max_depth 60\nS -> A S B S C [0.3] | A [0.7]\nA -> B C\nB -> C C\nC -> x | y\nx {}\ny {}"
    )
    model = opinionated(grammar, max_steps=200, gain=2.0)
    strings = model.sample(uniforms(300, 200), no_latent(300))
    lengths = set()
    for row in strings.rules[strings.finished].tolist():
        string = [r for r in row if r < model.tables.rules]
        parse_tree(grammar, string)
        lengths.add(len(string))
    assert max(lengths) > 30


@pytest.mark.parametrize("name", GRAMMARS)
def test_a_batch_draws_what_its_rows_draw_alone(name):
    model = opinionated(named(name), max_steps=30, latents=2)
    u, z = uniforms(40, 30), torch.arange(40) % 2
    together = model.sample(u, z)
    alone = [model.sample(u[k : k + 1], z[k : k + 1]) for k in range(40)]
    assert torch.equal(together.rules, torch.cat([s.rules for s in alone]))
    assert torch.equal(together.finished, torch.cat([s.finished for s in alone]))


def test_strings_are_drawn_as_often_as_they_score():
    grammar = parse(FINITE)
    model = opinionated(grammar, latents=3, gain=2.0)
    strings = every_string(grammar)
    law = model.log_prob(pad(strings, 6, model.tables.rules)).exp().detach().double().numpy()
    count = 20_000
    seen = Counter(draw(model, count, rng()).derivations(model))
    assert set(seen) <= set(strings)
    expected = count * law / law.sum()
    found = np.array([seen[s] for s in strings])
    rare = expected < 5  # lumped together
    expected = np.append(expected[~rare], expected[rare].sum())
    found = np.append(found[~rare], found[rare].sum())
    statistic = ((found - expected) ** 2 / np.maximum(expected, 1e-9)).sum()
    assert len(expected) > 8
    assert statistic < chi2.isf(1e-4, len(expected) - 1)


# 1.0 is outside the range: a float64 that was rounded up.
@pytest.mark.parametrize("u", [0.0, ONE_BELOW, 1.0])
@pytest.mark.parametrize("gain", [1.0, 100.0])
@pytest.mark.parametrize("name", GRAMMARS)
def test_masked_rules_are_never_chosen_at_the_edges(name, gain, u):
    grammar = named(name)
    model = opinionated(grammar, max_steps=20, gain=gain)
    strings = model.sample(torch.full((3, 20), u), no_latent(3))
    stack = [grammar.start]
    for index in strings.rules[0].tolist():
        if index == model.tables.rules:
            assert stack == []
            continue
        name = stack.pop()
        assert grammar.rules[index].lhs == name
        inner = [c for c in grammar.rules[index].children if not grammar.is_terminal(c)]
        stack.extend(reversed(inner))
    assert bool(strings.finished[0]) == (stack == [])


@pytest.mark.parametrize("u", [0.0, 0.5, ONE_BELOW])
@pytest.mark.parametrize("never", [0, 1, 2])
def test_a_rule_with_probability_zero_is_never_chosen(never, u):
    grammar = parse(HEAD + "S -> a | b | empty\na {}\nb {}")
    model = opinionated(grammar, gain=1.0)
    with torch.no_grad():
        model.head.bias[never] = -1e4  # exactly 0 after the softmax
    first = model.sample(torch.full((1, 6), u), no_latent(1)).rules[0, 0]
    assert int(first) != never
    assert int(first) < 3


def test_uniforms_choose_by_the_inverse_of_the_distribution_function():
    grammar = parse(HEAD + "S -> a | b | empty\na {}\nb {}")
    model = opinionated(grammar, gain=1.0)
    law = model.log_prob(torch.tensor([[0, 3], [1, 3], [2, 3]])).exp().detach()
    edges = law.cumsum(0)[:2]
    u = torch.stack([edges - 1e-4, edges + 1e-4], 1).reshape(-1, 1)
    assert model.sample(u, no_latent(4)).rules[:, 0].tolist() == [0, 1, 1, 2]


def test_strings_that_do_not_end_in_time_are_flagged():
    grammar = parse(HEAD + "S -> a * uniform_int(0, 3)\na {}")
    model = opinionated(grammar, gain=1.0)
    u = torch.cat([torch.zeros(1, 6), torch.full((1, 6), ONE_BELOW)])
    strings = model.sample(u, no_latent(2))  # always "one more", and "stop" at once
    assert strings.finished.tolist() == [False, True]
    assert strings.rules.tolist() == [[0, 1, 1, 1, 1, 1], [0, 2, 3, 3, 3, 3]]


def test_a_string_of_exactly_t_max_rules_is_finished():
    grammar = parse(HEAD + "S -> A A A\nA -> a\na {}")
    model = opinionated(grammar)
    assert model.sample(uniforms(2, 4), no_latent(2)).finished.tolist() == [True, True]
    assert model.sample(uniforms(2, 3), no_latent(2)).finished.tolist() == [False, False]


@pytest.mark.parametrize("name", GRAMMARS)
def test_t_max_has_room_for_the_prior(name):
    grammar = named(name)
    steps = enough_steps(grammar, 0)
    generator = rng(5)
    lengths = [len(sample_prior(grammar, generator)) for _ in range(2000)]
    assert max(lengths) <= steps <= 2 * max(lengths) + 2
    assert enough_steps(grammar, 0) == steps


# ---------------------------------------------------------------------------------------- scoring


@pytest.mark.parametrize("latents", [1, 3])
def test_probabilities_of_all_strings_add_up_to_one(latents):
    grammar = parse(FINITE)
    strings = every_string(grammar)
    assert len(strings) == 20
    model = opinionated(grammar, latents=latents)
    scores = model.log_prob(pad(strings, 6, model.tables.rules))
    assert scores.double().exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_a_mixture_of_latents_scores_the_mean_of_its_parts():
    grammar = parse(FINITE)
    rules = pad(every_string(grammar), 6, 8)
    model = opinionated(grammar, latents=3)
    whole = model.log_prob(rules).exp()
    parts = []
    latent = model.latent
    for z in range(3):
        model.latent = latent[z : z + 1]
        parts.append(model.log_prob(rules).exp())
    assert torch.stack(parts).std(0).max() > 0.01  # the latents say different things
    torch.testing.assert_close(whole, torch.stack(parts).mean(0))


@pytest.mark.parametrize("name", GRAMMARS)
def test_what_can_be_derived_has_a_score_and_its_gradient_is_finite(name):
    grammar = named(name)
    generator = rng(2)
    strings = [sample_prior(grammar, generator) for _ in range(30)]
    assert all(np.isfinite(derivation.log_prob(grammar, s)) for s in strings)
    model = opinionated(grammar, max_steps=enough_steps(grammar, 0), gain=1.0)
    scores = model.log_prob(pad(strings, model.max_steps, model.tables.rules))
    assert torch.isfinite(scores).all()
    assert (scores <= 1e-5).all()
    scores.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_padding_scores_nothing():
    grammar = parse(FINITE)
    strings = every_string(grammar)
    model = opinionated(grammar)
    short, long = (model.log_prob(pad(strings, steps, 8)) for steps in (5, 40))
    torch.testing.assert_close(short, long, rtol=1e-5, atol=1e-6)


def test_earlier_rules_change_what_follows():
    # A context-free grammar gives both orders of (3, 4) for the two A the same probability.
    model = opinionated(parse(FINITE))
    one, other = model.log_prob(torch.tensor([[0, 3, 4, 5, 8], [0, 4, 5, 3, 8]]))
    assert abs((one - other).item()) > 0.05


def test_samples_of_a_model_hold_their_score_at_any_scale():
    model = opinionated(named("aerial"), max_steps=60, gain=100.0)
    strings = model.sample(uniforms(20, 60), no_latent(20))
    scores = model.log_prob(strings.rules[strings.finished])
    assert torch.isfinite(scores).all()


# ------------------------------------------------------------------------------------------- max


CAPPED = (
    HEAD
    + """
S -> Road * uniform_int(0, 2) max 2  lamp * uniform_int(0, 1) max 1
Road -> car * uniform_int(0, 1) max 2 | tree
car {} tree {} lamp {}
"""
)


def capped_strings(grammar):
    """Every derivation of CAPPED, by hand: numbers of rules as in the text."""
    more_road, stop_road, more_lamp, stop_lamp, road, more_car, stop_car, tree = range(1, 9)
    bodies = [(road, *[more_car] * n, stop_car) for n in range(3)] + [(tree,)]
    inner = [()] + [(more_road, *a) for a in bodies]
    inner += [(more_road, *a, more_road, *b) for a in bodies for b in bodies]
    lamps = [(stop_lamp,), (more_lamp, stop_lamp)]
    return [(0, *roads, stop_road, *lamp) for roads in inner for lamp in lamps]


@pytest.mark.parametrize("latents", [1, 2])
def test_no_more_than_max_items_have_any_probability(latents):
    grammar = parse(CAPPED)
    strings = capped_strings(grammar)
    for string in strings:
        parse_tree(grammar, string)
    model = opinionated(grammar, max_steps=14, latents=latents)
    scores = model.log_prob(pad(strings, 14, model.tables.rules))
    assert scores.double().exp().sum().item() == pytest.approx(1, abs=1e-5)
    over = model.log_prob(torch.tensor([[0, 1, 8, 1, 8, 1, 8, 2, 4]]))  # three roads
    assert over.item() == -math.inf


def test_sampled_runs_stop_at_their_max():
    grammar = parse(CAPPED)
    model = opinionated(grammar, max_steps=14, gain=3.0)
    strings = model.sample(uniforms(2000, 14), no_latent(2000))
    assert strings.finished.all()  # the longest scene has 13 rules
    found = {tuple(r for r in row if r < 9) for row in strings.rules.tolist()}
    assert found <= set(capped_strings(grammar))
    assert len(found) > 30


def test_how_many_items_there_are_may_decide_alone_what_follows():
    grammar = parse(HEAD + "S -> a * uniform_int(0, 3) max 3\na {}")
    model = opinionated(grammar, max_steps=6)
    law = [0.7, 0.01, 0.19, 0.1]
    states = model.tables.states(torch.tensor([[0, 1, 1, 1, 2]]))[0, 1:]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        for n, state in enumerate(states[:3].tolist()):
            model.by_state.weight[state, 2] = math.log(law[n] / sum(law[n + 1 :]))
    strings = [(0, *[1] * n, 2) for n in range(4)]
    found = model.log_prob(pad(strings, 6, model.tables.rules)).exp()
    np.testing.assert_allclose(found.detach(), law, atol=1e-6)
    drawn = model.sample(uniforms(4000, 6), no_latent(4000)).rules
    lengths = (drawn == 1).sum(1).bincount(minlength=4) / 4000
    np.testing.assert_allclose(lengths, law, atol=0.03)
