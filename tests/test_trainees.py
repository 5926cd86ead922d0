"""What is asked of every trainee of the learned generators: the same bits, come what may."""

import os
import subprocess
import sys

import pytest
import torch
from faulty import ROOT, TESTS
from resuming import goes_on, readings_of, same
from trainees import TRAINEES

from datagen.learning.loop import train
from datagen.learning.run import RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")

every_trainee = pytest.mark.parametrize("name", TRAINEES)


@every_trainee
def test_its_seed_alone_decides_what_it_learns(name, tmp_path):
    """Not what torch's own generator was told."""
    one, again, other = (TRAINEES[name](tmp_path, seed) for seed in (0, 0, 1))
    torch.manual_seed(5)
    readings = readings_of(one)
    torch.manual_seed(6)
    assert readings_of(again) == readings
    readings_of(other)
    assert same(one.tensors(), again.tensors())
    assert not same(one.tensors(), other.tensors())


# In each phase, and between two.
STOPS = {
    "layout": (4, 5),
    "relate": (1, 2, 5),  # networks are given up after step 2
    "relate_clips": (2, 3, 5, 8),
    "gnm": (2, 3, 7),  # a ramp, and an optimiser with it, begins at 3 and at 6
    "appearance": (2, 3, 5, 6, 8, 10),
    "gate": (4, 7),
}


@every_trainee
def test_a_checkpoint_holds_all_that_the_next_step_needs(name, tmp_path):
    readings = goes_on(lambda: TRAINEES[name](tmp_path), STOPS[name], tmp_path)
    if name == "relate":
        told = [reading.get("attempt") for reading in readings]
        assert told == [None, 1, 2, 2, 2, 2, 2, 2], "else bars would seem to go back"
    if name == "gnm":
        assert [reading["ramps"] for reading in readings[2:9]] == [1, 2, 2, 2, 3, 3, 3]


# One process starts and then forks for each of them: torch alone takes seconds to load.
KILLED = """
import os, signal, sys
from pathlib import Path
from trainees import TRAINEES
from datagen.learning.loop import train
from datagen.learning.run import RunFolder
from datagen.threads import one_thread

def learn(name, folder):
    run, trainee = RunFolder(folder / name), TRAINEES[name](folder)
    run.path.mkdir()
    step = trainee.step

    def dying(k):
        if k == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(k)

    trainee.step = dying
    train(run, name, trainee, checkpoint_every=4, progress=lambda _: None)

with one_thread():
    for name in TRAINEES:
        if os.fork() == 0:
            learn(name, Path(sys.argv[1]))
            sys.exit("was not killed")
        assert os.wait()[1] == signal.SIGKILL
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A folder with a run of each trainee, killed two steps after a checkpoint."""
    folder = tmp_path_factory.mktemp("killed")
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{TESTS}"}
    subprocess.run([sys.executable, "-c", KILLED, folder], env=environment, check=True)
    return folder


@every_trainee
def test_a_run_that_was_killed_ends_with_the_same_bits(name, killed, tmp_path):
    assert len(RunFolder(killed / name).records()) == 6
    ends = []
    for run in (RunFolder(killed / name), RunFolder(tmp_path)):
        trainee = TRAINEES[name](tmp_path)
        train(run, name, trainee, checkpoint_every=4, progress=lambda _: None)
        last = run.checkpoints / f"{name}-{trainee.steps:08d}" / "state.safetensors"
        ends.append((run.metrics_file.read_bytes(), last.read_bytes()))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("name", ["layout", "relate"])
def test_an_average_follows_slowly(name, tmp_path):
    at_once, slow, before = (
        TRAINEES[name](tmp_path, average=share, learning_rate=0.1) for share in (0.0, 0.999, 0.999)
    )
    for trainee in (at_once, slow):
        readings_of(trainee, last=1)
    for kept, new in zip(at_once.average.parameters(), at_once.generator.parameters(), strict=True):
        assert torch.equal(kept, new)
    parts = (net.parameters() for net in (before.generator, slow.generator, slow.average))
    for old, new, kept in zip(*parts, strict=True):
        # At step 0 a tenth is kept: (1 + k) / (10 + k).
        torch.testing.assert_close(kept, 0.1 * old + 0.9 * new)
