"""Where a run writes its dataset: a folder, or an object store behind a working folder.

The working folder is a dataset folder without pictures: recipe.json and what it names, and of each
published shard the labels. What works on a dataset folder works on it; at the beginning it is made
to hold what the store holds, and at the end what is new goes to the store, `_COMPLETE` last of all.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from datagen import recipe as recipes
from datagen.dataset import manifest, store, versions, weights
from datagen.dataset.claim import claimed
from datagen.dataset.store import COMPLETE, Shard
from datagen.dataset.totals import Totals
from datagen.errors import DatagenError, InputError
from datagen.files import disk_space, locked, make_folder, sha256_of
from datagen.recipe import Recipe
from datagen.storage.address import Address, in_the_name_of
from datagen.storage.objects import Objects

_SHARD = re.compile(r"\d{8,}-\d{8,}")
_LABELS = ("records.jsonl", "scenes.jsonl")
_ENDS = ("annotations.json", "scenes.jsonl", "audit.json", "README.md", "manifest.json", COMPLETE)


class Site(Protocol):
    """A dataset that this run alone writes on this machine."""

    @property
    def recipe(self) -> Recipe:
        """The one in recipe.json."""
        ...

    @property
    def place(self) -> Path | Address: ...

    @property
    def folder(self) -> Path:
        """All of the dataset but, maybe, its pictures."""
        ...

    def reopen(self) -> None:
        """From now on the dataset counts as unfinished."""
        ...

    def finish(self, shards: Sequence[Shard]) -> Totals:
        """Write everything beside the shards, which are all published."""
        ...


@contextmanager
def taken(recipe: Recipe, place: Path | Address, *, resume: bool) -> Iterator[Site]:
    """Take the place for one run, or refuse it with nothing touched."""
    if isinstance(place, Path):
        with claimed(recipe, place, resume=resume) as held:
            yield FolderSite(held, place)
        return
    objects = Objects(place)
    home = place.working_folder
    folder = home / "dataset"
    with ExitStack() as stack:
        with in_the_name_of(place, folder, home):
            make_folder(folder)
            stack.enter_context(locked(home))
            there = _bring_what_is_there(objects, folder, resume)
            held = stack.enter_context(claimed(recipe, folder, resume=bool(there)))
            _claim(objects, held, folder, there)
        yield StoreSite(held, objects, folder)
        if store.is_complete(folder):
            shutil.rmtree(folder)  # nothing more is to be done there


@dataclass(frozen=True)
class FolderSite:
    """The dataset folder."""

    recipe: Recipe
    folder: Path

    @property
    def place(self) -> Path:
        return self.folder

    def reopen(self) -> None:
        store.reopen(self.folder)

    def finish(self, shards: Sequence[Shard]) -> Totals:
        return manifest.finish(self.recipe, self.folder, shards)


@dataclass(frozen=True)
class StoreSite:
    """Objects, and the working folder that stands for them."""

    recipe: Recipe
    objects: Objects
    folder: Path

    @property
    def place(self) -> Address:
        return self.objects.at

    def reopen(self) -> None:
        self.objects.delete(COMPLETE)
        store.reopen(self.folder)

    def finish(self, shards: Sequence[Shard]) -> Totals:
        with disk_space(self.folder):
            for _ in self.objects.each(self._bring_labels, shards):
                pass
            (self.folder / "nondeterminism").mkdir(exist_ok=True)
            for name in self.objects.below("nondeterminism/")[0]:
                self._bring(f"nondeterminism/{name}")
        totals = manifest.finish(self.recipe, self.folder, shards)
        for name in _ENDS:
            self.objects.write(name, self.folder / name)
        return totals

    def _bring_labels(self, shard: Shard) -> None:
        """The labels of a shard, unless they are here from an earlier run."""
        place = self.folder / shard.place
        place.mkdir(parents=True, exist_ok=True)
        if not store.is_published(self.folder, shard):
            self._bring(f"{shard.place}/shard.json")
        files = store.summary(self.folder, shard)["files"]
        for name in _LABELS:
            sha256 = files[name]["sha256"]
            if (place / name).is_file() and sha256_of(place / name) == sha256:
                continue
            self._bring(f"{shard.place}/{name}")
            if sha256_of(place / name) != sha256:
                raise DatagenError(
                    f"{self.place}/{shard.place}/{name} is not what shard.json says; remove the "
                    "objects of this shard, and run the same command with --resume"
                )

    def _bring(self, name: str) -> None:
        if not self.objects.download(name, self.folder / name):
            raise DatagenError(f"{self.place}/{name} is gone; run the same command with --resume")


# ---------------------------------------------------------------------------------------- taking


def _bring_what_is_there(objects: Objects, folder: Path, resume: bool) -> list[str]:
    """Make the working folder hold what the store holds; names of the objects beside the shards.

    InputError for a place that holds anything that this run may not go on with.
    """
    names, folders = objects.below()
    if names or folders:
        if "recipe.json" not in names:
            raise InputError(f"{objects.at} is not empty; give a new place with --out")
        if not resume:
            raise InputError(
                f"{objects.at} is not empty; continue it with --resume, or give a new place with "
                "--out"
            )
    for entry in folder.iterdir():
        if entry.name != "shards" or "shards" not in folders:  # what another run has left
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    if not names:
        return []  # whoever begins here meanwhile is met when it is claimed
    with disk_space(folder):
        _bring_shards(objects, folder)
        wanted = ["recipe.json", versions.FILE]
        wanted += ["manifest.json", COMPLETE] if COMPLETE in names else []
        for name in wanted:
            objects.download(name, folder / name)
        path = folder / "recipe.json"
        for name in weights.names(Recipe.decode(store.read_json(path), str(path))):
            objects.download(name, folder / name)
    return names


def _bring_shards(objects: Objects, folder: Path) -> None:
    """shard.json of those that are published; others are forgotten."""

    def bring(name: str) -> str | None:
        (here / name).mkdir(parents=True, exist_ok=True)
        there = objects.download(f"shards/{name}/shard.json", here / name / "shard.json")
        return name if there else None

    here = folder / "shards"
    begun = filter(_SHARD.fullmatch, objects.below("shards/")[1])
    published = set(objects.each(bring, begun))
    for entry in here.iterdir() if here.is_dir() else ():
        if entry.name not in published:
            shutil.rmtree(entry)


def _claim(objects: Objects, held: Recipe, folder: Path, there: Sequence[str]) -> None:
    """Put recipe.json, where there is none, and after it what a worker needs beside it."""
    name, path = "recipe.json", folder / "recipe.json"
    is_new = name not in there and objects.create(name, path)
    if not is_new and objects.read(name) != path.read_bytes():
        if name not in there:
            raise InputError(_taken_meanwhile(objects, held))
        objects.delete(COMPLETE)  # it vouches for the recipe as it was; an asset has moved
        objects.write(name, path)
    if objects.create(name, path):  # nothing has changed: these bytes were there
        if is_new:
            objects.delete(name)
        raise InputError(
            f"{objects.at}: this store writes over an object that is there although it is asked "
            "not to (If-None-Match), so two workers could spoil each other's shards; use another"
        )
    name, path = versions.FILE, folder / versions.FILE
    if name not in there and not objects.create(name, path):
        objects.download(name, path)  # of who was faster, who may have others
        versions.check(held, folder)
    for name in weights.names(held):
        if name not in there:
            objects.write(name, folder / name)


def _taken_meanwhile(objects: Objects, held: Recipe) -> str:
    """What to say when another run was faster."""
    path = objects.at.working_folder / "dataset" / "theirs.json"
    objects.download("recipe.json", path)
    theirs = Recipe.decode(store.read_json(path), f"{objects.at}/recipe.json")
    changed = recipes.differences(theirs, held, learn=False)
    if not changed:
        return f"{objects.at}: another run has just begun here; add --resume to help it"
    return (
        f"{objects.at} was begun with another recipe; it differs in {'; '.join(changed[:8])}. "
        "Give a new place with --out"
    )
