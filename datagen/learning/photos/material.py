"""Photos without labels as what a generator of pictures learns from."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from datagen.dataset.targets import Targets, load_targets
from datagen.errors import InputError
from datagen.learning.parts.material import Progress, Sheet
from datagen.learning.photos import sheets
from datagen.learning.photos.stages import Lesson
from datagen.learning.photos.statements import statements
from datagen.learning.photos.windows import windows_of
from datagen.learning.run import RunFolder
from datagen.learning.statements import Statement
from datagen.reading.map_sources import CLASSES, MAPS
from datagen.recipe import Recipe
from datagen.taught import Given, Section

_FEWEST = 16  # photos
_DARK = 48  # of 255: a folder of pictures with no brighter pixel holds maps of class numbers


@dataclass(frozen=True)
class PhotosMaterial:
    """A learning.parts.material.Material."""

    recipe: Recipe
    targets: Targets
    lesson: Lesson
    given: ClassVar[Given] = "photos"
    opening: ClassVar[str] = "Learned from photos without labels: pictures, and things in them"

    @classmethod
    def read(cls, recipe: Recipe, target: Path) -> Self:
        """Everything that can be refused is, before anything is written."""
        section = recipe.untaught()["generator"]
        _refuse_folder_of_maps(recipe, target)
        targets = load_targets(target, recipe.world().canvas, fewest=_FEWEST)
        _refuse_class_numbers(recipe, target, targets)
        windows = None
        if section == "relate_clips":
            lost = [name for name, _ in targets.rejected]
            windows = windows_of(target, targets.names, recipe.learn.relate_clips.frames, lost)
        return cls(recipe, targets, Lesson(recipe, section, targets.images, windows))

    @property
    def section(self) -> Section:
        return self.lesson.section

    @property
    def digest(self) -> str:
        return self.targets.digest

    @property
    def size(self) -> tuple[int, int]:
        return self.recipe.world().canvas

    @property
    def rejected(self) -> tuple[tuple[str, str], ...]:
        return self.targets.rejected

    def __len__(self) -> int:
        return len(self.targets.images)

    def teach(self, run: RunFolder, progress: Progress) -> dict[Section, Path]:
        return {self.section: self.lesson.teach(run, progress)}

    def statements(self, taught: Recipe) -> list[Statement]:
        return statements(taught, len(self))

    def sheets(self, taught: Recipe) -> Iterator[Sheet]:
        return sheets.drawn(taught, self.section, self.targets)


def _refuse_folder_of_maps(recipe: Recipe, target: Path) -> None:
    if (target / CLASSES).is_file() and (target / MAPS).is_dir():
        raise InputError(
            f"{target}: is a folder of label maps, and `{recipe.generator.use}` learns from photos "
            "alone; give its folder `images`"
        )


def _refuse_class_numbers(recipe: Recipe, target: Path, targets: Targets) -> None:
    brightest = int(targets.images.max())
    if brightest < _DARK:
        raise InputError(
            f"{target}: no pixel of its pictures is brighter than {brightest} of 255, as in label "
            f"maps; `{recipe.generator.use}` learns from photos alone: give those"
        )
