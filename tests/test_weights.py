"""Weights of structure and attributes: either comes back alone, and fits its own grammar only."""

import pytest
import refusals
import torch
from rewriting import rewritten
from structures import FINITE, HEAD, rng

from datagen.derivation import sample_prior
from datagen.errors import InputError
from datagen.language import named, parse
from datagen.learning.attributes.moving import mover, new_transformer
from datagen.learning.weights import (
    load_model,
    load_moved,
    new_model,
    save_model,
    structure_digest,
)
from datagen.placement import expand
from datagen.settings.learn import Learn

LEARN = Learn(hidden=8, embedding=4, latents=2)


@pytest.fixture
def grammar():
    return parse(FINITE)


@pytest.fixture
def saved(tmp_path, grammar):
    """The file of a structure model."""
    path = tmp_path / "model.safetensors"
    save_model(path, grammar, LEARN, new_model(grammar, LEARN, 7))
    return path


def refused(path, grammar, *words):
    with refusals.refused(path.name, *words):
        load_model(path, grammar)


def refused_with(path, grammar, structure, *words):
    """The same file, but with these entries of the structure's part of its header."""
    bad = rewritten(path, path.with_name("bad.safetensors"), {"structure": structure})
    refused(bad, grammar, *words)


def test_a_structure_alone_leaves_attributes_to_the_prior(saved, grammar):
    model = load_model(saved, grammar)
    assert model.moved is None
    assert model.structure.max_steps == 7


@pytest.mark.parametrize("name", ["aerial", "multi_mnist"])
def test_shipped_worlds_can_be_saved(tmp_path, name):
    grammar, path = named(name), tmp_path / "m.safetensors"
    save_model(path, grammar, LEARN, new_model(grammar, LEARN, 20))
    load_model(path, grammar)
    refused(path, named("colored_shapes"), name, "colored_shapes", structure_digest(grammar))


# ---------------------------------------------------------------------------------- the grammar


def test_the_structure_is_start_and_rules_and_nothing_else(grammar):
    reweighted = parse(FINITE.replace("0.6", "0.1").replace("0.4", "0.9"))
    moved = parse(FINITE.replace("64 x 48", "32 x 32") + "c { x: 3 px }\n".replace("c", "d"))
    assert structure_digest(grammar) == structure_digest(reweighted) == structure_digest(moved)
    assert len(structure_digest(grammar)) == 16


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A a A", "A A a"),
        ("b b [0.5]", "b [0.5]"),
        ("start S", "start A"),
        ("| empty [0.3]", "| a a [0.3]"),
    ],
)
def test_weights_of_another_structure_are_refused(saved, before, after):
    other = parse(FINITE.replace(before, after, 1))
    refused(saved, other, "was learned for w", structure_digest(other))


# ------------------------------------------------------------------------------------- its content


@pytest.mark.parametrize("key", ["max_steps", "hidden", "embedding", "latents"])
@pytest.mark.parametrize("value", ["", "8", "²", 0, -3, 8.5, 99999999999, float("nan"), [8], None])
def test_sizes_that_are_none_are_refused(saved, grammar, key, value):
    refused_with(saved, grammar, {key: value}, key)


@pytest.mark.parametrize(("key", "value"), [("hidden", 2), ("embedding", 1), ("latents", 65)])
def test_sizes_that_no_recipe_can_ask_for_are_refused(saved, grammar, key, value):
    refused_with(saved, grammar, {key: value}, key)


@pytest.mark.parametrize("key", ["hidden", "embedding", "latents"])
def test_sizes_that_do_not_fit_the_tensors_are_refused(saved, grammar, key):
    refused_with(saved, grammar, {key: 16}, "expected")


@pytest.mark.parametrize("spacing", [{"along x": 2.0}, {"along x": -1}, {"x": "y"}, [1], None])
def test_spacing_that_is_none_is_refused(saved, grammar, spacing):
    refused_with(saved, grammar, {"spacing": spacing}, "spacing")


def test_a_part_that_the_header_does_not_name_is_refused(saved, grammar, tmp_path):
    bad = rewritten(saved, tmp_path / "bad.safetensors", tensors={"attributes.x": torch.zeros(1)})
    refused(bad, grammar, "unknown tensor attributes.x")


# ------------------------------------------------------------------------------------- attributes

MOVING = (
    HEAD
    + """
S -> box
box { draw: rect  x: normal(20, 2) px mutable [0, 60]  yaw: normal(0, 9) deg mutable }
"""
)


def test_both_parts_come_back_from_one_file(tmp_path):
    grammar, path = parse(MOVING), tmp_path / "model.safetensors"
    model, transformer = new_model(grammar, LEARN, 7), new_transformer(grammar, 32, 3)
    with torch.no_grad():
        for parameter in transformer.parameters():
            parameter += 0.1
    save_model(path, grammar, LEARN, model, transformer)
    loaded = load_model(path, grammar)
    scene = expand(grammar, sample_prior(grammar, rng()), rng(1))
    expected = mover(grammar, transformer.eval())([scene])[0]
    assert loaded.moved([scene])[0] == expected != scene
    assert torch.equal(loaded.structure.head.weight, model.head.weight)


def test_attributes_alone_leave_structure_to_the_prior(tmp_path):
    grammar, path = parse(MOVING), tmp_path / "model.safetensors"
    save_model(path, grammar, LEARN, None, new_transformer(grammar, 32, 0))
    assert load_model(path, grammar).structure is None
    assert load_moved(path, grammar) is not None


def test_attributes_of_another_world_are_refused(tmp_path):
    grammar, path = parse(MOVING), tmp_path / "model.safetensors"
    save_model(path, grammar, LEARN, None, new_transformer(grammar, 32, 0))
    refused(path, parse(MOVING.replace("[0, 60]", "[0, 61]")), "was learned for")


def test_a_file_without_attributes_has_none_to_give(saved, grammar):
    with pytest.raises(InputError, match="no learned attributes"):
        load_moved(saved, grammar)


def test_spacing_comes_back_and_an_unknown_one_is_as_written(tmp_path):
    grammar = parse(HEAD + "S -> a * 2\na { x: uniform(0, 20) px }")
    path = tmp_path / "model.safetensors"
    save_model(path, grammar, LEARN, new_model(grammar, LEARN, 7), None, {"along x": 1.0})
    derivation = sample_prior(grammar, rng())

    def places(grammar):
        place = load_model(path, grammar).place
        scenes = [place(derivation, rng(k)) for k in range(40)]
        return [[p.world.x for p in s.walk() if p.node.symbol == "a"] for s in scenes]

    assert all(first < 10 < second for first, second in places(grammar))
    fixed = parse(HEAD + "S -> a * 2\na { x: 7 px }")
    assert all(both == [7, 7] for both in places(fixed))
