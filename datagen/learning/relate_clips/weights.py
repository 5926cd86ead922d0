"""A learned RELATE with its motion on disk: safetensors, with what it is in the header."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field
from torch import nn

from datagen.grammar import Grammar
from datagen.interfaces import Component
from datagen.learning.model_file import open_model, write_model
from datagen.learning.relate.weights import (
    Header,
    Relate,
    check_agreement,
    header_of,
    relate_of,
)
from datagen.models.relate import Generator
from datagen.models.relate_motion import Motion

if TYPE_CHECKING:  # who only reads weights need not import how they are learned
    from datagen.learning.relate_clips.training import RelateClipsTrainee

_FORMAT = "datagen-relate-clips-1"
_OF = "RELATE model of clips"


class ClipsHeader(Component):
    """What a file of weights says of itself."""

    format: Literal["datagen-relate-clips-1"]
    still: Header  # of what paints the frames
    rollout: int = Field(ge=2, le=256)  # frames of the clips that it learned to make


class Painted(nn.Module):
    """What paints frames, and what moves the objects in them."""

    def __init__(self, still: Generator, motion: Motion) -> None:
        super().__init__()
        self.still, self.motion = still, motion


@dataclass(frozen=True)
class RelateClips:
    """What `save_relate_clips_model` wrote, ready to draw."""

    still: Relate
    motion: Motion
    rollout: int


def save_relate_clips_model(path: Path, trainee: "RelateClipsTrainee", grammar: Grammar) -> None:
    """Publish both averages by one rename; `grammar` is the world of their frames."""
    still, motion = trainee.samplers()
    header = ClipsHeader(
        format=_FORMAT,
        still=header_of(trainee.still, still, grammar),
        rollout=trainee.motion.rollout,
    )
    write_model(path, header, Painted(still, motion))


def attempts_of(path: Path) -> int:
    """How often the training of what paints the frames began."""
    return open_model(path, ClipsHeader, _OF).header.still.attempts


def load_relate_clips_model(path: Path, grammar: Grammar) -> RelateClips:
    """The model of `path`, ready to draw, if it was learned for this world and canvas."""
    file = open_model(path, ClipsHeader, _OF)
    header = file.header
    check_agreement(path, header.still, grammar)
    sizes = header.still.sizes

    def build() -> Painted:
        return Painted(Generator(sizes), Motion(sizes.background, sizes.appearance))

    net = file.network(build)
    return RelateClips(relate_of(header.still, net.still, grammar), net.motion, header.rollout)
