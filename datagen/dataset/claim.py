"""Taking an output folder for one run, or refusing it with nothing touched."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datagen import recipe as recipes
from datagen.dataset import store
from datagen.digest import canonical
from datagen.errors import DatagenError, InputError
from datagen.files import disk_space, locked, write_atomic
from datagen.recipe import Recipe


@contextmanager
def claimed(recipe: Recipe, out: Path, *, resume: bool) -> Iterator[None]:
    """Hold `out` for writing, with this recipe's recipe.json in it and no leftovers."""
    _keep_apart(recipe, out)
    created = _prepare(out, resume)
    try:
        with locked(out):
            if not resume:
                _refuse_filled(out)
            _settle_recipe(recipe, out)
            store.sweep(out)
            try:
                yield
            finally:
                shutil.rmtree(out / "tmp", ignore_errors=True)
    except DatagenError:
        if created:
            _remove_unused(out)
        raise


def _keep_apart(recipe: Recipe, out: Path) -> None:
    """The output must not lie in an input, nor an input in the output."""
    target = out.resolve()
    for name, source in recipe.sources():
        if source.sha256 is None:
            continue
        place = Path(source.source).resolve()
        if target == place or target in place.parents or place in target.parents:
            raise InputError(f"{out}: the output and {name} ({place}) must lie apart")


def _prepare(out: Path, resume: bool) -> bool:
    """Make the folder if it is not there; True when it was made."""
    if out.is_file():
        raise InputError(f"{out} is a file; give a new folder with --out")
    if out.exists():
        if not resume:
            _refuse_filled(out)
        return False
    try:
        out.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{out}: cannot make this folder ({error.strerror})") from error
    return True


def _refuse_filled(out: Path) -> None:
    try:
        filled = any(entry.name != store.LOCK for entry in out.iterdir())
    except OSError as error:
        raise InputError(f"{out}: cannot read this folder ({error.strerror})") from error
    if not filled:
        return
    if _is_held(out / store.LOCK):
        with locked(out):  # raises BusyError, which names the holder
            pass
    hint = "continue it with --resume, or " if (out / "recipe.json").is_file() else ""
    raise InputError(f"{out} is not empty; {hint}give a new folder with --out")


def _is_held(lock: Path) -> bool:
    """Whether another run holds the lock; looks without making or keeping anything."""
    try:
        handle = os.open(lock, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(handle)


def _settle_recipe(recipe: Recipe, out: Path) -> None:
    """Write recipe.json, or make sure that the one there asks for the same dataset."""
    path = out / "recipe.json"
    if path.is_file():
        before = Recipe.decode(store.read_json(path), str(path))
        changed = recipes.differences(before, recipe)
        if changed:
            raise InputError(
                f"{out} was begun with another recipe; it differs in {'; '.join(changed[:8])}. "
                f"Give a new folder with --out, or resume with the same recipe"
            )
    elif any(entry.name != store.LOCK for entry in out.iterdir()):
        raise InputError(f"{out} holds no recipe.json: it is no dataset that can be resumed")
    with disk_space(out):
        write_atomic(path, canonical(recipe.encode()) + b"\n")


def _remove_unused(out: Path) -> None:
    """A folder that this run made and could not use for anything goes away again."""
    if not any(entry.name != store.LOCK for entry in out.iterdir()):
        shutil.rmtree(out, ignore_errors=True)
