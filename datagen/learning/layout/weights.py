"""A learned layout model on disk: safetensors, with its sizes and its world in the header."""

from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from safetensors.torch import load_file, save

from datagen.decoding import decode, parse_json
from datagen.errors import InputError
from datagen.files import write_atomic
from datagen.grammar import Grammar
from datagen.interfaces import Component
from datagen.learning.layout.training import LayoutTrainee
from datagen.models.semgan import Generator
from datagen.tensors import check_finite, check_shapes, look

_FORMAT = "datagen-semgan-1"
_ENTRY = "datagen"
_CAP, _MOST = 2 << 30, 100  # bytes, tensors

Side = Annotated[int, Field(ge=8, le=8192)]


class Header(Component):
    """What a file of weights says of itself."""

    format: Literal["datagen-semgan-1"]
    world: str
    categories: tuple[str, ...]  # class id = position + 1
    stuff: tuple[str, ...]  # ids go on
    size: tuple[Side, Side]  # width, height of the layouts, px
    width: int = Field(ge=4, le=512)
    kernel: int = Field(ge=3, le=15)
    latent: int = Field(ge=1, le=4096)


def save_layout_model(path: Path, trainee: LayoutTrainee, grammar: Grammar) -> None:
    """Publish the averaged generator by one rename; `grammar` is the world of its label maps."""
    settings = trainee.settings
    header = Header(
        format=_FORMAT,
        world=grammar.world,
        categories=grammar.categories,
        stuff=grammar.stuffs,
        size=trainee.bank.maps.size,
        width=settings.width,
        kernel=settings.kernel,
        latent=settings.latent,
    )
    tensors = {k: v.cpu().contiguous() for k, v in trainee.sampler().state_dict().items()}
    # One entry: safetensors writes several in any order, and equal models are to be equal bytes.
    write_atomic(path, save(tensors, {_ENTRY: header.model_dump_json()}))


def load_layout_model(path: Path, grammar: Grammar) -> Generator:
    """The generator of `path`, ready to be called, if it was learned for this world and canvas."""
    entries, shapes = look(path, "learned model", _CAP, _MOST)
    if _ENTRY not in entries:
        raise InputError(f"{path}: is no layout model written by `datagen learn`")
    where = f"{path}: header"
    header = decode(Header, parse_json(entries[_ENTRY], where), where)
    _agree(path, header, grammar)
    classes = 1 + len(header.categories) + len(header.stuff)
    with torch.device("meta"):  # a header may ask for any size: first see what the file holds
        model = Generator(header.size, classes, header.width, header.kernel, header.latent)
    check_shapes(path, shapes, model.state_dict())
    tensors = load_file(path)
    for name, wanted in model.state_dict().items():
        if tensors[name].dtype != wanted.dtype:
            raise InputError(f"{path}: tensor {name} is {tensors[name].dtype}, not {wanted.dtype}")
    check_finite(path, tensors)
    model.load_state_dict(tensors, assign=True)
    return model.eval().requires_grad_(False)


def _agree(path: Path, header: Header, grammar: Grammar) -> None:
    """Refuses another world, naming the first class that differs, and another canvas."""
    theirs = [*header.categories, *(f"{name} (stuff)" for name in header.stuff)]
    ours = [*grammar.categories, *(f"{name} (stuff)" for name in grammar.stuffs)]
    for k in range(max(len(theirs), len(ours))):
        their, our = (names[k] if k < len(names) else "nothing" for names in (theirs, ours))
        if their != our:
            raise InputError(
                f"{path}: was learned for {header.world}, whose class {k + 1} is {their}, but in "
                f"{grammar.world} it is {our}; learn the layouts of this world"
            )
    if header.size != grammar.canvas:
        width, height = header.size
        raise InputError(
            f"{path}: makes layouts of {width} x {height} px, but the canvas is "
            f"{grammar.canvas[0]} x {grammar.canvas[1]}; set canvas = [{width}, {height}]"
        )
