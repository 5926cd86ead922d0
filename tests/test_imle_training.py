"""Learning an appearance: all ways to look are found, the law is kept, the gate tells layouts."""

import contextlib
import math

import numpy as np
import pytest
import torch
from appearances import TwoWays, learned, network, quick
from resuming import readings_of
from safetensors.torch import load_file, save_file

from datagen.errors import InputError
from datagen.learning.appearance.gate import GateTrainee, agreement, found_classes
from datagen.learning.appearance.selection import numbered
from datagen.learning.appearance.training import AppearanceTrainee
from datagen.learning.loop import train
from datagen.learning.run import RunFolder
from datagen.models.imle import Noise
from datagen.models.segmenter import Segmenter

pytestmark = pytest.mark.usefixtures("one_thread")

NO_NOISE = {"style": 0, "grain": 0, "draws": 1, "rebalancing": False}


def skies(trainee: AppearanceTrainee, styles: torch.Tensor | None = None) -> np.ndarray:
    """How light the sky of one layout is in 64 styles: day is 0.8, night is 0.1."""
    noise = numbered(9, range(64), trainee.sizes)
    if styles is not None:
        noise = Noise(styles, noise.grain[: len(styles)])
    layout = torch.from_numpy(TwoWays().class_map(3))
    with torch.no_grad():
        made = trainee.net(layout.expand(len(noise.style), -1, -1), noise)
    return made[:, :, layout == 2].mean((1, 2)).numpy()


def shares(lightness: np.ndarray) -> tuple[float, float]:
    """Of nights and of days."""
    return float((lightness < 0.3).mean()), float((lightness > 0.6).mean())


def test_regression_has_one_picture_where_imle_has_both(tmp_path):
    one = skies(learned(TwoWays(), quick(tmp_path, **NO_NOISE)))
    assert np.ptp(one) == 0
    many = skies(learned(TwoWays(), quick(tmp_path)))
    night, day = shares(many)
    assert night > 0.2 and day > 0.2 and night + day > 0.8


def test_the_bank_has_the_law_that_rebalancing_has_bent(tmp_path):
    pairs = TwoWays(count=80, rare=8)
    trainee = learned(pairs, quick(tmp_path, bank=80, bank_draws=16, epochs=10))
    drawn, _ = shares(skies(trainee))
    kept, _ = shares(np.concatenate([skies(trainee, some) for some in trainee.bank.split(40)]))
    assert kept == pytest.approx(1 / 8, abs=0.05)
    assert abs(drawn - 1 / 8) > abs(kept - 1 / 8)


def test_a_gate_that_diverges_is_not_told_to_have_learned(tmp_path):
    gate = GateTrainee(TwoWays(), quick(tmp_path), 0)
    torch.nn.init.constant_(gate.net.score.weight, math.nan)
    with pytest.raises(InputError, match="lower the learning rate"):
        train(RunFolder(tmp_path), "gate", gate, checkpoint_every=9, progress=print)


class Unknown(TwoWays):
    """Pairs whose maps know no class."""

    def class_map(self, k: int) -> np.ndarray:
        return np.zeros_like(super().class_map(k))


def test_a_gate_learns_nothing_from_maps_that_know_no_class(tmp_path):
    gate = GateTrainee(Unknown(), quick(tmp_path), 0)
    before = gate.net.score.weight.clone()
    assert gate.step(0) == {"loss": 0.0}
    assert torch.equal(gate.net.score.weight, before)


def test_the_gate_knows_a_picture_of_its_layout_from_another(tmp_path):
    gate = GateTrainee(TwoWays(), quick(tmp_path), 0)
    readings_of(gate)
    unseen = TwoWays(count=60)
    own, other = [], []
    for k in range(40, 60):
        found = found_classes(gate.net, unseen.image(k))
        own.append(agreement(found, unseen.class_map(k)))
        other.append(agreement(found, unseen.class_map(k + 3)))
    assert min(own) > 0.95 > 0.9 > max(other)


def test_nothing_known_in_a_layout_is_no_reason_to_reject():
    assert agreement(np.ones((4, 4), np.uint8), np.zeros((4, 4), np.uint8)) == 1


def test_a_segmenter_takes_pictures_of_any_size():
    net = Segmenter(5, 8)
    for size in ((33, 47), (8, 8), (96, 128)):
        assert net(torch.rand(1, 3, *size)).shape == (1, 5, *size)


@pytest.fixture
def meta(monkeypatch) -> set[str]:
    """The device `meta`, which refuses tensors of the CPU as a GPU does, and computes nothing.

    What is read from it are zeros. Gives the kinds of devices that autocast was asked for.
    """
    read, asked = torch.Tensor.cpu, set()

    def zeros(tensor: torch.Tensor) -> torch.Tensor:
        return torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else read(tensor)

    def autocast(kind: str, *_args: object, **_options: object) -> contextlib.nullcontext:
        asked.add(kind)
        return contextlib.nullcontext()

    monkeypatch.setattr(torch.Tensor, "cpu", zeros)
    monkeypatch.setattr(torch.Tensor, "__float__", lambda tensor: 1.0)
    monkeypatch.setattr(torch, "autocast", autocast)
    return asked


@pytest.mark.parametrize("trained", [AppearanceTrainee, GateTrainee])
def test_all_that_is_computed_lies_on_the_device_that_is_asked_for(tmp_path, meta, trained):
    few = {"pretraining": 1, "epochs": 1, "steps": 2, "layouts": 4, "bank": 4, "gate_steps": 2}
    settings = quick(tmp_path, **few, draws=2, grain=1, encoder=4, mask=True)
    trainee = trained(TwoWays(), settings, 0, "meta")
    assert len(readings_of(trainee)) == trainee.steps
    found = {name: tensor.device.type for name, tensor in trainee.tensors().items()}
    ours = {"unit", "chosen", "bank"} & found.keys()  # for the file, and for rows of it
    assert {found.pop(name) for name in ours} <= {"cpu"}
    assert {found[name] for name in found if not name.endswith(".step")} == {"meta"} == meta


def test_the_network_of_the_distance_is_needed(tmp_path):
    source = network(tmp_path)
    tensors = load_file(source.source)
    tensors.pop("features.3.squeeze.weight")
    save_file(tensors, source.source)
    with pytest.raises(InputError, match="has no tensor `features.3.squeeze.weight`"):
        AppearanceTrainee(TwoWays(), quick(tmp_path), 0)
