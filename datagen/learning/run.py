"""The run folder of a learning job: metrics, checkpoints, and what a killed run comes back to."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from datagen.errors import InputError
from datagen.files import disk_space, locked, sync_folder, write_atomic

_KEPT = 2  # checkpoints of a phase; the older one serves when the newer is damaged


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
        line = json.dumps({"phase": phase, "iteration": step, **values}, allow_nan=False)
        with disk_space(self.path), open(self.metrics_file, "a") as file:
            file.write(line + "\n")

    def save(self, phase: str, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Publish a checkpoint by one rename, then drop the oldest."""
        final = self.checkpoints / f"{phase}-{step:08d}"
        aside = self.checkpoints / f".{phase}-{step:08d}.{os.getpid()}"
        with disk_space(self.path):
            aside.mkdir(parents=True, exist_ok=True)
            whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
            save_file(whole, aside / "state.safetensors")
            sync_folder(aside)
            shutil.rmtree(final, ignore_errors=True)
            os.rename(aside, final)
            sync_folder(self.checkpoints)
        for old in self._saved(phase)[:-_KEPT]:
            shutil.rmtree(old)

    def latest(self, phase: str) -> tuple[int, dict[str, Tensor]] | None:
        """Step and tensors of the newest readable checkpoint; metrics after it are forgotten."""
        for folder in reversed(self._saved(phase)):
            try:
                tensors = load_file(folder / "state.safetensors")
            except (OSError, SafetensorError):
                continue
            step = int(folder.name.rsplit("-", 1)[1])
            self._forget_after(phase, step)
            return step, tensors
        self._forget_after(phase, 0)
        return None

    def _saved(self, phase: str) -> list[Path]:
        return sorted(self.checkpoints.glob(f"{phase}-*")) if self.checkpoints.is_dir() else []

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
def opened_run(path: Path, *, spec: Mapping[str, Any], resume: bool) -> Iterator[RunFolder]:
    """A locked run folder whose spec.json equals `spec`; new, or the one to resume."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; give a new folder for the run")
    if path.is_dir() and any(path.iterdir()) and not resume:
        raise InputError(f"{path}: is not empty; add --resume to go on, or name a new folder")
    if resume and path.is_dir() and _is_strange(path):
        raise InputError(f"{path}: holds no spec.json: it is no run of `learn` to resume")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot make this folder ({error.strerror})") from error
    with locked(path):
        _agree(path / "spec.json", spec)
        for stale in path.glob("checkpoints/.*"):
            shutil.rmtree(stale, ignore_errors=True)
        yield RunFolder(path)


def _is_strange(path: Path) -> bool:
    """Does the folder hold things, but no run? One killed at its start holds hidden files alone."""
    names = [item.name for item in path.iterdir()]
    return "spec.json" not in names and any(not name.startswith(".") for name in names)


def _agree(path: Path, spec: Mapping[str, Any]) -> None:
    if not path.is_file():
        write_atomic(path, json.dumps(spec, indent=1, sort_keys=True))
        return
    try:
        before = dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: is damaged ({error}); name a new folder") from error
    differing = sorted(k for k in {*before, *spec} if before.get(k) != spec.get(k))
    if differing:
        raise InputError(
            f"{path.parent}: was started with another {', '.join(differing)}; "
            "name a new folder, or give the same recipe and target"
        )


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """JSON lines of a file whose last line may be torn by a crash."""
    for text in path.read_text().splitlines():
        try:
            yield json.loads(text)
        except json.JSONDecodeError:
            return


def state_of(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """A module and its optimiser as named tensors."""
    tensors = {f"model.{k}": v for k, v in module.state_dict().items()}
    for number, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            tensors[f"optimizer.{number}.{name}"] = torch.as_tensor(value)
    return tensors


def restore(
    module: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Undo `state_of`."""
    module.load_state_dict(
        {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    )
    whole = optimizer.state_dict()
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, number, name = key.split(".", 2)
            slots.setdefault(int(number), {})[name] = value
    whole["state"] = slots
    optimizer.load_state_dict(whole)
