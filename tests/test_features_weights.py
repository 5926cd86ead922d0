"""Weights from elsewhere: where they are looked for, and that no file brings more than numbers."""

import hashlib
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from datagen.errors import InputError, MissingError
from datagen.features import _weights

OF = "Somebody's weights"
CAP = 1 << 20


class Runs:
    """Unpickled carelessly, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def state():
    return {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


# ----------------------------------------------------------------------------------------- where


def test_a_missing_cache_is_answered_with_the_file_and_the_way_out(cache):
    with pytest.raises(MissingError) as caught:
        _weights.find(None, "net-12345678.pth", OF)
    text = str(caught.value)
    assert str(cache / "net-12345678.pth") in text
    assert "`learn.features.weights`" in text and "`--weights`" in text
    assert "nothing is downloaded" in text
    assert "\n" not in text
    with pytest.raises(MissingError, match="file of them by --set learn.x=FILE"):
        _weights.find(None, "net-12345678.pth", OF, "--set learn.x=FILE")


def test_the_cached_file_must_be_what_its_name_promises(cache):
    digest = hashlib.sha256(b"the weights").hexdigest()[:8]
    path = cache / f"net-{digest}.pth"
    path.write_bytes(b"the weights")
    assert _weights.find(None, path.name, OF) == path
    path.write_bytes(b"half of")
    with pytest.raises(InputError, match="not the file that its name promises"):
        _weights.find(None, path.name, OF)


def test_a_given_file_is_taken_whatever_is_cached(cache, tmp_path):
    (tmp_path / "mine.pth").write_bytes(b"x")
    assert _weights.find(str(tmp_path / "mine.pth"), "net.pth", OF) == tmp_path / "mine.pth"
    for gone in (tmp_path / "no.pth", tmp_path):
        with pytest.raises(InputError, match="is no file; name one with Somebody's .*--weights"):
            _weights.find(str(gone), "net.pth", OF)


# ------------------------------------------------------------------------------------------ what


@pytest.mark.parametrize("form", ["safetensors", "pth", "old pth"])
def test_three_formats_are_told_by_their_first_bytes(tmp_path, form):
    path = tmp_path / "weights"  # no suffix: it is not looked at
    if form == "safetensors":
        save_file(state(), path)
    else:
        torch.save(state(), path, _use_new_zipfile_serialization=form == "pth")
    found = _weights.read(path, CAP)
    assert {k: v.tolist() for k, v in found.items()} == {k: v.tolist() for k, v in state().items()}


@pytest.mark.parametrize("new", [True, False])
def test_nothing_in_a_pickle_is_run(tmp_path, new):
    path, witness = tmp_path / "evil.pth", tmp_path / "witness"
    torch.save({"a": Runs(witness)}, path, _use_new_zipfile_serialization=new)
    with pytest.raises(InputError, match=r"evil.pth: .* hold more than tensors"):
        _weights.read(path, CAP)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no whole safetensors or .pth file"),
        (b"hello, I am a text", "no whole safetensors or .pth file"),
        (b"\xff" * 64, "no whole safetensors or .pth file"),
        (b"\x80\x02]q", "damaged, or hold more than tensors"),
        (b"PK\x03\x04" + bytes(40), "no whole safetensors or .pth file"),
        (bytes(CAP + 1), "larger than the 1 MiB allowed"),
    ],
)
def test_what_holds_no_weights_is_refused_in_one_line(tmp_path, data, words):
    path = tmp_path / "w"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        _weights.read(path, CAP)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_cut_of_a_file_is_refused(tmp_path):
    for name, new in (("new.pth", True), ("old.pth", False)):
        torch.save(state(), tmp_path / name, _use_new_zipfile_serialization=new)
    save_file(state(), tmp_path / "s")
    for whole in ("new.pth", "old.pth", "s"):
        data = (tmp_path / whole).read_bytes()
        for part in (3, 9, len(data) // 2, len(data) - 1):
            (tmp_path / "cut").write_bytes(data[:part])
            with pytest.raises(InputError):
                _weights.read(tmp_path / "cut", CAP)


def test_a_file_that_unpacks_to_more_than_allowed_is_refused_before(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(64 << 20))
    assert path.stat().st_size < CAP
    with pytest.raises(InputError, match="unpacks to 64 MiB, more than the 1 allowed"):
        _weights.read(path, CAP)


def test_what_is_no_table_of_tensors_is_refused(tmp_path):
    for content in ([torch.ones(2)], {"state_dict": state()}, torch.ones(3)):
        torch.save(content, tmp_path / "w.pth")
        with pytest.raises(InputError, match="no plain table of named tensors"):
            _weights.read(tmp_path / "w.pth", CAP)


# ------------------------------------------------------------------------------------- into place


def net():
    with torch.device("meta"):
        return nn.ModuleDict({"a": nn.Linear(3, 2)})


def test_tensors_find_their_places_as_float32_and_the_rest_is_left_out(tmp_path):
    filled = net()
    found = {f"p.{k}": v.half() for k, v in state().items()} | {"classifier": torch.ones(9)}
    _weights.fill(filled, found, "p.", tmp_path, OF)
    assert filled["a"].weight.dtype == torch.float32
    assert torch.equal(filled["a"](torch.ones(1, 3)), torch.tensor([[4.0, 13.0]]))
    assert not filled["a"].weight.requires_grad


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"a.weight": None}, "has no tensor `a.weight`; are these Somebody's weights?"),
        ({"a.bias": torch.ones(3)}, "`a.bias` is [3], expected [2]"),
        ({"a.bias": torch.tensor([1.0, float("nan")])}, "not a finite number"),
        ({"a.bias": torch.tensor([1, 2])}, "no plain floating-point numbers"),
        ({"a.bias": torch.ones(2).to_sparse()}, "no plain floating-point numbers"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named(tmp_path, change, words):
    found = {k: v for k, v in (state() | change).items() if v is not None}
    with pytest.raises(InputError) as caught:
        _weights.fill(net(), found, "", tmp_path / "w.pth", OF)
    assert words in str(caught.value)
    assert str(tmp_path / "w.pth") in str(caught.value)
