"""Weights that others have trained: where they lie, and how a file of them is read.

Nothing is ever downloaded. A file may come from anywhere, so nothing in it is run or believed.
"""

import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from datagen.decoding import parse_json
from datagen.errors import InputError, MissingError
from datagen.files import sha256_of

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"  # torch.save: as it is, and before torch 1.6
_NAMED = "`learn.features.weights` in a recipe or `--weights` of `datagen compare`"


def find(given: str | None, cached: str, of: str, named: str = _NAMED) -> Path:
    """The file that is given, or else torchvision's own, of the name `cached`, in its cache.

    `of` is what the message calls the weights, such as "SqueezeNet's ImageNet weights", and `named`
    says how a user names a file.
    """
    if given is not None:
        path = Path(given)
        if not path.is_file():
            raise InputError(f"{path}: is no file; name one with {of} by {named}")
        return path
    path = Path(torch.hub.get_dir(), "checkpoints", cached)
    if not path.is_file():
        raise MissingError(
            f"{of} are not in torchvision's cache ({path}), and nothing is downloaded; "
            f"put them there, or name a .safetensors or .pth file of them by {named}"
        )
    digest = re.search(r"-([0-9a-f]{8,})\.", cached)
    if digest is not None and not sha256_of(path).startswith(digest[1]):
        raise InputError(f"{path}: is not the file that its name promises; delete it")
    return path


def read(path: Path, cap: int) -> dict[str, Tensor]:
    """Named tensors of a safetensors file or of one written by torch.save, of at most `cap` bytes.

    Which it is, its first bytes tell.
    """
    try:
        if path.stat().st_size > cap:
            raise InputError(f"{path}: is larger than the {cap >> 20} MiB allowed; the right file?")
        with path.open("rb") as file:
            head = file.read(9)
        if head[8:] == b"{" or not head.startswith((_ZIP, _PICKLE)):
            return load_file(path)  # eight bytes of a length, which may be any, then JSON
        if head.startswith(_ZIP):
            _refuse_bomb(path, cap)
        return _saved(path)
    except (OSError, SafetensorError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or "no whole safetensors or .pth file"
        raise InputError(f"{path}: cannot read these weights: {reason}") from error


def _refuse_bomb(path: Path, cap: int) -> None:
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > cap:
        raise InputError(f"{path}: unpacks to {size >> 20} MiB, more than the {cap >> 20} allowed")


def _saved(path: Path) -> dict[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a crafted pickle can raise anything
        raise InputError(
            f"{path}: cannot read these weights: they are damaged, or hold more than tensors"
        ) from error
    if not isinstance(found, dict) or not all(isinstance(t, Tensor) for t in found.values()):
        raise InputError(f"{path}: holds no plain table of named tensors (a state_dict)")
    return found


def described(path: Path, entry: str, of: str) -> dict[str, Any]:
    """What a safetensors file says of itself under `entry`; `of` is what it should hold."""
    try:
        with safe_open(path, "pt") as file:
            entries = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read as {of}") from error
    if entry not in entries:
        raise InputError(f"{path}: are not {of}")
    return parse_json(entries[entry], f"{path}: header")


def fill(trunk: nn.Module, found: dict[str, Tensor], prefix: str, path: Path, of: str) -> None:
    """Put the tensors named `prefix` + parameter into `trunk`, and hold them fixed.

    What else is in the file, such as a classifier, is left out.
    """
    filled: dict[str, Tensor] = {}
    for name, wanted in trunk.state_dict().items():
        if name.endswith("num_batches_tracked"):  # old files have none, and only training reads it
            filled[name] = torch.tensor(0)
            continue
        tensor = found.get(prefix + name)
        if tensor is None:
            raise InputError(f"{path}: has no tensor `{prefix}{name}`; are these {of}?")
        if tensor.shape != wanted.shape:
            raise InputError(
                f"{path}: tensor `{prefix}{name}` is {list(tensor.shape)}, "
                f"expected {list(wanted.shape)}; are these {of}?"
            )
        filled[name] = _floats(tensor, f"{path}: tensor `{prefix}{name}`")
    trunk.load_state_dict(filled, assign=True)
    trunk.eval().requires_grad_(False)


def _floats(tensor: Tensor, where: str) -> Tensor:
    if not tensor.is_floating_point() or tensor.layout != torch.strided or tensor.is_meta:
        raise InputError(f"{where} holds no plain floating-point numbers")
    tensor = tensor.detach().float().contiguous()
    if not tensor.isfinite().all():
        raise InputError(f"{where} holds what is not a finite number")
    return tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
