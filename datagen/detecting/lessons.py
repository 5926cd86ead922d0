"""What `datagen train` is given to learn from: labelled pictures, or a recipe that makes some."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen import pipeline, plugins
from datagen import recipe as recipes
from datagen.dataset import store
from datagen.dataset.folders import is_dataset, is_train_run
from datagen.detecting.snapshot import weights_of
from datagen.errors import InputError
from datagen.jobs.executors import Workers
from datagen.labelled import Labelled
from datagen.progress import Advance
from datagen.reading import digest, read
from datagen.recipe import Recipe
from datagen.settings.train import Train, check_sets, settings_of

DATASET = "dataset"  # in the run's folder, where a recipe makes the pictures


@dataclass(frozen=True)
class Lesson:
    """The pictures, or the recipe of them, and how to learn them."""

    source: Labelled | Recipe
    settings: Train

    @property
    def digest(self) -> str:
        """What the pictures are; a recipe says it before they are made."""
        if isinstance(self.source, Recipe):
            return f"recipe {self.source.digest}"
        return digest(self.source)

    def keep_apart(self, out: Path) -> None:
        """The run's own files must not lie among the pictures that it learns from."""
        if isinstance(self.source, Recipe):
            return
        folder = self.source.folder.resolve()
        if out.resolve().is_relative_to(folder):
            raise InputError(f"{out}: lies inside {folder}, which is learned from; choose another")

    def labelled(self, run: Path, workers: Workers, progress: Advance) -> Labelled:
        """The pictures; those of a recipe are made, or completed, in the run's folder."""
        if not isinstance(self.source, Recipe):
            return self.source
        out = run / DATASET
        pipeline.generate(
            self.source,
            out,
            workers=workers,
            resume=out.exists(),
            progress=lambda p: progress(p.done, p.total, "making the pictures"),
        )
        return read(out, "coco")


def lesson(given: str, sets: Sequence[str] = (), start: Path | None = None) -> Lesson:
    """A labelled folder or file, a recipe, or the name of one; `sets` as for a recipe.

    The settings are those of the recipe, which a dataset of ours has kept. `start` is a run of
    `train`, or its weights, to go on from.
    """
    path = Path(given)
    if start is not None:
        # In quotes, since values are TOML.
        weights = json.dumps(str(weights_of(start)), ensure_ascii=False)
        sets = [*sets, f"train.start={weights}"]
    if _is_recipe(given, path):
        recipe = recipes.load(given, sets)
        recipe.check_sources(learn=False)
        return Lesson(recipe, recipe.train)
    check_sets(sets)
    if is_train_run(path):
        raise InputError(
            f"{path}: is a run of `datagen train`, no set of pictures; name the pictures, and give "
            f"the run by --from {path}"
        )
    if is_dataset(path) and not store.is_complete(path):
        raise InputError(f"{path}: is not finished; run `datagen generate` with --resume first")
    labelled = read(path)
    if is_dataset(path):
        return Lesson(labelled, recipes.read(path / "recipe.json", sets).train)
    return Lesson(labelled, settings_of(sets))


def _is_recipe(given: str, path: Path) -> bool:
    """A recipe file, a run of `learn`, or a name; every other thing that is there has labels."""
    if given in plugins.names("configs") or not os.path.exists(path):
        return True
    if path.is_file():
        return path.suffix == ".toml" or path.name == "recipe.json"
    return (path / "recipe.json").is_file() and not is_dataset(path)
