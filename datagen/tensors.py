"""Files of tensors from anywhere: what they hold is checked by name before it is used."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from datagen.errors import InputError

Shapes = Mapping[str, list[int]]


def look(path: Path, what: str, cap: int, most: int) -> tuple[dict[str, str], dict[str, list[int]]]:
    """Header and shapes, no tensor is read. `what` has `cap` bytes and `most` tensors at most."""
    try:
        if path.stat().st_size > cap:
            raise InputError(f"{path}: is larger than any {what} ({cap >> 20} MiB)")
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            if len(names) > most:
                raise InputError(f"{path}: holds {len(names)} tensors; a {what} has fewer")
            return file.metadata() or {}, {n: file.get_slice(n).get_shape() for n in names}
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or "not a whole safetensors file"
        raise InputError(f"{path}: cannot read these weights: {reason}") from error


def check_shapes(path: Path, shapes: Shapes, expected: Mapping[str, Tensor]) -> None:
    """Refuses tensors that are absent, of another shape, or unknown."""
    for name, tensor in expected.items():
        found = shapes.get(name, "absent")
        if found != list(tensor.shape):
            raise InputError(f"{path}: tensor {name} is {found}, expected {list(tensor.shape)}")
    for name in sorted(shapes.keys() - expected.keys()):
        raise InputError(f"{path}: holds an unknown tensor {name}")


def check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise InputError(f"{path}: tensor {name} holds what is not a finite number")
