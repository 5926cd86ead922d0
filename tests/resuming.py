"""What tests ask of learning: what it reads, and that it goes on as if nothing had been."""

import os
import signal
import subprocess
import sys
import time

import torch
from faulty import ROOT

from datagen.learning.run import RunFolder


def readings_of(trainee, first=0, last=None):
    """What it reads in the steps from `first` on, before `last` or to its end."""
    trainee.begin(first)
    found, k = [], first
    while k < (trainee.steps if last is None else last):
        found.append(dict(trainee.step(k)))
        k += 1
    return found


def same(ours, theirs):
    """Have two states the same tensors, bit for bit?"""
    return ours.keys() == theirs.keys() and all(
        torch.equal(tensor, theirs[name]) for name, tensor in ours.items()
    )


def goes_on(fresh, stops, folder, last=None):
    """Trainees that `fresh` makes, each from the checkpoint of the one before, end as one does.

    `stops`: the steps before which a checkpoint is written and another trainee takes over; all
    stop before step `last`, or at their end. Gives the readings.
    """
    whole, run = fresh(), RunFolder(folder)
    readings = readings_of(whole, last=last)
    one, first = fresh(), 0
    for stop in (*stops, len(readings)):
        assert readings_of(one, first, stop) == readings[first:stop], (first, stop)
        run.save("phase", stop, one.tensors())
        torch.manual_seed(stop)  # what others draw changes nothing
        one, first = fresh(), stop
        saved = run.latest("phase")
        assert saved is not None
        one.load(saved[1])
    assert same(one.tensors(), whole.tensors())
    return readings


def killed_when(there, *command):
    """`datagen COMMAND`, killed outright as soon as the folder `there` exists."""
    process = subprocess.Popen(
        [sys.executable, "-m", "datagen", *map(str, command)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 120
    while not there.is_dir():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
