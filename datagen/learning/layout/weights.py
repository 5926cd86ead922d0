"""A learned layout model on disk: safetensors, with its sizes and its world in the header."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from datagen.errors import InputError
from datagen.grammar import Grammar
from datagen.interfaces import Component
from datagen.learning.model_file import check_canvas, open_model, write_model
from datagen.models.semgan import Generator

if TYPE_CHECKING:  # who only reads weights need not import how they are learned
    from datagen.learning.layout.training import LayoutTrainee

_FORMAT = "datagen-semgan-2"

Side = Annotated[int, Field(ge=8, le=8192)]


class Header(Component):
    """What a file of weights says of itself."""

    format: Literal["datagen-semgan-2"]
    world: str
    categories: tuple[str, ...]  # class id = position + 1
    stuff: tuple[str, ...]  # ids go on
    size: tuple[Side, Side]  # width, height of the layouts, px
    width: int = Field(ge=4, le=512)
    kernel: int = Field(ge=3, le=15)
    latent: int = Field(ge=1, le=4096)


def save_layout_model(path: Path, trainee: "LayoutTrainee", grammar: Grammar) -> None:
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
    write_model(path, header, trainee.sampler())


def load_layout_model(path: Path, grammar: Grammar) -> Generator:
    """The generator of `path`, ready to be called, if it was learned for this world and canvas."""
    file = open_model(path, Header, "layout model")
    header = file.header
    _agree(path, header, grammar)
    classes = 1 + len(header.categories) + len(header.stuff)
    return file.network(
        lambda: Generator(header.size, classes, header.width, header.kernel, header.latent)
    )


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
    check_canvas(path, header.size, grammar)
