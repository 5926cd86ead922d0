"""The software that decides a dataset's bytes: frozen at its beginning, compared at --resume."""

import importlib.metadata
import sys
from pathlib import Path

import datagen
from datagen.dataset import store
from datagen.digest import canonical
from datagen.errors import InputError
from datagen.files import disk_space, write_atomic
from datagen.recipe import Recipe

FILE = "versions.json"
_PACKAGES = ("numpy", "opencv-python-headless", "pycocotools")
_LEARNED = ("torch",)  # only learned weights are read and run by it


def versions(recipe: Recipe) -> dict[str, str]:
    """Of Python (without its patch level), datagen, and what else this recipe needs."""
    parts = (recipe.generator, *recipe.renderers)
    learned = any(part.weights is not None for part in parts)
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    found["datagen"] = datagen.__version__
    for name in (*_PACKAGES, *(_LEARNED if learned else ())):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    for part in recipe.renderers:
        found |= part.component("renderers").software()
    return found


def check(recipe: Recipe, out: Path) -> None:
    """Refuses to go on with other software than what is in the dataset was made with."""
    path, here = out / FILE, versions(recipe)
    if not path.is_file():
        if (out / "shards").exists():
            raise InputError(
                f"{out}: versions.json is gone, so nobody knows what the images there were made "
                f"with; start a new folder with --out"
            )
        return
    before = store.read_json(path)
    changed = [
        f"{name} {before.get(name, 'absent')} -> {here.get(name, 'absent')}"
        for name in sorted(before.keys() | here.keys())
        if before.get(name) != here.get(name)
    ]
    if changed:
        raise InputError(
            f"{out} was begun with other software: {', '.join(changed)}; images made now could "
            f"differ from those there. Install the former versions, or start a new folder with "
            f"--out"
        )


def settle(recipe: Recipe, out: Path) -> None:
    """Write versions.json, unless it is there."""
    if not (out / FILE).is_file():
        write(out, versions(recipe))


def write(out: Path, found: dict[str, str]) -> None:
    """Publish versions.json."""
    with disk_space(out):
        write_atomic(out / FILE, canonical(found) + b"\n")
