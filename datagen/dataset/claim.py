"""Taking an output folder for one run, or refusing it with nothing touched."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from datagen import recipe as recipes
from datagen import taught
from datagen.dataset import store, versions, weights
from datagen.digest import canonical
from datagen.errors import DatagenError, InputError
from datagen.files import disk_space, is_locked, locked, make_folder, write_atomic
from datagen.parts import Source
from datagen.recipe import Recipe


@contextmanager
def claimed(recipe: Recipe, out: Path, *, resume: bool) -> Iterator[Recipe]:
    """Hold `out` for writing, with its recipe.json, which is given, and without leftovers."""
    taught.check(recipe.parts)
    _keep_apart(recipe, out)
    created = _prepare(out, resume)
    try:
        with locked(out):
            if not resume:
                _refuse_filled(out)
            held = _settle(recipe, out)
            store.sweep(out)
            try:
                yield held
            finally:
                shutil.rmtree(out / "tmp", ignore_errors=True)
    except DatagenError:
        if created:
            _remove_unused(out)
        raise


def _keep_apart(recipe: Recipe, out: Path) -> None:
    """The output must not lie in an input, nor an input in the output."""
    target = out.resolve()
    own = [target / name for name in weights.names(weights.stored(recipe))]
    for name, source in recipe.sources(learn=False):
        place = Path(source.source).resolve()
        if source.sha256 is None or place in own:
            continue
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
    make_folder(out)
    return True


def _holds_anything(out: Path) -> bool:
    """Beside the lock, and what a claim that was killed has left of its first file."""
    names = (entry.name for entry in out.iterdir())
    return not all(name == store.LOCK or fnmatch(name, ".recipe.json.*.tmp") for name in names)


def _refuse_filled(out: Path) -> None:
    try:
        filled = _holds_anything(out)
    except OSError as error:
        raise InputError(f"{out}: cannot read this folder ({error.strerror})") from error
    if not filled:
        return
    if is_locked(out):
        with locked(out):  # raises BusyError, which names the holder
            pass
    hint = "continue it with --resume, or " if (out / "recipe.json").is_file() else ""
    raise InputError(f"{out} is not empty; {hint}give a new folder with --out")


def _settle(recipe: Recipe, out: Path) -> Recipe:
    """What recipe.json holds: new, or there already and asking for the same dataset."""
    asked = weights.stored(recipe)
    begun = _begun(asked, out)
    if begun is None:
        recipe.check_worth()
    moved = begun is not None and _places(begun) != _places(asked)
    if begun is not None and not moved and _is_finished(begun, out):
        return begun
    versions.check(asked, out)
    if begun is None or moved:
        store.reopen(out)  # a manifest that is there vouches for the recipe as it was
        with disk_space(out):
            write_atomic(out / "recipe.json", canonical(asked.encode()) + b"\n")
        begun = asked
    versions.settle(asked, out)
    weights.copy(recipe, out)
    return begun


def _places(recipe: Recipe) -> list[tuple[str, Source]]:
    return list(recipe.sources(learn=False))


def _begun(asked: Recipe, out: Path) -> Recipe | None:
    """The recipe that the dataset was begun with, which must be for the same images."""
    path = out / "recipe.json"
    if not path.is_file():
        if _holds_anything(out):
            raise InputError(f"{out} holds no recipe.json: it is no dataset that can be resumed")
        return None
    before = Recipe.decode(store.read_json(path), str(path))
    changed = recipes.differences(before, asked, learn=False)
    if changed:
        raise InputError(
            f"{out} was begun with another recipe; it differs in {'; '.join(changed[:8])}. "
            f"Give a new folder with --out, or resume with the same recipe"
        )
    return before


def _is_finished(recipe: Recipe, out: Path) -> bool:
    shards = store.shards_of(recipe.count, recipe.shard_size)
    return store.is_complete(out) and all(store.is_published(out, shard) for shard in shards)


def _remove_unused(out: Path) -> None:
    """A folder that this run made and could not use for anything goes away again."""
    if not _holds_anything(out):
        shutil.rmtree(out, ignore_errors=True)
