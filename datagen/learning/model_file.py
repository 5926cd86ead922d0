"""One network on disk: a safetensors file whose header says from what it is built again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

import torch
from safetensors.torch import load_file, save
from torch import nn
from torch.overrides import TorchFunctionMode

from datagen.decoding import decode, parse_json
from datagen.errors import InputError
from datagen.files import write_atomic
from datagen.grammar import Grammar
from datagen.interfaces import Component
from datagen.tensors import Shapes, check_finite, check_shapes, look

_ENTRY = "datagen"
_CAP, _MOST = 2 << 30, 1000  # bytes, tensors

Header = TypeVar("Header", bound=Component)
Network = TypeVar("Network", bound=nn.Module)


def write_model(path: Path, header: Component, network: nn.Module) -> None:
    """Publish it by one rename."""
    tensors = {k: v.cpu().contiguous() for k, v in network.state_dict().items()}
    # One entry: safetensors writes several in any order, and equal models are to be equal bytes.
    write_atomic(path, save(tensors, {_ENTRY: header.model_dump_json()}))


@dataclass(frozen=True)
class ModelFile(Generic[Header]):
    """A file whose header has been read; its tensors have not."""

    path: Path
    header: Header
    shapes: Shapes

    def network(self, build: Callable[[], Network]) -> Network:
        """What `build` makes, with the file's tensors, each of the name, shape and type it needs.

        It is held fixed, ready to be called.
        """
        # A header may ask for any size: first see what the file holds.
        with _Uninitialised(), torch.device("meta"):
            network = build()
        wanted = network.state_dict()
        check_shapes(self.path, self.shapes, wanted)
        tensors = load_file(self.path)
        for name, tensor in tensors.items():
            if tensor.dtype != wanted[name].dtype:
                raise InputError(
                    f"{self.path}: tensor {name} is {tensor.dtype}, not {wanted[name].dtype}"
                )
        check_finite(self.path, tensors)
        network.load_state_dict(tensors, assign=True)
        return network.eval().requires_grad_(False)


class _Uninitialised(TorchFunctionMode):
    """Networks keep the numbers that memory holds: the file has others, and on the device `meta`
    normal ones would make torch import its compiler, which takes seconds."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def check_canvas(path: Path, size: tuple[int, int], grammar: Grammar) -> None:
    """Refuses a model that makes pictures or layouts of another width and height than asked."""
    if size != grammar.canvas:
        width, height = size
        raise InputError(
            f"{path}: has learned {width} x {height} px, but the canvas is "
            f"{grammar.canvas[0]} x {grammar.canvas[1]}; set canvas = [{width}, {height}]"
        )


def open_model(path: Path, kind: type[Header], of: str) -> ModelFile[Header]:
    """Read the header; `of` is what the file should be, such as "a layout model"."""
    entries, shapes = look(path, "learned model", _CAP, _MOST)
    if _ENTRY not in entries:
        raise InputError(f"{path}: is no {of} written by `datagen learn`")
    where = f"{path}: header"
    data = parse_json(entries[_ENTRY], where)
    _check_format(kind, data.get("format"), where, of)
    return ModelFile(path, decode(kind, data, where), shapes)


def _check_format(kind: type[Component], said: object, where: str, of: str) -> None:
    """Of another kind of model first its other keys would be told, which say less."""
    (known,) = get_args(kind.model_fields["format"].annotation)
    if isinstance(said, str) and said != known:
        raise InputError(f"{where}: `format` is {said[:40]!r}, which is no {of}; give another file")
