"""Learned weights lie in the dataset folder: an image can be made again where the run is gone."""

from pathlib import Path

from datagen.files import disk_space, sha256_of, write_atomic
from datagen.parts import Source
from datagen.recipe import Recipe


def stored(recipe: Recipe) -> Recipe:
    """The recipe as recipe.json holds it: its generator's weights by a name in the same folder."""
    weights = recipe.generator.weights
    if weights is None or Path(weights.source).is_dir():
        return recipe
    name = f"generator{Path(weights.source).suffix}"
    part = recipe.generator.model_copy(
        update={"weights": Source(source=name, sha256=weights.sha256)}
    )
    return recipe.model_copy(update={"generator": part})


def names(recipe: Recipe) -> list[str]:
    """Files in the dataset folder that a recipe.json names."""
    weights = recipe.generator.weights
    return [] if weights is None or Path(weights.source).is_absolute() else [weights.source]


def copy(recipe: Recipe, out: Path) -> None:
    """Bring the weights of `recipe` to where its stored form names them."""
    for name in names(stored(recipe)):
        assert recipe.generator.weights is not None
        source, target = Path(recipe.generator.weights.source), out / name
        if not target.is_file() or sha256_of(target) != recipe.generator.weights.sha256:
            recipe.generator.weights.check("generator.weights")
            with disk_space(out):
                write_atomic(target, source.read_bytes())
