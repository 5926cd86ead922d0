"""A learned transformer at work: scenes moved one by one, weights out and in."""

import pytest
import torch
from toys import ARROW, grammar_of, prior_scenes, things

from datagen.errors import InputError
from datagen.learning.attributes.moving import (
    attribute_tensors,
    attributes_digest,
    load_transformer,
    mover,
    new_transformer,
)


def shaken(grammar, seed=1):
    """A transformer that moves everything."""
    transformer = new_transformer(grammar, 16, 0)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in transformer.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return transformer


def test_the_untrained_transformer_moves_nothing():
    grammar = grammar_of()
    scenes = prior_scenes(grammar, 5)
    after = mover(grammar, new_transformer(grammar, 16, 0))(scenes)
    for name in ("x", "yaw"):
        assert things(after, name) == pytest.approx(things(scenes, name), abs=1e-9)


def test_a_scene_is_moved_to_the_same_bits_whatever_others_come_with_it():
    grammar = grammar_of()
    scenes = prior_scenes(grammar, 6)
    move = mover(grammar, shaken(grammar))
    assert move(scenes) == [move([scene])[0] for scene in scenes]
    assert move(scenes)[::-1] == move(scenes[::-1])


def test_only_mutable_attributes_move_and_they_stay_in_their_range():
    grammar = grammar_of()
    scenes = prior_scenes(grammar, 30)
    after = mover(grammar, shaken(grammar))(scenes)
    assert (things(after, "x") != things(scenes, "x")).all()
    assert ((things(after, "x") >= 0) & (things(after, "x") <= 32)).all()
    assert (abs(things(after, "yaw")) <= 3.1416).all()
    for name in ("y", "width", "height"):
        assert (things(after, name) == things(scenes, name)).all()


def test_weights_come_back_as_they_were():
    grammar = grammar_of()
    before = shaken(grammar)
    after = load_transformer(grammar, 16, attribute_tensors(before), "here")
    scenes = prior_scenes(grammar, 3)
    assert mover(grammar, before)(scenes) == mover(grammar, after)(scenes)


def test_weights_of_another_grammar_are_refused_with_the_place():
    tensors = attribute_tensors(shaken(grammar_of(ARROW, **{"y: 16 px": "y: 16 px  lift: 3"})))
    with pytest.raises(InputError, match=r"run/model: tensor attributes.layers.0.*expected"):
        load_transformer(grammar_of(), 16, tensors, "run/model")


def test_missing_and_infinite_weights_are_refused():
    grammar = grammar_of()
    tensors = attribute_tensors(shaken(grammar))
    with pytest.raises(InputError, match="attributes.laws is absent"):
        load_transformer(grammar, 16, {k: v for k, v in tensors.items() if "laws" not in k}, "here")
    with pytest.raises(InputError, match="not a finite number"):
        load_transformer(
            grammar, 16, tensors | {"attributes.laws": torch.full((2, 2), torch.inf)}, "here"
        )


def test_the_seed_decides_a_new_transformer():
    grammar = grammar_of()
    one, same, other = (attribute_tensors(new_transformer(grammar, 16, s)) for s in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("normal(8, 1)", "normal(8, 2)", False),
        ("[0, 32]", "[0, 31]", False),
        ("arrow * 1", "arrow * 2", True),
        ("canvas 32 x 32", "canvas 64 x 64", True),
    ],
)
def test_the_digest_tells_what_a_transformer_depends_on(old, new, same):
    text = ARROW.replace("Scene -> bg arrow", "Scene -> bg arrow * 1")
    before, after = (
        attributes_digest(grammar_of(text)),
        attributes_digest(grammar_of(text, **{old: new})),
    )
    assert (before == after) is same
