"""A learned GNM on disk: safetensors, with its sizes, its world and its category in the header."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from datagen.errors import InputError
from datagen.grammar import Grammar
from datagen.interfaces import Component
from datagen.learning.model_file import check_canvas, open_model, write_model
from datagen.learning.photos.category import category_of, check_category
from datagen.models.gnm import Gnm, Sizes

if TYPE_CHECKING:  # who only reads weights need not import how they are learned
    from datagen.learning.gnm.training import GnmTrainee

_FORMAT = "datagen-gnm-1"

Side = Annotated[int, Field(ge=8, le=8192)]
Power = Literal[8, 16, 32, 64]


class Header(Component):
    """What a file of weights says of itself."""

    format: Literal["datagen-gnm-1"]
    world: str
    category: str  # of all objects
    canvas: tuple[Side, Side]  # width, height, px
    channels: Literal[1, 3]
    cell: Power
    width: int = Field(ge=4, le=512)
    what: int = Field(ge=1, le=1024)
    glimpse: Power
    drawing: int = Field(ge=1, le=64)
    latent: int = Field(ge=1, le=1024)
    hidden: int = Field(ge=8, le=8192)
    alpha: bool
    background: int = Field(ge=0, le=1024)
    size: float = Field(gt=0, lt=1)
    noise: float = Field(gt=0)


_OF_FILE = ("format", "world", "category")  # all else are the sizes


def save_gnm_model(path: Path, trainee: "GnmTrainee", grammar: Grammar) -> None:
    """Publish the model by one rename; `grammar` is the world whose pictures it has seen."""
    model = trainee.sampler()
    category = category_of(trainee.settings.category, grammar, "gnm")
    header = Header(
        format=_FORMAT,
        world=grammar.world,
        category=grammar.categories[category - 1],
        **vars(model.sizes),
    )
    write_model(path, header, model)


def load_gnm_model(path: Path, grammar: Grammar) -> tuple[Gnm, str]:
    """The model of `path` and the category of its objects, if it fits this world and canvas."""
    file = open_model(path, Header, "GNM")
    header = file.header
    _agree(path, header, grammar)
    sizes = Sizes(**{k: v for k, v in vars(header).items() if k not in _OF_FILE})
    return file.network(lambda: Gnm(sizes)), header.category


def _agree(path: Path, header: Header, grammar: Grammar) -> None:
    """Refuses a world without the objects' category, another canvas, and cells that do not fit."""
    check_category(path, header.category, header.world, grammar)
    check_canvas(path, header.canvas, grammar)
    if header.canvas[0] % header.cell or header.canvas[1] % header.cell:
        raise InputError(f"{path}: header: the canvas is no grid of cells of {header.cell} px")
