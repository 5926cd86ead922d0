"""Derivations in and out of tensors; strings that do not end are drawn again and counted."""

import re

import pytest
import torch
from structures import FINITE, HEAD, opinionated, rng

from datagen.derivation import sample_prior
from datagen.errors import InputError
from datagen.language import named, parse
from datagen.learning.strings import draw, pad, prior_strings
from datagen.rng import Stream, rng_for

CHAIN = HEAD + "S -> a * uniform_int(0, 3)\na {}"


def ending(probability, max_steps):
    """A model of CHAIN that stops with this probability at every step, whatever came before."""
    model = opinionated(parse(CHAIN), max_steps, gain=0.0)
    with torch.no_grad():
        model.head.bias[2] = torch.logit(torch.tensor(probability))
    return model


def test_padding_and_derivations_are_inverse():
    model = opinionated(parse(FINITE))
    drawn = draw(model, 50, rng())
    back = pad(drawn.derivations(model), model.max_steps, model.tables.rules)
    assert torch.equal(drawn.rules, back)


def test_padding_fills_each_row_to_the_same_length():
    assert pad([(0, 2), (), (1, 1, 1)], 3, 7).tolist() == [[0, 2, 7], [7, 7, 7], [1, 1, 1]]


def test_all_drawn_strings_end():
    model = ending(0.3, 4)
    drawn = draw(model, 300, rng())
    assert all(d[0] == 0 and d[-1] == 2 for d in drawn.derivations(model))
    assert {len(d) for d in drawn.derivations(model)} == {2, 3, 4}


def test_failures_are_geometric():
    # A string fails when three steps in a row say "one more": 0.7 ** 3.
    failures = draw(ending(0.3, 4), 4000, rng()).failures.double()
    fails = 0.7**3
    assert float((failures > 0).double().mean()) == pytest.approx(fails, abs=0.03)
    assert float(failures.mean()) == pytest.approx(fails / (1 - fails), abs=0.05)


def test_drawing_again_gives_the_law_of_the_strings_that_end():
    model = ending(0.3, 4)
    lengths = torch.tensor([len(d) for d in draw(model, 6000, rng()).derivations(model)])
    law = torch.tensor([0.3, 0.7 * 0.3, 0.49 * 0.3])
    seen = torch.bincount(lengths, minlength=5)[2:] / len(lengths)
    torch.testing.assert_close(seen, law / law.sum(), rtol=0, atol=0.025)


def test_a_model_that_never_ends_is_refused_with_a_remedy():
    words = re.compile(r"did not end 5 of 5 scenes within 6 rules .*raise learn\.max_steps")
    with pytest.raises(InputError, match=words):
        draw(ending(1e-30, 6), 5, rng())


def test_no_failures_when_the_steps_suffice():
    assert draw(opinionated(parse(FINITE)), 100, rng()).failures.tolist() == [0] * 100


def test_the_generator_alone_decides():
    model = opinionated(named("aerial"), 40, latents=2)
    a, b, c = (draw(model, 20, rng(k)) for k in (0, 0, 1))
    assert torch.equal(a.rules, b.rules)
    assert not torch.equal(a.rules, c.rules)


def test_prior_strings_are_numbered_and_come_from_the_prior():
    grammar = named("multi_mnist")
    whole = prior_strings(grammar, 3, 0, 12)
    assert whole == prior_strings(grammar, 3, 0, 5) + prior_strings(grammar, 3, 5, 7)
    assert whole != prior_strings(grammar, 4, 0, 12)
    assert whole[2] == sample_prior(grammar, rng_for(3, 2, Stream.STRINGS))
