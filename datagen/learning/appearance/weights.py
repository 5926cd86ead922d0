"""A learned appearance on disk: generator, styles and gate in one safetensors file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from datagen.errors import InputError
from datagen.grammar import Grammar
from datagen.interfaces import Component
from datagen.learning.model_file import open_model, write_model
from datagen.models.imle import Generator, Sizes
from datagen.models.segmenter import Segmenter
from datagen.reading.class_names import class_names

if TYPE_CHECKING:  # who only reads weights need not import how they are learned
    from datagen.learning.appearance.gate import GateTrainee
    from datagen.learning.appearance.training import AppearanceTrainee

Names = tuple[Annotated[str, Field(max_length=200)], ...]


class Header(Component):
    """What a file of weights says of itself."""

    format: Literal["datagen-imle-1"] = "datagen-imle-1"
    categories: Names = Field(max_length=255)
    stuff: Names = Field(max_length=255)
    unseen: Names = Field(max_length=255)  # of these, the pairs showed nothing
    like: dict[str, str]  # class of the world -> the class that it looks like
    width: int = Field(ge=8, le=8192)  # px
    height: int = Field(ge=8, le=8192)
    channels: tuple[Annotated[int, Field(ge=4, le=2048)], ...] = Field(min_length=1, max_length=10)
    coarsest: int = Field(ge=2, le=64)
    style: int = Field(ge=0, le=256)
    grain: int = Field(ge=0, le=256)
    encoder: int | None = Field(ge=1, le=512)  # None: no encoder
    precision: Literal["float32", "bfloat16"]
    gate: int | None = Field(ge=4, le=512)  # channels of the segmenter's finest maps; None: none

    @property
    def names(self) -> tuple[str, ...]:
        """Of all classes but 0; id = position + 1."""
        return (*self.categories, *self.stuff)

    @property
    def sizes(self) -> Sizes:
        return Sizes(
            1 + len(self.names), self.height, self.width, self.channels, self.coarsest,
            self.style, self.grain, self.encoder,
        )  # fmt: skip

    @property
    def table(self) -> np.ndarray:
        """uint8 [256]: which class a class looks like; 0 where the pairs showed nothing of it."""
        table = np.arange(256, dtype=np.uint8)
        for name in self.unseen:
            table[self.names.index(name) + 1] = 0
        for name, other in self.like.items():
            table[self.names.index(name) + 1] = self.names.index(other) + 1
        return table


class Stored(nn.Module):
    """What the file holds, by these names."""

    def __init__(
        self, generator: Generator, gate: Segmenter | None, bank: Tensor, unit: Tensor
    ) -> None:
        super().__init__()
        self.generator, self.gate = generator, gate
        self.register_buffer("bank", bank)
        self.register_buffer("unit", unit)
        self.bank: Tensor
        self.unit: Tensor


@dataclass(frozen=True)
class Appearance:
    """What `save_appearance_model` wrote, ready to draw."""

    header: Header
    net: Generator
    bank: Tensor  # float [styles, style]: the codes that photos chose; none where it was not made
    unit: Tensor  # of the distance that it learned by
    gate: Segmenter | None


def save_appearance_model(
    path: Path, trainee: "AppearanceTrainee", gate: "GateTrainee | None", grammar: Grammar
) -> None:
    """Publish the weights at `path` by one rename; both have done all their steps."""
    settings, sizes = trainee.settings, trainee.sizes
    like = checked_like(settings.like, grammar, trainee.seen)
    header = Header(
        categories=grammar.categories,
        stuff=grammar.stuffs,
        unseen=unseen_classes(grammar, trainee.seen),
        like=like,
        width=sizes.width,
        height=sizes.height,
        channels=sizes.channels,
        coarsest=sizes.coarsest,
        style=sizes.style,
        grain=sizes.grain,
        encoder=sizes.encoder,
        precision=settings.precision,
        gate=None if gate is None else settings.gate_width,
    )
    segmenter = None if gate is None else gate.net
    stored = Stored(trainee.net, segmenter, trainee.bank, trainee.distance.unit)
    write_model(path, header, stored)


def unseen_classes(grammar: Grammar, seen: Sequence[int]) -> tuple[str, ...]:
    """Names of the world's classes of which the pairs show nothing."""
    return tuple(name for k, name in enumerate(class_names(grammar), 1) if k not in seen)


def checked_like(like: dict[str, str], grammar: Grammar, seen: Sequence[int]) -> dict[str, str]:
    """The entries of `like` that unseen classes need; refuses those that cannot be followed."""
    names = class_names(grammar)
    unseen = unseen_classes(grammar, seen)
    for name, other in like.items():
        where = f"learn.appearance.like: {name} = {other!r}"
        for one in (name, other):
            if one not in names:
                raise InputError(f"{where}: {grammar.world} has no {one!r}; it has {_told(names)}")
        if other in unseen:
            raise InputError(f"{where}: the pairs show no {other!r} either; name one that they do")
    return {name: other for name, other in like.items() if name in unseen}


def load_appearance_model(path: Path, grammar: Grammar) -> Appearance:
    """What `path` holds, ready to draw, if it was learned for this world's classes."""
    file = open_model(path, Header, "appearance")
    header, sizes = file.header, file.header.sizes
    _agree(path, header, grammar)
    _check_like(path, header)
    styles, terms = (next(iter(file.shapes.get(name, ())), 0) for name in ("bank", "unit"))

    def build() -> Stored:
        gate = None if header.gate is None else Segmenter(sizes.classes, header.gate)
        bank, unit = torch.zeros(styles, header.style), torch.zeros(terms)
        return Stored(Generator(sizes), gate, bank, unit)

    found = file.network(build).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Appearance(header, found.generator, found.bank, found.unit, found.gate)


def _agree(path: Path, header: Header, grammar: Grammar) -> None:
    for kind, ours, theirs in (
        ("categories", header.categories, grammar.categories),
        ("stuff", header.stuff, grammar.stuffs),
    ):
        if ours != theirs:
            raise InputError(
                f"{path}: was learned for the {kind} {_told(ours)}, but {grammar.world} has "
                f"{_told(theirs)}; use the run's own world, or learn again"
            )


def _check_like(path: Path, header: Header) -> None:
    names = set(header.names)
    strangers = ({*header.unseen, *header.like, *header.like.values()}) - names
    if strangers or len(names) > 255:
        raise InputError(f"{path}: header: its classes do not fit {sorted(strangers)}")


def _told(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
