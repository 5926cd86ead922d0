"""What parts of a recipe learn from, and what a run says and shows of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from datagen import labels
from datagen.frames import first
from datagen.learning.loop import Tick
from datagen.learning.run import RunFolder
from datagen.learning.statements import Statement
from datagen.recipe import Recipe
from datagen.report.sheet import contact_sheet
from datagen.taught import Given, Section

Progress = Callable[[Tick], None]
SHOWN = 24  # pictures on a sheet
COLUMNS = 6


@dataclass(frozen=True)
class Sheet:
    """A contact sheet of the report."""

    file: str  # in the run folder
    title: str
    pixels: np.ndarray  # uint8 [H, W, 3]


class Material(Protocol):
    """Label maps or photos, looked at and found fit for the parts of a recipe."""

    given: ClassVar[Given]
    opening: ClassVar[str]  # what the report is of, in a line

    @property
    def digest(self) -> str: ...  # of names and contents
    @property
    def size(self) -> tuple[int, int]: ...  # width, height, px
    @property
    def rejected(self) -> tuple[tuple[str, str], ...]: ...  # (file, why it was left out)
    def __len__(self) -> int: ...

    def teach(self, run: RunFolder, progress: Progress) -> dict[Section, Path]:
        """The files of what the recipe's parts have learned."""
        ...

    def statements(self, taught: Recipe) -> list[Statement]:
        """Of the run as a whole; `taught` is the recipe with what its parts have learned."""
        ...

    def sheets(self, taught: Recipe) -> Iterator[Sheet]:
        """Each is drawn when it is asked for."""
        ...


def first_images(recipe: Recipe) -> Iterator[Sheet]:
    """The first images of the dataset that `datagen generate` makes: labels hide what is below."""
    frames = list(first(recipe, SHOWN // 2))
    things = [shown for frame in frames for shown in ([], labels.annotate(frame))]
    title = "The first images that the run generates, each beside itself with labels"
    images = [frame.image for frame in frames for _ in range(2)]
    yield Sheet("images.png", title, contact_sheet(images, things, columns=COLUMNS))


def spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` numbers, evenly over 0 to `count` - 1: frames of a video look alike."""
    wanted = min(count, wanted)
    return [k * count // wanted for k in range(wanted)]
