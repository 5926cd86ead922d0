"""Label maps as what parts of a recipe learn from."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from datagen.errors import InputError
from datagen.learning.appearance.stages import opened_stages
from datagen.learning.appearance.weights import checked_like
from datagen.learning.maps import sheets
from datagen.learning.maps.stages import train_parts
from datagen.learning.maps.statements import statements
from datagen.learning.parts.material import Progress, Sheet
from datagen.learning.run import RunFolder
from datagen.learning.statements import Statement
from datagen.reading.maps import LabelMaps, read_maps
from datagen.recipe import Recipe
from datagen.taught import Given, Section

_FEWEST = 4  # label maps


@dataclass(frozen=True)
class MapsMaterial:
    """A learning.parts.material.Material."""

    recipe: Recipe
    maps: LabelMaps
    given: ClassVar[Given] = "label maps"
    opening: ClassVar[str] = "Learned from label maps, in the classes of the scene grammar"

    @classmethod
    def read(cls, recipe: Recipe, target: Path) -> Self:
        """Everything that can be refused is, before anything is written."""
        maps = read_maps(target, recipe.world())
        if len(maps) < _FEWEST:
            raise InputError(
                f"{target}: need at least {_FEWEST} label maps to learn from, found {len(maps)}"
            )
        if "appearance" in recipe.untaught().values():
            _check_appearance(recipe, target, maps)
        return cls(recipe, maps)

    @property
    def digest(self) -> str:
        return self.maps.digest

    @property
    def size(self) -> tuple[int, int]:
        return self.maps.size

    @property
    def rejected(self) -> tuple[tuple[str, str], ...]:
        return self.maps.rejected

    def __len__(self) -> int:
        return len(self.maps)

    def teach(self, run: RunFolder, progress: Progress) -> dict[Section, Path]:
        return train_parts(self.recipe, self.maps, run, progress)

    def statements(self, taught: Recipe) -> list[Statement]:
        return statements(self.recipe, self.maps, taught)

    def sheets(self, taught: Recipe) -> Iterator[Sheet]:
        yield Sheet("maps.png", "Label maps of the target", sheets.given_maps(self.maps))
        for key, section in self.recipe.untaught().items():
            if section == "layout":
                title = "Learned layouts, as they come"
                yield Sheet("layouts.png", title, sheets.learned_layouts(taught))
            else:
                title = "A label map, its photo, and what was learned, in up to three styles"
                pixels = sheets.learned_pairs(taught, taught.parts[key], self.maps)
                yield Sheet("pairs.png", title, pixels)


def _check_appearance(recipe: Recipe, target: Path, maps: LabelMaps) -> None:
    settings = recipe.learn.appearance
    if not maps.has_images:
        raise InputError(
            f"{target}: its label maps have no pictures, and what layouts look like is learned "
            "from them; put them into its folder `images`, or leave the renderer `imle` out"
        )
    checked_like(settings.like, recipe.world(), maps.present)
    opened_stages(settings.weights and settings.weights.source)
