"""Files of tensors from anywhere: what they hold is seen before any tensor is read."""

import json
import struct

import pytest
import torch
from refusals import refused
from safetensors.torch import save_file

from datagen.tensors import check_finite, check_shapes, look

# A pickle of protocol 0, which ends the process that loads it.
CODE = b"cbuiltins\nexec\n(S'import os; os._exit(77)'\ntR."


def look_at(path):
    return look(path, "toy", 1 << 20, 3)


@pytest.fixture
def path(tmp_path):
    save_file({"a": torch.ones(2, 3), "b": torch.zeros(4)}, tmp_path / "x.safetensors", {"of": "y"})
    return tmp_path / "x.safetensors"


def test_a_file_tells_what_it_says_of_itself_and_its_shapes(path):
    assert look_at(path) == ({"of": "y"}, {"a": [2, 3], "b": [4]})


def test_a_file_that_is_not_there_is_named(tmp_path):
    with refused("gone.safetensors", "No such file"):
        look_at(tmp_path / "gone.safetensors")


def test_a_folder_is_no_file(tmp_path):
    with refused(str(tmp_path)):
        look_at(tmp_path)


@pytest.mark.parametrize("content", [b"", b"x", b"{}", b"\0" * 64, b"\xff" * 64, CODE])
def test_noise_and_code_are_refused_and_not_run(tmp_path, content):
    (tmp_path / "noise").write_bytes(content)
    with refused("noise", "not a whole safetensors file"):
        look_at(tmp_path / "noise")


def test_what_torch_has_saved_is_refused(tmp_path):
    torch.save({"a": torch.zeros(3)}, tmp_path / "net.pth")
    with refused("net.pth", "not a whole safetensors file"):
        look_at(tmp_path / "net.pth")


@pytest.mark.parametrize("part", [0.001, 0.1, 0.5, 0.999])
def test_a_truncated_file_is_refused(path, part):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with refused(path.name, "not a whole safetensors file"):
        look_at(path)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    with open(tmp_path / "huge", "wb") as file:
        file.truncate((1 << 20) + 1)
    with refused("huge", "larger than any toy (1 MiB)"):
        look_at(tmp_path / "huge")


def test_more_tensors_than_there_can_be_are_refused(tmp_path):
    names = {f"t{k}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for k in range(4)}
    header = json.dumps(names).encode()
    (tmp_path / "many").write_bytes(struct.pack("<Q", len(header)) + header)
    with refused("many", "holds 4 tensors; a toy has fewer"):
        look_at(tmp_path / "many")


@pytest.mark.parametrize("shape", [(3,), (5,), (4, 1), ()])
def test_shapes_are_compared_name_by_name(path, shape):
    _, shapes = look_at(path)
    good = {"a": torch.ones(2, 3), "b": torch.zeros(4)}
    check_shapes(path, shapes, good)
    with refused(path.name, f"b is [4], expected {list(shape)}"):
        check_shapes(path, shapes, good | {"b": torch.zeros(shape)})
    with refused(path.name, "c is absent, expected [1]"):
        check_shapes(path, shapes, good | {"c": torch.zeros(1)})
    with refused(path.name, "unknown tensor b"):
        check_shapes(path, shapes, {"a": good["a"]})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_finite_number_is_named(path, value):
    check_finite(path, {"a": torch.ones(2), "b": torch.ones(2, dtype=torch.int32)})
    with refused(path.name, "b holds what is not a finite number"):
        check_finite(path, {"a": torch.ones(2), "b": torch.tensor([0, value])})
