"""The folder of a run: metrics, checkpoints, and what one that was killed comes back to."""

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from datagen.digest import of_bytes
from datagen.errors import InputError
from datagen.files import disk_space, locked, make_folder, sync, write_atomic

_STATE, _DIGEST = "state.safetensors", "state.sha256"
_KEPT = 2  # checkpoints of a phase; the older one serves when the newer is damaged


class Spec(Protocol):
    """What decides a run's result; it lies in meta.json from the start."""

    verb: ClassVar[str]  # the command whose run it is
    given: ClassVar[str]  # what that command is given, in words

    def to_json(self) -> dict[str, Any]: ...
    def differing(self, folder: Path) -> list[str]:
        """What the run in `folder` was started with that this one is not, as people read it."""
        ...


class RunFolder:
    """RUN/: recipe.json, metrics.jsonl, checkpoints/<phase>-<step>/, and the results at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.jsonl"

    def record(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        """Append one reading to metrics.jsonl."""
        for name, value in values.items():
            if not math.isfinite(value):
                raise InputError(
                    f"{phase}: {name} is {value} at step {step}; lower the learning rate"
                )
        line = json.dumps({"phase": phase, "iteration": step, **values}, allow_nan=False)
        with disk_space(self.path), open(self.metrics_file, "a") as file:
            file.write(line + "\n")

    def records(self) -> list[dict[str, Any]]:
        """All readings so far."""
        return list(_whole_lines(self.metrics_file)) if self.metrics_file.is_file() else []

    def save(self, phase: str, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Publish a checkpoint by one rename, then drop the oldest."""
        final = self.checkpoints / f"{phase}-{step:08d}"
        aside = self.checkpoints / f".{phase}-{step:08d}.{os.getpid()}"
        with disk_space(self.path):
            aside.mkdir(parents=True, exist_ok=True)
            whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
            data = save(whole)
            write_atomic(aside / _STATE, data)
            write_atomic(aside / _DIGEST, of_bytes(data))
            shutil.rmtree(final, ignore_errors=True)
            os.rename(aside, final)
            sync(self.checkpoints)
        for old in self._saved(phase)[:-_KEPT]:
            shutil.rmtree(old)

    def latest(self, phase: str) -> tuple[int, dict[str, Tensor]] | None:
        """Step and tensors of the newest readable checkpoint; metrics after it are forgotten."""
        for folder in reversed(self._saved(phase)):
            tensors = _read_state(folder)
            if tensors is None:
                continue
            step = int(folder.name.rsplit("-", 1)[1])
            self._forget_after(phase, step)
            return step, tensors
        self._forget_after(phase, 0)
        return None

    def _saved(self, phase: str) -> list[Path]:
        # The digits keep "reinforce" apart from "reinforce-2".
        return sorted(self.checkpoints.glob(f"{phase}-{'[0-9]' * 8}"))

    def _forget_after(self, phase: str, step: int) -> None:
        if not self.metrics_file.is_file():
            return
        kept = [
            line
            for line in _whole_lines(self.metrics_file)
            if line["phase"] != phase or line["iteration"] <= step
        ]
        write_atomic(self.metrics_file, "".join(json.dumps(line) + "\n" for line in kept))


@contextmanager
def opened_run(path: Path, *, spec: Spec, resume: bool) -> Iterator[RunFolder]:
    """A locked run folder whose meta.json equals `spec`; new, or the one to resume."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; give a new folder for the run")
    if path.is_dir() and any(path.iterdir()) and not resume:
        with locked(path):  # a run that is under way says who it is
            raise InputError(f"{path}: is not empty; add --resume to go on, or name a new folder")
    if resume and path.is_dir() and _is_strange(path):
        raise InputError(f"{path}: holds no meta.json: it is no run of `{spec.verb}` to resume")
    make_folder(path)
    with locked(path):
        _agree(path / "meta.json", spec)
        for stale in path.glob("checkpoints/.*"):
            shutil.rmtree(stale, ignore_errors=True)
        yield RunFolder(path)


def keep_apart(target: Path, out: Path) -> None:
    """The run's own pictures must not become targets."""
    if out.resolve().is_relative_to(target.resolve()):
        raise InputError(f"{out}: lies inside the target folder {target}; name a folder outside it")


def _is_strange(path: Path) -> bool:
    """Does the folder hold things, but no run? One killed at its start holds hidden files alone."""
    names = [item.name for item in path.iterdir()]
    return "meta.json" not in names and any(not name.startswith(".") for name in names)


def _agree(path: Path, spec: Spec) -> None:
    text = json.dumps(spec.to_json(), indent=1, sort_keys=True)
    if not path.is_file():
        write_atomic(path, text)
        return
    differing = spec.differing(path.parent)
    if differing:
        raise InputError(
            f"{path.parent}: was started with something else ({'; '.join(differing)}); "
            f"name a new folder, or give the same {spec.given}"
        )
    if path.read_text() != text:  # the same content in other places: helpers read them here
        write_atomic(path, text)


def _read_state(folder: Path) -> dict[str, Tensor] | None:
    """The tensors of a checkpoint; None when its bytes are not those that were written."""
    try:
        data = (folder / _STATE).read_bytes()
        return load(data) if of_bytes(data).encode() == (folder / _DIGEST).read_bytes() else None
    except OSError:
        return None


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """JSON lines of a file whose last line may be torn by a crash."""
    for text in path.read_text().splitlines():
        try:
            yield json.loads(text)
        except json.JSONDecodeError:
            return


def module_tensors(module: nn.Module) -> dict[str, Tensor]:
    """A module as named tensors."""
    return {f"model.{k}": v for k, v in module.state_dict().items()}


def restore_module(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Undo `module_tensors`."""
    module.load_state_dict(under("model.", tensors))


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those whose names begin so, by the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def state_of(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """A module and its optimiser as named tensors."""
    tensors = module_tensors(module)
    for number, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            tensors[f"optimizer.{number}.{name}"] = torch.as_tensor(value)
    return tensors


def restore(
    module: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Undo `state_of`."""
    restore_module(module, tensors)
    whole = optimizer.state_dict()
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, number, name = key.split(".", 2)
            slots.setdefault(int(number), {})[name] = value
    whole["state"] = slots
    optimizer.load_state_dict(whole)
    # Checkpoints hold rows one after the other; a fused optimiser reads its moments in the order
    # that the parameter has in memory, which may be another one (channels last).
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
