"""What a representation knows: how well a small network reads classes out of codes."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from datagen.errors import InputError
from datagen.metrics._fitting import fit, seeded


@dataclass(frozen=True)
class Probe:
    """On codes that the network did not learn from."""

    accuracy: float
    error: float  # standard error
    chance: float  # share of the most frequent class


def probe_accuracy(
    codes: np.ndarray,
    classes: np.ndarray,
    test_codes: np.ndarray,
    test_classes: np.ndarray,
    rng: np.random.Generator,
    *,
    hidden: int = 128,
    steps: int = 1000,
    batch: int = 128,
) -> Probe:
    """A two-layer network's accuracy on codes [M, D] after learning from codes [N, D].

    Classes are int [N] and [M], from 0 on. Jiang and Ahn (2020) give each object's z_what the class
    of the digit nearest to its box; who is nearest is for the caller to say. Codes are divided by
    their deviations in the first set.
    """
    if codes.ndim != 2 or codes.shape[1:] != test_codes.shape[1:] or len(codes) != len(classes):
        raise InputError(
            f"probe: codes {list(codes.shape)} and {list(test_codes.shape)} of {len(classes)} and "
            f"{len(test_classes)} classes; give [N, D], [N], [M, D], [M]"
        )
    if len(test_codes) != len(test_classes) or min(len(codes), len(test_codes)) < 2:
        raise InputError(f"probe: {len(test_codes)} codes to test on, {len(test_classes)} classes")
    mean, spread = codes.mean(0), codes.std(0) + 1e-6
    x, y = (torch.tensor((c - mean) / spread, dtype=torch.float32) for c in (codes, test_codes))
    truth = torch.tensor(classes).long()
    kinds = int(max(classes.max(), test_classes.max())) + 1
    with seeded(rng):
        net = nn.Sequential(nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, kinds))

    def loss(_: int) -> Tensor:
        chosen = torch.from_numpy(rng.integers(len(x), size=batch))
        return cross_entropy(net(x[chosen]), truth[chosen])

    fit(net, loss, steps, 3e-3)
    with torch.inference_mode():
        said = net(y).argmax(1).numpy()
    accuracy = float((said == test_classes).mean())
    error = float(np.sqrt(accuracy * (1 - accuracy) / len(said)))
    return Probe(accuracy, error, float(np.bincount(test_classes).max() / len(said)))
