"""A learned model on disk: safetensors, with what it needs to be built again in the header."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import torch
from pydantic import Field
from safetensors.torch import load_file, save
from torch import Tensor

from datagen.decoding import decode, parse_json
from datagen.errors import InputError
from datagen.files import write_atomic
from datagen.grammar import Grammar
from datagen.interfaces import Component
from datagen.learning.arranging import Placer
from datagen.learning.attributes.moving import (
    ATTRIBUTES,
    Moved,
    attribute_tensors,
    attributes_digest,
    load_transformer,
    mover,
)
from datagen.models.metasim import DistributionTransformer
from datagen.models.metasim2 import StructureModel, rule_tables
from datagen.settings.learn import Learn
from datagen.tensors import Shapes, check_finite, check_shapes, look

_FORMAT = "datagen-metasim2-3"
_ENTRY = "datagen"
_CAP = 256 << 20  # bytes; a structure model is a few hundred kB
_MOST = 100  # tensors


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


class StructureHeader(Component):
    """What a structure model is built from."""

    digest: str
    max_steps: int = Field(ge=2, le=4096)
    hidden: int = Field(ge=4, le=4096)
    embedding: int = Field(ge=2, le=4096)
    latents: int = Field(ge=1, le=64)
    spacing: dict[str, Annotated[float, Field(ge=0, le=1)]]  # as arranging.settled gives it


class AttributesHeader(Component):
    """What a distribution transformer is built from."""

    digest: str
    hidden: int = Field(ge=4, le=4096)


class Header(Component):
    """What a file of weights says of itself; None: this part is as in the prior."""

    format: Literal["datagen-metasim2-3"]
    world: str
    structure: StructureHeader | None
    attributes: AttributesHeader | None


def save_model(
    path: Path,
    grammar: Grammar,
    learn: Learn,
    model: StructureModel | None,
    transformer: DistributionTransformer | None = None,
    spacing: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Publish the weights at `path` by one rename."""
    structure, attributes = None, None
    tensors: dict[str, Tensor] = {}
    if model is not None:
        structure = StructureHeader(
            digest=structure_digest(grammar),
            max_steps=model.max_steps,
            hidden=learn.hidden,
            embedding=learn.embedding,
            latents=learn.latents,
            spacing=dict(spacing),
        )
        tensors |= {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    if transformer is not None:
        digest = attributes_digest(grammar)
        attributes = AttributesHeader(digest=digest, hidden=learn.attributes.hidden)
        tensors |= attribute_tensors(transformer)
    header = Header(format=_FORMAT, world=grammar.world, structure=structure, attributes=attributes)
    # One entry: safetensors writes several in any order, and equal models are to be equal bytes.
    write_atomic(path, save(tensors, {_ENTRY: header.model_dump_json()}))


@dataclass(frozen=True)
class Model:
    """What `save_model` wrote; None: as in the prior."""

    structure: StructureModel | None
    moved: Moved | None
    place: Placer


def load_model(path: Path, grammar: Grammar) -> Model:
    """Weights checked name by name before anything is used."""
    entries, shapes = look(path, "learned model", _CAP, _MOST)
    if _ENTRY not in entries:
        raise InputError(f"{path}: is not a model written by `datagen learn`")
    header = decode(Header, parse_json(entries[_ENTRY], f"{path}: header"), f"{path}: header")
    tensors = load_file(path)
    of_attributes = {name for name in shapes if name.startswith(ATTRIBUTES)}
    of_structure = {name: shapes[name] for name in shapes.keys() - of_attributes}
    structure, moved = None, None
    if header.structure is not None:
        mine = {name: tensors[name] for name in of_structure}
        structure = _structure(path, grammar, header, of_structure, mine)
    elif of_structure:
        raise InputError(f"{path}: holds an unknown tensor {min(of_structure)}")
    if header.attributes is not None:
        _agree(path, header.world, grammar, header.attributes.digest, attributes_digest(grammar))
        transformer = load_transformer(grammar, header.attributes.hidden, tensors, str(path))
        for name in of_attributes - attribute_tensors(transformer).keys():
            raise InputError(f"{path}: holds an unknown tensor {name}")
        moved = mover(grammar, transformer)
    elif of_attributes:
        raise InputError(f"{path}: holds an unknown tensor {min(of_attributes)}")
    spacing = {} if header.structure is None else header.structure.spacing
    return Model(structure, moved, Placer(grammar, spacing))


def load_moved(path: Path, grammar: Grammar) -> Moved:
    """The attributes' part of a file of weights."""
    moved = load_model(path, grammar).moved
    if moved is None:
        raise InputError(f"{path}: holds no learned attributes")
    return moved


def _agree(path: Path, world: str, grammar: Grammar, found: str, expected: str) -> None:
    if found != expected:
        raise InputError(
            f"{path}: was learned for {world} ({found}), but the grammar here is "
            f"{grammar.world} ({expected}); use the run's own"
        )


def _structure(
    path: Path,
    grammar: Grammar,
    header: Header,
    shapes: Shapes,
    tensors: Mapping[str, Tensor],
) -> StructureModel:
    said = header.structure
    assert said is not None
    _agree(path, header.world, grammar, said.digest, structure_digest(grammar))
    learn = Learn(hidden=said.hidden, embedding=said.embedding, latents=said.latents)
    model = new_model(grammar, learn, said.max_steps)
    check_shapes(path, shapes, model.state_dict())
    check_finite(path, tensors)
    model.load_state_dict(tensors)
    return model.eval()
