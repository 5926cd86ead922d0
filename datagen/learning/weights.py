"""A structure model on disk: safetensors, with what it needs to be built again in the header."""

import hashlib
import json
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from datagen.decoding import decode, parse_json
from datagen.errors import InputError
from datagen.files import write_atomic
from datagen.grammar import Grammar
from datagen.interfaces import Component
from datagen.learn_settings import Learn
from datagen.models.metasim2 import StructureModel, rule_tables

_FORMAT = "datagen-metasim2-1"
_ENTRY = "datagen"
_CAP = 256 << 20  # bytes; a structure model is a few hundred kB


def structure_digest(grammar: Grammar) -> str:
    """16 hex digits of what a structure model depends on: start, rules and `max`, not weights."""
    rules = [[rule.lhs, list(rule.children)] for rule in grammar.rules]
    most = [repeat.most for repeat in grammar.repeats.values()]
    text = json.dumps([grammar.start, rules, most], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def new_model(grammar: Grammar, learn: Learn, max_steps: int) -> StructureModel:
    """An untrained model, which `learn.seed` alone decides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(learn.seed)
        return StructureModel(
            rule_tables(grammar), max_steps, learn.hidden, learn.embedding, learn.latents
        )


class Header(Component):
    """What a file of weights says of itself."""

    format: Literal["datagen-metasim2-1"]
    world: str
    structure: str
    max_steps: int = Field(ge=2, le=4096)
    hidden: int = Field(ge=4, le=4096)
    embedding: int = Field(ge=2, le=4096)
    latents: int = Field(ge=1, le=64)


def save_model(path: Path, model: StructureModel, grammar: Grammar, learn: Learn) -> None:
    """Publish the weights at `path` by one rename."""
    header = Header(
        format=_FORMAT,
        world=grammar.world,
        structure=structure_digest(grammar),
        max_steps=model.max_steps,
        hidden=learn.hidden,
        embedding=learn.embedding,
        latents=learn.latents,
    )
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    # One entry: safetensors writes several in any order, and equal models are to be equal bytes.
    write_atomic(path, save(tensors, {_ENTRY: header.model_dump_json()}))


def load_model(path: Path, grammar: Grammar) -> StructureModel:
    """The model that `save_model` wrote, checked name by name before anything is used."""
    entries, shapes = _look(path)
    if _ENTRY not in entries:
        raise InputError(f"{path}: is not a structure model written by `datagen learn`")
    header = decode(Header, parse_json(entries[_ENTRY], f"{path}: header"), f"{path}: header")
    if header.structure != structure_digest(grammar):
        raise InputError(
            f"{path}: was learned for {header.world} (structure {header.structure}), but the "
            f"grammar here is {grammar.world} ({structure_digest(grammar)}); use the run's own"
        )
    learn = Learn(hidden=header.hidden, embedding=header.embedding, latents=header.latents)
    model = new_model(grammar, learn, header.max_steps)
    for name, tensor in model.state_dict().items():
        if shapes.get(name) != list(tensor.shape):
            found = shapes.get(name, "absent")
            raise InputError(f"{path}: tensor {name} is {found}, expected {list(tensor.shape)}")
    for name in shapes.keys() - model.state_dict().keys():
        raise InputError(f"{path}: holds an unknown tensor {name}")
    tensors = load_file(path)
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise InputError(f"{path}: tensor {name} holds what is not a finite number")
    model.load_state_dict(tensors)
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
