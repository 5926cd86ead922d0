"""`datagen learn` of a recipe whose parts learn from label maps."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen import __version__
from datagen.dataset.targets import write_rejected
from datagen.errors import InputError
from datagen.learning.appearance.stages import opened_stages
from datagen.learning.appearance.weights import checked_like
from datagen.learning.loop import Tick
from datagen.learning.maps.publishing import publish
from datagen.learning.maps.stages import train_parts
from datagen.learning.maps.statements import statements
from datagen.learning.run import keep_apart, opened_run
from datagen.learning.spec import Spec
from datagen.learning.statements import Statement
from datagen.reading.maps import LabelMaps, read_maps
from datagen.recipe import Recipe
from datagen.threads import one_thread

_FEWEST = 4  # label maps


@dataclass(frozen=True)
class MapsReport:
    """What a run of `learn` on label maps came to."""

    run: Path
    targets: int  # label maps used
    rejected: int  # files that could not be used
    statements: tuple[Statement, ...]

    def to_json(self) -> dict[str, Any]:
        head = {"run": str(self.run), "targets": self.targets, "rejected": self.rejected}
        return head | {"statements": [one.to_json() for one in self.statements]}


@dataclass(frozen=True)
class Given:
    """What there is to learn from."""

    maps: LabelMaps
    spec: Spec


def learn_maps(
    recipe: Recipe, target: Path, out: Path, *, resume: bool, progress: Callable[[Tick], None]
) -> MapsReport:
    """Teach the recipe's parts that have no weights; what else it says stays as it is.

    Killed at any moment, the run goes on from its last checkpoint with `resume`.
    """
    given = looked_at(recipe, target, out)
    maps = given.maps
    with opened_run(out, spec=given.spec, resume=resume) as run, one_thread():
        write_rejected(out / "rejected.jsonl", maps.rejected)
        weights = train_parts(recipe, maps, run, progress)
        said = publish(recipe, maps, out, weights, statements(recipe, maps))
    return MapsReport(out, len(maps), len(maps.rejected), tuple(said))


def looked_at(recipe: Recipe, target: Path, out: Path) -> Given:
    """Everything that can be refused is, before anything is written."""
    recipe.check_sources()
    keep_apart(target, out)
    maps = read_maps(target, recipe.world())
    if len(maps) < _FEWEST:
        raise InputError(
            f"{target}: need at least {_FEWEST} label maps to learn from, found {len(maps)}"
        )
    if "appearance" in recipe.untaught().values():
        _check_appearance(recipe, target, maps)
    return Given(maps, Spec(recipe, maps.digest, __version__))


def _check_appearance(recipe: Recipe, target: Path, maps: LabelMaps) -> None:
    settings = recipe.learn.appearance
    if not maps.has_images:
        raise InputError(
            f"{target}: its label maps have no pictures, and what layouts look like is learned "
            "from them; put them into its folder `images`, or leave the renderer `imle` out"
        )
    checked_like(settings.like, recipe.world(), maps.present)
    opened_stages(settings.weights and settings.weights.source)
