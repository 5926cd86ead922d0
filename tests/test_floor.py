"""When learning stops: at the noise of the target itself."""

import numpy as np
import torch
from structures import rng

from datagen.learning.gap import mmd2
from datagen.learning.structure.floor import Floor
from datagen.learning.structure.rewards import Kernels, whole
from datagen.settings.learn import Reinforcement

SETTINGS = Reinforcement()


def sample(count, index, shift=0.0):
    return torch.from_numpy(rng(index).normal(shift, 1, (count, 3)).astype(np.float32))


def floor_of(real):
    return Floor(Kernels(real, whole(3), SETTINGS), 0)


def test_batches_of_the_same_law_reach_the_floor():
    floor = floor_of(sample(600, 0))
    for k in range(60):
        floor.read(sample(128, 1 + k))
    assert abs(np.mean(floor.readings)) < 2 * floor.value
    floor.readings = [0.0] * 20
    assert floor.is_reached


def test_batches_of_another_law_do_not():
    floor = floor_of(sample(600, 0))
    for k in range(40):
        floor.read(sample(128, 1 + k, shift=0.4))
        assert not floor.is_reached


def test_a_few_lucky_readings_are_not_enough():
    floor = floor_of(sample(600, 0))
    floor.readings = [-1.0] * 19
    assert not floor.is_reached


def test_a_reading_is_the_unbiased_mmd():
    real, generated = sample(300, 0), sample(128, 1, shift=0.3)
    expected = mmd2(generated.numpy(), real.numpy(), SETTINGS.scales)
    assert abs(floor_of(real).read(generated) - expected) < 1e-3
