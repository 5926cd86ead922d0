"""A learned RELATE on disk: safetensors, with its sizes and its world in the header."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Field

from datagen.errors import InputError
from datagen.grammar import Grammar
from datagen.interfaces import Component
from datagen.learning.model_file import check_canvas, open_model, write_model
from datagen.learning.photos.category import category_of, check_category
from datagen.learning.relate.toggling import Usual, looked_at, usual_of
from datagen.models.relate import Generator, Sizes, doublings
from datagen.settings.relate import Count

if TYPE_CHECKING:  # who only reads weights need not import how they are learned
    from datagen.learning.relate.training import RelateTrainee

_FORMAT = "datagen-relate-1"

Side = Annotated[int, Field(ge=16, le=8192)]


class Header(Component):
    """What a file of weights says of itself."""

    format: Literal["datagen-relate-1"]
    world: str
    categories: tuple[str, ...]  # class id = position + 1
    category: str  # of all objects
    objects: tuple[Count, Count]  # in a picture that it learned from: fewest, most
    strength: float = Field(gt=0, le=1)  # how objects are as a rule: toggling.Usual
    area: float = Field(gt=0)  # px
    attempts: int = Field(default=1, ge=1)  # how often its training began
    width: Side  # px
    height: Side
    channels: int = Field(ge=8, le=1024)
    window: int = Field(ge=2, le=8192)
    background: int = Field(ge=1, le=1024)
    appearance: int = Field(ge=0, le=1024)
    constants: int = Field(ge=1, le=64)
    interaction: Literal["general", "ordered", "none"]
    residual: bool
    pooling: Literal["sum", "max"]
    scale: bool
    spread: float = Field(gt=0, le=1)

    @property
    def sizes(self) -> Sizes:
        return Sizes(**{name: getattr(self, name) for name in Sizes.__dataclass_fields__})


@dataclass(frozen=True)
class Relate:
    """What `save_relate_model` wrote, ready to draw."""

    net: Generator
    category: int  # of all objects: its number in the world
    objects: tuple[int, int]  # that it learned with: fewest, most
    usual: Usual


def save_relate_model(path: Path, trainee: "RelateTrainee", grammar: Grammar) -> None:
    """Publish the averaged generator by one rename; `grammar` is the world of its pictures."""
    net = trainee.sampler()
    write_model(path, header_of(trainee, net, grammar), net)


def header_of(trainee: "RelateTrainee", net: Generator, grammar: Grammar) -> Header:
    """Of its averaged generator `net`."""
    settings = trainee.settings
    category = category_of(settings.category, grammar, "relate")
    usual = usual_of(looked_at(net, settings.objects))
    return Header(
        format=_FORMAT,
        world=grammar.world,
        categories=grammar.categories,
        category=grammar.categories[category - 1],
        objects=settings.objects,
        strength=usual.strength,
        area=usual.area,
        attempts=trainee.attempt,
        **asdict(trainee.sizes),
    )


def load_relate_model(path: Path, grammar: Grammar) -> Relate:
    """The model of `path`, ready to draw, if it was learned for this world and canvas."""
    file = open_model(path, Header, "RELATE model")
    check_agreement(path, file.header, grammar)
    return relate_of(file.header, file.network(lambda: Generator(file.header.sizes)), grammar)


def relate_of(header: Header, net: Generator, grammar: Grammar) -> Relate:
    """The model with this header, of this world."""
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Relate(
        net=net,
        category=grammar.categories.index(header.category) + 1,
        objects=header.objects,
        usual=Usual(header.strength, header.area),
    )


def attempts_of(path: Path) -> int:
    """How often the training of a model began."""
    return open_model(path, Header, "RELATE model").header.attempts


def check_agreement(path: Path, header: Header, grammar: Grammar) -> None:
    """Refuses another world's objects, another canvas, and sizes that fit no picture."""
    size = (header.width, header.height)
    check_category(path, header.category, header.world, grammar)
    check_canvas(path, size, grammar)
    unit = 1 << doublings(*size)
    fewest, most = header.objects
    if fewest > most or most == 0 or any(side % unit for side in size):
        raise InputError(f"{path}: header: its sizes do not fit each other")
