"""Weights on disk: read back bit for bit, and refused with a reason when they are anything else."""

import json
import struct

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
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
    """The path of a model, and the model."""
    torch.manual_seed(1)
    model = new_model(grammar, LEARN, 7)
    path = tmp_path / "model.safetensors"
    save_model(path, grammar, LEARN, model)
    return path, model


def rewrite(path, header=None, tensors=None, structure=None):
    """The same file with other header entries or tensors (None: left out)."""
    with safe_open(path, "pt") as file:
        (entry,) = file.metadata().items()
    said = json.loads(entry[1])
    said["structure"] = without_none(said["structure"] | (structure or {}))
    changed = said | (header or {})
    for key in [key for key, value in (header or {}).items() if value is None]:
        del changed[key]
    all_tensors = without_none(load_file(path) | (tensors or {}))
    save_file(all_tensors, path, {entry[0]: json.dumps(changed)})


def without_none(entries):
    return {key: value for key, value in entries.items() if value is not None}


def refused(path, grammar, *words):
    with pytest.raises(InputError) as caught:
        load_model(path, grammar)
    message = str(caught.value)
    assert "\n" not in message
    for word in (path.name, *words):
        assert word in message


def test_a_model_comes_back_bit_for_bit(saved, grammar):
    path, model = saved
    loaded = load_model(path, grammar)
    again = loaded.structure
    assert loaded.moved is None
    assert again.max_steps == 7
    assert not again.training
    assert again.state_dict().keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


def test_the_same_model_is_the_same_bytes(saved, grammar, tmp_path):
    path, model = saved
    other = tmp_path / "other.safetensors"
    for _ in range(5):
        save_model(other, grammar, LEARN, model)
        assert path.read_bytes() == other.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, other.name]


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
    refused(saved[0], other, "was learned for w", structure_digest(other))


# --------------------------------------------------------------------------------------- the file


def test_a_file_that_is_not_there_is_named(tmp_path, grammar):
    refused(tmp_path / "nowhere.safetensors", grammar, "No such file")


def test_a_folder_is_no_model(tmp_path, grammar):
    refused(tmp_path, grammar)


@pytest.mark.parametrize("content", [b"", b"x", b"{}", b"\0" * 64, b"\xff" * 64])
def test_noise_is_refused(tmp_path, grammar, content):
    path = tmp_path / "noise.safetensors"
    path.write_bytes(content)
    refused(path, grammar, "not a whole safetensors file")


@pytest.mark.parametrize("part", [0.001, 0.1, 0.5, 0.999])
def test_a_truncated_file_is_refused(saved, grammar, part):
    path, _ = saved
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    refused(path, grammar, "not a whole safetensors file")


# Protocol 0: calls exec("raise SystemExit") when it is loaded.
CODE = b"cbuiltins\nexec\n(S'import os; os._exit(77)'\ntR."


def test_code_in_a_file_is_not_run(saved, grammar, tmp_path):
    path = tmp_path / "pickle.safetensors"
    path.write_bytes(CODE)
    refused(path, grammar, "not a whole safetensors file")
    torch.save({"state": saved[1].state_dict()}, path)
    refused(path, grammar, "not a whole safetensors file")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path, grammar):
    path = tmp_path / "huge.safetensors"
    with open(path, "wb") as file:
        file.truncate(300 << 20)
    refused(path, grammar, "larger than any learned model")


def test_a_header_with_a_hundred_thousand_tensors_is_refused(tmp_path, grammar):
    names = {f"t{k}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for k in range(100_000)}
    header = json.dumps(names).encode()
    path = tmp_path / "many.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    refused(path, grammar, "100000 tensors")


def test_tensors_of_something_else_are_refused(tmp_path, grammar):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(3)}, path)
    refused(path, grammar, "not a model written by")


# ------------------------------------------------------------------------------------ its content


def test_an_unknown_tensor_is_named(saved, grammar):
    rewrite(saved[0], tensors={"backdoor": torch.zeros(1)})
    refused(saved[0], grammar, "unknown tensor backdoor")


def test_a_missing_tensor_is_named(saved, grammar):
    rewrite(saved[0], tensors={"head.bias": None})
    refused(saved[0], grammar, "head.bias is absent")


@pytest.mark.parametrize("shape", [(8,), (10,), (9, 1), ()])
def test_a_wrong_shape_is_named(saved, grammar, shape):
    rewrite(saved[0], tensors={"head.bias": torch.zeros(shape)})
    refused(saved[0], grammar, "head.bias", str(list(shape)), "[9]")


@pytest.mark.parametrize("key", ["max_steps", "hidden", "embedding", "latents"])
@pytest.mark.parametrize("value", ["", "8", "²", 0, -3, 8.5, 99999999999, float("nan"), [8], None])
def test_sizes_that_are_none_are_refused(saved, grammar, key, value):
    rewrite(saved[0], structure={key: value})
    refused(saved[0], grammar, key)


@pytest.mark.parametrize(("key", "value"), [("hidden", 2), ("embedding", 1), ("latents", 65)])
def test_sizes_that_no_recipe_can_ask_for_are_refused(saved, grammar, key, value):
    rewrite(saved[0], structure={key: value})
    refused(saved[0], grammar, key)


@pytest.mark.parametrize("key", ["hidden", "embedding", "latents"])
def test_sizes_that_do_not_fit_the_tensors_are_refused(saved, grammar, key):
    rewrite(saved[0], structure={key: 16})
    refused(saved[0], grammar, "expected")


@pytest.mark.parametrize("key", ["structure", "world", "format"])
def test_a_header_that_lacks_something_is_refused(saved, key):
    rewrite(saved[0], header={key: None})
    refused(saved[0], parse(HEAD + "S -> a\na {}"))


def test_a_header_that_is_no_json_is_refused(saved, grammar):
    save_file(load_file(saved[0]), saved[0], {"datagen": "{"})
    refused(saved[0], grammar, "not JSON")


def test_a_part_that_the_header_does_not_name_is_refused(saved, grammar):
    rewrite(saved[0], tensors={"attributes.x": torch.zeros(1)})
    refused(saved[0], grammar, "unknown tensor attributes.x")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(saved, grammar, value):
    rewrite(saved[0], tensors={"head.bias": torch.full((9,), value)})
    refused(saved[0], grammar, "head.bias")


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
        load_moved(saved[0], grammar)


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


@pytest.mark.parametrize("spacing", [{"along x": 2.0}, {"along x": -1}, {"x": "y"}, [1], None])
def test_spacing_that_is_none_is_refused(saved, grammar, spacing):
    rewrite(saved[0], structure={"spacing": spacing})
    refused(saved[0], grammar, "spacing")
