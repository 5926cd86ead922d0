"""Learned weights lie in the dataset folder: an image can be made again where the run is gone."""

from collections.abc import Iterator
from pathlib import Path

from datagen.files import disk_space, sha256_of, write_atomic
from datagen.parts import Part, Source
from datagen.recipe import Recipe


def stored(recipe: Recipe) -> Recipe:
    """The recipe as recipe.json holds it: weights by names in the same folder."""
    parts = [
        part if name is None else part.model_copy(update={"weights": _named(part, name)})
        for part, name in zip(_parts(recipe), _names(recipe), strict=True)
    ]
    return recipe.model_copy(update={"generator": parts[0], "renderers": tuple(parts[1:])})


def names(recipe: Recipe) -> list[str]:
    """Files in the dataset folder that a recipe.json names."""
    found = [part.weights.source for part in _parts(recipe) if part.weights is not None]
    return [source for source in found if not Path(source).is_absolute()]


def copy(recipe: Recipe, out: Path) -> None:
    """Bring the weights of `recipe` to where its stored form names them."""
    keys = ("generator", *(f"renderers.{k}" for k in range(len(recipe.renderers))))
    for key, part, name in zip(keys, _parts(recipe), _names(recipe), strict=True):
        if part.weights is None or name is None:
            continue
        target = out / name
        if not target.is_file() or sha256_of(target) != part.weights.sha256:
            part.weights.check(f"{key}.weights")
            with disk_space(out):
                write_atomic(target, Path(part.weights.source).read_bytes())


def _parts(recipe: Recipe) -> tuple[Part, ...]:
    return (recipe.generator, *recipe.renderers)


def _names(recipe: Recipe) -> Iterator[str | None]:
    """What the weights of each part are called in the dataset folder; None: they stay away."""
    for k, part in enumerate(_parts(recipe)):
        if part.weights is None or Path(part.weights.source).is_dir():
            yield None
        else:
            what = "generator" if k == 0 else f"renderer-{k - 1}"
            yield what + Path(part.weights.source).suffix


def _named(part: Part, name: str) -> Source:
    assert part.weights is not None
    return Source(source=name, sha256=part.weights.sha256)
