"""Learning an appearance: all ways to look are found, the law is kept, a killed run goes on."""

import math
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from appearances import TwoWays, learned, network, quick
from safetensors.torch import load_file, save_file

from datagen.errors import InputError
from datagen.learning.appearance.gate import GateTrainee, agreement, found_classes
from datagen.learning.appearance.selection import numbered
from datagen.learning.appearance.training import AppearanceTrainee
from datagen.learning.loop import train
from datagen.learning.run import RunFolder
from datagen.models.imle import Noise
from datagen.models.segmenter import Segmenter

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
    one = skies(learned(tmp_path / "regression", TwoWays(), quick(tmp_path, **NO_NOISE)))
    assert np.ptp(one) == 0
    many = skies(learned(tmp_path / "imle", TwoWays(), quick(tmp_path)))
    night, day = shares(many)
    assert night > 0.2 and day > 0.2 and night + day > 0.8


def test_the_bank_has_the_law_that_rebalancing_has_bent(tmp_path):
    pairs = TwoWays(count=80, rare=8)
    trainee = learned(tmp_path / "run", pairs, quick(tmp_path, bank=80, bank_draws=16, epochs=10))
    drawn, _ = shares(skies(trainee))
    kept, _ = shares(np.concatenate([skies(trainee, some) for some in trainee.bank.split(40)]))
    assert kept == pytest.approx(1 / 8, abs=0.05)
    assert abs(drawn - 1 / 8) > abs(kept - 1 / 8)


RUN = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
from appearances import TwoWays, quick
from datagen.learning.appearance.training import AppearanceTrainee
from datagen.learning.loop import train
from datagen.learning.run import RunFolder

def progress(tick):
    if tick.step >= {dies}:
        os.kill(os.getpid(), signal.SIGKILL)

folder = Path({folder!r})
settings = quick(folder.parent, epochs=2, mask=True, encoder=8, grain=1)
trainee = AppearanceTrainee(TwoWays(), settings, 0)
train(RunFolder(folder), "imle", trainee, checkpoint_every=7, progress=progress)
"""


class Died(Exception):
    pass


def brought_to(folder: Path, settings, dies: int | None = None) -> AppearanceTrainee:
    """Trained until step `dies`, or to the end, from the newest checkpoint."""
    torch.set_num_threads(1)
    trainee = AppearanceTrainee(TwoWays(), settings, seed=0)
    step, whole = trainee.step, trainee.steps

    def dying(k: int):
        if k == dies:
            raise Died
        return step(k)

    trainee.step = dying  # type: ignore[method-assign]
    folder.mkdir(exist_ok=True)
    try:
        train(RunFolder(folder), "imle", trainee, checkpoint_every=7, progress=lambda _: None)
        assert dies is None or dies >= whole
    except Died:
        pass
    return trainee


def test_a_killed_run_ends_with_the_same_bits(tmp_path):
    """kill -9 amid an outer epoch; and a death in each of the phases."""
    settings = quick(tmp_path, epochs=2, mask=True, encoder=8, grain=1)
    through = brought_to(tmp_path / "through", settings)
    folder = tmp_path / "killed"
    brought_to(folder, settings, 5)
    code = RUN.format(tests=str(Path(__file__).parent), folder=str(folder), dies=33)
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1])
    assert done.returncode == -signal.SIGKILL
    for dies in (50, 61, None):
        killed = brought_to(folder, settings, dies)
    for name, tensor in through.tensors().items():
        assert torch.equal(tensor, killed.tensors()[name]), name
    assert RunFolder(tmp_path / "through").records() == RunFolder(folder).records()


def test_a_gate_that_is_killed_ends_with_the_same_bits(tmp_path):
    settings = quick(tmp_path, gate_steps=12)
    ends = []
    for name, stops in (("through", ()), ("killed", (5, 9))):
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir()
        for stop in (*stops, None):
            gate = GateTrainee(TwoWays(), settings, 0)
            step = gate.step

            def dying(k: int, step=step, stop=stop):
                if k == stop:
                    raise Died
                return step(k)

            gate.step = dying  # type: ignore[method-assign]
            try:
                train(folder, "gate", gate, checkpoint_every=4, progress=lambda _: None)
            except Died:
                continue
            ends.append(gate.tensors())
    assert all(torch.equal(tensor, ends[1][name]) for name, tensor in ends[0].items())


def test_a_gate_that_diverges_is_not_told_to_have_learned(tmp_path):
    gate = GateTrainee(TwoWays(), quick(tmp_path), 0)
    torch.nn.init.constant_(gate.net.score.weight, math.nan)
    (tmp_path / "run").mkdir()
    with pytest.raises(InputError, match="lower the learning rate"):
        train(RunFolder(tmp_path / "run"), "gate", gate, checkpoint_every=9, progress=print)


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
    (tmp_path / "run").mkdir()
    train(RunFolder(tmp_path / "run"), "gate", gate, checkpoint_every=999, progress=lambda _: None)
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


def test_the_network_of_the_distance_is_needed(tmp_path):
    source = network(tmp_path)
    tensors = load_file(source.source)
    tensors.pop("features.3.squeeze.weight")
    save_file(tensors, source.source)
    with pytest.raises(Exception, match="has no tensor `features.3.squeeze.weight`"):
        AppearanceTrainee(TwoWays(), quick(tmp_path), 0)
