"""A structure model on disk: safetensors, with what it needs to be built again in the header."""

import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from datagen.errors import InputError
from datagen.files import write_atomic
from datagen.grammar import Grammar
from datagen.learn_settings import Learn
from datagen.models.metasim2 import StructureModel, rule_tables

_FORMAT = "datagen-metasim2-1"
_CAP = 256 << 20  # bytes; a structure model is a few hundred kB


def structure_digest(grammar: Grammar) -> str:
    """16 hex digits of what a structure model depends on: start symbol and rules, not weights."""
    rules = [[rule.lhs, list(rule.children)] for rule in grammar.rules]
    text = json.dumps([grammar.start, rules], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def new_model(grammar: Grammar, learn: Learn, max_steps: int) -> StructureModel:
    return StructureModel(
        rule_tables(grammar), max_steps, learn.hidden, learn.embedding, learn.latents
    )


def save_model(path: Path, model: StructureModel, grammar: Grammar, learn: Learn) -> None:
    """Publish the weights at `path` by one rename."""
    header = {
        "format": _FORMAT,
        "world": grammar.world,
        "structure": structure_digest(grammar),
        "max_steps": str(model.max_steps),
        "hidden": str(learn.hidden),
        "embedding": str(learn.embedding),
        "latents": str(learn.latents),
    }
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    write_atomic(path, save(tensors, header))


def load_model(path: Path, grammar: Grammar) -> StructureModel:
    """The model that `save_model` wrote, checked name by name before anything is used."""
    header, shapes = _look(path)
    if header.get("format") != _FORMAT:
        raise InputError(f"{path}: is not a structure model written by `datagen learn`")
    if header["structure"] != structure_digest(grammar):
        raise InputError(
            f"{path}: was learned for {header['world']} (structure {header['structure']}), but the "
            f"grammar here is {grammar.world} ({structure_digest(grammar)}); use the run's own"
        )
    sizes = {k: _size(path, header, k) for k in ("max_steps", "hidden", "embedding", "latents")}
    learn = Learn(hidden=sizes["hidden"], embedding=sizes["embedding"], latents=sizes["latents"])
    model = new_model(grammar, learn, sizes["max_steps"])
    for name, tensor in model.state_dict().items():
        if shapes.get(name) != list(tensor.shape):
            found = shapes.get(name, "absent")
            raise InputError(f"{path}: tensor {name} is {found}, expected {list(tensor.shape)}")
    for name in shapes.keys() - model.state_dict().keys():
        raise InputError(f"{path}: holds an unknown tensor {name}")
    model.load_state_dict(load_file(path))
    return model.eval()


def _look(path: Path) -> tuple[dict[str, str], dict[str, list[int]]]:
    """Header and shapes; no tensor is read."""
    try:
        if path.stat().st_size > _CAP:
            raise InputError(f"{path}: is larger than any structure model ({_CAP >> 20} MiB)")
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            if len(names) > 100:
                raise InputError(f"{path}: holds {len(names)} tensors; a structure model has 8")
            return file.metadata() or {}, {n: file.get_slice(n).get_shape() for n in names}
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or "not a whole safetensors file"
        raise InputError(f"{path}: cannot read these weights: {reason}") from error


def _size(path: Path, header: dict[str, str], key: str) -> int:
    text = header.get(key, "")
    if not (text.isdigit() and 1 <= int(text) <= 4096):
        raise InputError(f"{path}: its header says {key} = {text!r}; the file is damaged")
    return int(text)
