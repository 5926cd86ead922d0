"""Target pictures that look unlike the rest, by colours, brightness and edges alone."""

from pathlib import Path

import numpy as np

from datagen.dataset.targets import Targets
from datagen.features.pixels import Features
from datagen.files import write_atomic

FILE = "strangers.txt"
_LEAST = 16  # px a side, as features.pixels needs
_FAR = 4.0  # robust deviations, root mean square over the statistics
_NORMAL = 1.4826  # median absolute deviation to standard deviation


def strangeness(images: np.ndarray) -> np.ndarray:
    """float64 [N]: distance of each picture [N, H, W, 3] from the middle of all of them.

    In deviations about the median, which half of the pictures would have to change to move.
    """
    with Features().open() as extract:
        rows = extract(images).astype(np.float64)
    middle = np.median(rows, 0)
    spread = _NORMAL * np.median(np.abs(rows - middle), 0)
    # A statistic that hardly varies among most pictures must not make every speck strange.
    spread = np.maximum(spread, 0.02)
    return np.sqrt(np.square((rows - middle) / spread).mean(1))


def strangers(targets: Targets) -> list[str]:
    """Names of the target pictures that look unlike the rest, the strangest first."""
    if min(targets.images.shape[1:3]) < _LEAST:
        return []  # too small for these statistics
    found = strangeness(targets.images)
    order = np.argsort(-found)
    return [targets.names[k] for k in order if found[k] > _FAR]


def write_strangers(out: Path, names: list[str]) -> None:
    """A line for each, in the run folder."""
    write_atomic(out / FILE, "".join(f"{name}\n" for name in names))
