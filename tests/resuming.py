"""What tests ask of every trainee, and of every file of what was learned."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from datagen.learning.run import RunFolder

TESTS = Path(__file__).parent
EVERY = 5  # steps between checkpoints
SCRIPT = f"""
import sys
import torch
from importlib import import_module
from pathlib import Path
from datagen.learning.loop import train
from datagen.learning.run import RunFolder
torch.set_num_threads(1)
module, phase, folder = sys.argv[1:]
trainee = import_module(module).long_trainee()
train(RunFolder(Path(folder)), phase, trainee, checkpoint_every={EVERY}, progress=print)
"""


def ends_with_the_same_bits(module, phase, tmp_path, *, killed_at, steps):
    """A run of `long_trainee()` of that test module, killed after so many steps and gone on with.

    Gives the folder of the run that nobody killed, which was found equal.
    """
    place = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    command = [sys.executable, "-c", SCRIPT, module, phase]
    killed, whole = RunFolder(tmp_path / "killed"), RunFolder(tmp_path / "whole")
    for run in (killed, whole):
        run.path.mkdir()
    process = subprocess.Popen([*command, killed.path], env=place, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 240
        while len(killed.records()) < killed_at:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(killed.records()) < steps
    for run in (killed, whole):
        subprocess.run([*command, run.path], env=place, check=True, stdout=subprocess.DEVNULL)
    assert killed.metrics_file.read_text() == whole.metrics_file.read_text()
    states = [
        next((run.path / "checkpoints").glob(f"*{steps}/*.safetensors")).read_bytes()
        for run in (killed, whole)
    ]
    assert states[0] == states[1]
    return whole


def rewritten(path, out, header=None, tensors=None):
    """The same file of weights with other header entries, or other tensors (None: left out)."""
    with safe_open(path, "pt") as file:
        said = json.loads(file.metadata()["datagen"])
    whole = load_file(path) | (tensors or {})
    kept = {name: tensor for name, tensor in whole.items() if tensor is not None}
    save_file(kept, out, {"datagen": json.dumps(said | (header or {}))})
    return out
