"""The one training loop: steps, checkpoints, readings, resume."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from datagen.learning.run import RunFolder


class Kept(Protocol):
    """What has its whole state as tensors."""

    def tensors(self) -> dict[str, Tensor]: ...
    def load(self, tensors: Mapping[str, Tensor]) -> None: ...


class Trainee(Kept, Protocol):
    """What a loop drives: `steps` steps, one at a time.

    `begin` is told the first step that will run. `steps` may change while it learns.
    """

    @property
    def steps(self) -> int: ...
    def begin(self, step: int) -> None: ...
    def step(self, k: int) -> Mapping[str, float]: ...


@dataclass(frozen=True)
class Tick:
    """Progress of one phase."""

    phase: str
    step: int
    steps: int
    values: Mapping[str, float]

    @property
    def words(self) -> str:
        """The phase and its readings, for people."""
        values = "  ".join(f"{name} {value:.3g}" for name, value in self.values.items())
        return f"{self.phase}  {values}"


def train(
    run: RunFolder,
    phase: str,
    trainee: Trainee,
    *,
    checkpoint_every: int,
    progress: Callable[[Tick], None],
) -> None:
    """Bring `trainee` to its last step, from its newest checkpoint when there is one.

    A reading is recorded every step; the clock stays out of it, so that a resumed run leaves the
    same metrics.
    """
    saved = run.latest(phase)
    first = 0
    if saved is not None:
        first, tensors = saved
        trainee.load(tensors)
    if first < trainee.steps:
        trainee.begin(first)
    shown = 0.0
    k = first
    while k < trainee.steps:
        values = trainee.step(k)
        k += 1
        run.record(phase, k, values)
        is_last = k >= trainee.steps
        if k % checkpoint_every == 0 or is_last:
            run.save(phase, k, trainee.tensors())
        if time.monotonic() - shown > 0.2 or is_last:
            shown = time.monotonic()
            progress(Tick(phase, k, trainee.steps, values))
