"""What decides the result of a run of `learn`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from datagen.decoding import parse_json, read_text
from datagen.errors import InputError
from datagen.recipe import FROZEN_CAP, Recipe, differences

META = "meta.json"  # in the run folder


@dataclass(frozen=True)
class Spec:
    """Recipe, target and version; learning.run.Spec says what they are asked for."""

    recipe: Recipe
    target: str  # digest of the pictures
    version: str  # of datagen

    verb: ClassVar[str] = "learn"
    given: ClassVar[str] = "recipe and target"

    def to_json(self) -> dict[str, Any]:
        return {"recipe": self.recipe.encode(), "target": self.target, "version": self.version}

    def differing(self, folder: Path) -> list[str]:
        before = read_spec(folder)
        found = [*differences(before.recipe, self.recipe)]
        if before.recipe.learn_digest == self.recipe.learn_digest:
            found = []  # only what changes no result, such as the number of helpers
        if before.target != self.target:
            found.append("the pictures of the target")
        if before.version != self.version:
            found.append(f"datagen {before.version} -> {self.version}")
        return found


def read_spec(folder: Path) -> Spec:
    """What the run in `folder` was started with."""
    path = folder / META
    data = parse_json(read_text(path, FROZEN_CAP), str(path))
    if not isinstance(data.get("target"), str) or not isinstance(data.get("version"), str):
        raise InputError(f"{path}: is damaged; name a new folder")
    recipe = Recipe.decode(data.get("recipe", {}), str(path))
    return Spec(recipe, data["target"], data["version"])
