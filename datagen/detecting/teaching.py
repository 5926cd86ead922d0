"""A detector while it learns: watched on pictures that it does not learn from, and stopped in time.

The best weights so far lie in the run's model.safetensors, and their bytes in every checkpoint:
whatever a killed run had written since, it comes back to the file that belongs to its step.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from datagen.files import write_atomic
from datagen.labelled import Detections, Labelled, Picture
from datagen.learning.loop import Trainee
from datagen.reading import load_image
from datagen.scoring.coco import score
from datagen.settings.train import Train

_TOGETHER = 8  # pictures that are looked at at a time; the last bits of what is found depend on it
_PUPIL, _BYTES, _STANDING = "pupil.", "best.bytes", "best.standing"


class Pupil(Trainee, Protocol):
    """A detector that learns: a Trainee that can be asked and kept at any step."""

    def remarks(self) -> list[str]: ...  # what a person must know of where it starts
    def detect(self, images: Sequence[np.ndarray], *, masks: bool) -> list[Detections]: ...
    def save(self, path: Path) -> None: ...  # one file, whole or not at all


class Teachable(Protocol):
    """What `datagen train` asks of a Detector beside `open`."""

    def pupil(self, labelled: Labelled, settings: Train, start: Path | None) -> Pupil:
        """Learns the labelled pictures, from `start`, the file of a trained one, where given.

        Step k is a function of the weights and (settings.seed, k) alone.
        """
        ...


def looked_at(
    detect: Callable[[Sequence[np.ndarray]], list[Detections]], pictures: Sequence[Picture]
) -> Iterator[Detections]:
    """What is found in each picture."""
    for first in range(0, len(pictures), _TOGETHER):
        yield from detect([load_image(one) for one in pictures[first : first + _TOGETHER]])


@dataclass(frozen=True)
class Standing:
    """How far the training is, as far as validation says."""

    best: float = -1.0  # AP50 of the best weights, 0 to 1; -1: nothing was measured yet
    at: int = 0  # the step that they are of
    waited: int = 0  # validations since then
    end: int = 0  # the step after which it was stopped; 0: it was not

    def after(self, step: int, found: float, patience: int | None) -> "Standing":
        """A tie keeps the later weights, and is no progress."""
        if found > self.best:
            return Standing(found, step)
        waited = self.waited + 1
        stops = patience is not None and waited >= patience
        at = step if found == self.best else self.at
        return Standing(self.best, at, waited, step if stops else 0)


class Watched:
    """The Trainee that the loop drives: a pupil, and now and then a validation of it."""

    def __init__(
        self,
        pupil: Pupil,
        settings: Train,
        validation: Labelled | None,
        model: Path,
        log: Callable[[int, Mapping[str, float]], None] = lambda step, values: None,
    ) -> None:
        self._pupil, self._settings, self._validation = pupil, settings, validation
        self._model, self._log = model, log  # `model`: the file of the best weights
        self.standing = Standing()
        self.readings: dict[str, float] = {}  # the last of each

    @property
    def steps(self) -> int:
        return self.standing.end or self._pupil.steps

    def begin(self, step: int) -> None:
        self._pupil.begin(step)

    def step(self, k: int) -> Mapping[str, float]:
        values = dict(self._pupil.step(k))
        done, is_last = k + 1, k + 1 == self._pupil.steps
        if self._validation is not None and (is_last or done % self._settings.validate_every == 0):
            values |= self._validate(self._validation, done)
        if is_last and not self.standing.at:  # nothing told which were the best
            self._pupil.save(self._model)
        self.readings |= values
        self._log(done, values)
        return values

    def _validate(self, validation: Labelled, step: int) -> dict[str, float]:
        boxes = partial(self._pupil.detect, masks=False)  # no mask is asked for: it is the dearest
        found = score(validation, list(looked_at(boxes, validation.pictures))).AP50
        if found is None:  # nothing there counts
            return {}
        self.standing = self.standing.after(step, found, self._settings.patience)
        if self.standing.at == step:
            self._pupil.save(self._model)
        return {"AP50": found}

    def tensors(self) -> dict[str, Tensor]:
        now = self.standing
        numbers = torch.tensor([now.best, now.at, now.waited, now.end], dtype=torch.float64)
        state = {f"{_PUPIL}{name}": tensor for name, tensor in self._pupil.tensors().items()}
        if self._model.is_file():
            content = np.frombuffer(self._model.read_bytes(), np.uint8)
            state[_BYTES] = torch.from_numpy(content.copy())
        return state | {_STANDING: numbers}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        best, *counts = tensors[_STANDING].tolist()
        self.standing = Standing(best, *map(int, counts))
        if _BYTES in tensors:
            write_atomic(self._model, tensors[_BYTES].numpy().tobytes())
        else:
            self._model.unlink(missing_ok=True)
        mine = {k.removeprefix(_PUPIL): v for k, v in tensors.items() if k.startswith(_PUPIL)}
        self._pupil.load(mine)
