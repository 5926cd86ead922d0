"""The shelf of a dataset in an object store, where a shard is published by its shard.json.

A store has no rename, so a shard's files become visible one after the other. They count when
`shard.json`, which names all of them with size and sha256, is there: it is put last. Every object
of a shard is put only where there is none (If-None-Match), so that

- two attempts at a time write the same bytes, and each takes the other's objects for its own;
- what a killed attempt has left is taken over by the next one, which writes the rest;
- an attempt with other bytes cannot tear a shard: an object that is there stays, and whoever finds
  one that is not as its own gives way. The labels, which name the sha256 of every picture, are put
  before all pictures: an attempt that gives way has not put anything beside the other's.

Nothing here deletes or replaces an object, so what was compared once stays true at the commit.
"""

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.dataset import store, versions, weights
from datagen.dataset.store import FolderShelf, Shard, ShardFolder, Shelf
from datagen.digest import of_bytes
from datagen.errors import DatagenError, InputError
from datagen.files import disk_space, is_locked, locked, make_folder
from datagen.recipe import Recipe
from datagen.storage.address import Address, in_the_name_of
from datagen.storage.objects import Objects

_BEFORE_PICTURES = ("records.jsonl", "scenes.jsonl")
_COMMIT = "shard.json"
_GIVING_WAY = 30.0  # seconds for which an attempt waits for the one that it gives way to


@contextmanager
def shelf_of(place: Path | Address) -> Iterator[Shelf]:
    """The shelf of a dataset that is begun; of a store with a private folder for this process."""
    if isinstance(place, Path):
        yield FolderShelf(place)
        return
    objects = Objects(place)
    with _private_folder(place) as folder:
        _bring(objects, "recipe.json", folder)
        recipe = Recipe.decode(store.read_json(folder / "recipe.json"), f"{place}/recipe.json")
        for name in (versions.FILE, *weights.names(recipe)):
            _bring(objects, name, folder)
        with in_the_name_of(place, folder):
            versions.check(recipe, folder)
        yield StoreShelf(objects, folder)


def _bring(objects: Objects, name: str, folder: Path) -> None:
    with disk_space(folder):
        there = objects.download(name, folder / name)
    if not there:
        raise InputError(f"{objects.at} holds no {name}: it is no dataset that was begun")


@contextmanager
def _private_folder(at: Address) -> Iterator[Path]:
    """A folder that is gone afterwards; after a kill -9, when the next one is made."""
    beside = at.working_folder / "workers"
    make_folder(beside)
    for other in beside.iterdir():
        if not other.name.startswith(".") and not is_locked(other):
            shutil.rmtree(other, ignore_errors=True)
    name = uuid.uuid4().hex[:12]
    hidden, folder = beside / f".{name}", beside / name
    hidden.mkdir()
    with locked(hidden):
        hidden.rename(folder)  # seen by others when it is locked
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class StoreShelf:
    """`folder` holds recipe.json and what it names, and one shard at a time."""

    objects: Objects
    folder: Path
    has_all = False

    def holds(self, shard: Shard) -> bool:
        return self.objects.has(f"{shard.place}/{_COMMIT}")

    def publish(self, written: ShardFolder, facts: dict[str, Any]) -> None:
        """Put all files, shard.json last; or give way to an attempt with other content."""
        written.close(facts)
        written.check()
        commit = f"{written.shard.place}/{_COMMIT}"
        self._refuse_another_dataset()
        if self._put_all(written):
            self._refuse_another_dataset()
            if self.objects.create(commit, written.folder / _COMMIT):
                return
        ours, theirs = (written.folder / _COMMIT).read_bytes(), self._committed(commit)
        if theirs is None:
            raise DatagenError(
                f"{self.objects.at}/{written.shard.place}/ holds objects of an attempt that did "
                "not come to its end, and they are not what is made here: the same image came out "
                "differently. Remove what lies there while no run is under way, and --resume"
            )
        if ours != theirs:
            record = written.folder / "nondeterminism.json"
            record.write_bytes(store.both_accounts(theirs, ours))
            # The first one stays: the manifest of a run at its end may name it by now.
            self.objects.create(f"nondeterminism/{written.shard.name}.json", record)

    def _refuse_another_dataset(self) -> None:
        """The place may have been emptied and begun anew while a shard was made for what it was."""
        if self.objects.read("recipe.json") != (self.folder / "recipe.json").read_bytes():
            raise DatagenError(
                f"{self.objects.at} is another dataset by now than this shard was made for; begin "
                "anew at another place"
            )

    def _put_all(self, written: ShardFolder) -> bool:
        """Whether the store now holds our files, whoever put them."""

        def put(name: str) -> bool:
            place = f"{written.shard.place}/{name}"
            if self.objects.create(place, written.folder / name):
                return True
            there = self.objects.read(place)
            return there is not None and of_bytes(there) == written.files[name]["sha256"]

        rest = [name for name in written.files if name not in (*_BEFORE_PICTURES, _COMMIT)]
        return all(map(put, _BEFORE_PICTURES)) and all(self.objects.each(put, rest))

    def _committed(self, commit: str) -> bytes | None:
        """The other attempt's shard.json, which may still be on its way."""
        end = time.monotonic() + _GIVING_WAY
        while (theirs := self.objects.read(commit)) is None and time.monotonic() < end:
            time.sleep(0.5)
        return theirs
