"""Is a dataset what its manifest and its labels promise? Every byte is read again."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen import audit
from datagen import recipe as recipes
from datagen.audit import Finding
from datagen.dataset import coco, pictures, store, versions, weights
from datagen.dataset.store import Shard
from datagen.dataset.totals import add_up
from datagen.digest import canonical, of_bytes
from datagen.errors import InputError
from datagen.files import locked, sha256_of, write_atomic
from datagen.recipe import Recipe
from datagen.settings.clips import Clips

_STRANGE = "does not belong to the dataset; move it away, --repair lets it be"
_UNLISTED = {"manifest.json", store.COMPLETE, store.LOCK}


@dataclass(frozen=True)
class VerifyReport:
    """`findings` is empty when the dataset is sound; `repaired` lists what was deleted."""

    folder: Path
    images: int
    files: int
    dataset_digest: str
    findings: tuple[Finding, ...]
    repaired: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        findings = [vars(finding) for finding in self.findings]
        return vars(self) | {
            "folder": str(self.folder),
            "findings": findings,
            "repaired": list(self.repaired),
        }


def verify(folder: Path, *, repair: bool = False) -> VerifyReport:
    """Read every file again; `repair` deletes what is broken, for --resume to make anew."""
    folder = Path(folder)
    manifest, findings = _manifest(folder)
    # A vouched-for manifest is worth more than recipe.json, which may be what is broken.
    recipe = Recipe.decode(manifest["recipe"]) if manifest else _recipe(folder)
    shards = store.shards_of(recipe.count, recipe.shard_size)
    if manifest:
        findings += _files(folder, manifest["files"]) + _strangers(folder, manifest["files"])
    else:
        findings += [finding for shard in shards for finding in _shard(folder, shard)]
    findings += _content(folder, recipe, shards, manifest.get("dataset_digest"), findings)
    broken = {finding.file for finding in findings if finding.file is not None}
    repaired = _repair(folder, recipe, shards, manifest, broken) if repair and broken else ()
    digest, files = manifest.get("dataset_digest", ""), len(manifest.get("files", {}))
    return VerifyReport(folder, recipe.count, files, digest, tuple(findings), repaired)


def read_recipe(folder: Path, sets: Sequence[str] = ()) -> Recipe:
    """The recipe of a dataset folder, its paths absolute; `sets` say what has moved where."""
    stored = _recipe(folder)
    recipe = recipes.read(folder / "recipe.json", sets)
    changed = recipes.differences(stored, recipe)
    if changed:
        raise InputError(f"{folder}: --set can say where things are; it changes {changed[0]}")
    return recipe


def _recipe(folder: Path) -> Recipe:
    """What recipe.json says, word for word."""
    path = folder / "recipe.json"
    if not path.is_file():
        raise InputError(f"{folder} holds no recipe.json: it is no dataset of ours")
    return Recipe.decode(store.read_json(path), str(path))


def _manifest(folder: Path) -> tuple[dict[str, Any], list[Finding]]:
    """The manifest, if the marker vouches for it."""
    if not (folder / store.COMPLETE).exists():
        text = "the dataset is not complete; continue it with datagen generate --resume"
        return {}, [Finding("incomplete", text)]
    path = folder / "manifest.json"
    if not path.is_file():
        return {}, [Finding("missing", "manifest.json is missing", file=path.name)]
    if not store.is_complete(folder):
        text = "manifest.json is not the one that _COMPLETE vouches for"
        return {}, [Finding("manifest", text, file=path.name)]
    manifest = store.read_json(path)
    odd = [
        Finding("nondeterminism", f"shard {name} came out differently when it was made twice")
        for name in manifest["nondeterminism"]
    ]
    return manifest, odd


def _files(folder: Path, expected: dict[str, dict[str, Any]]) -> list[Finding]:
    """Names, sizes and digests."""
    return [finding for name, entry in expected.items() for finding in _file(folder, name, entry)]


def _strangers(folder: Path, expected: dict[str, Any]) -> list[Finding]:
    """Files that nobody listed: perhaps somebody's notes, so no repair deletes them."""
    present = {
        Path(place, name).relative_to(folder).as_posix()
        for place, _, names in os.walk(folder)
        for name in names
    }
    odd = sorted(present - expected.keys() - _UNLISTED)
    return [Finding("extra", f"{name} {_STRANGE}") for name in odd]


def _shard(folder: Path, shard: Shard) -> list[Finding]:
    """A shard against its own list: all there is while the run has no manifest."""
    path = folder / shard.place
    if not path.exists():
        return []
    try:
        files = store.summary(folder, shard)["files"]
    except (InputError, KeyError) as error:
        name = f"{shard.place}/shard.json"
        return [Finding("file", f"{name} is broken: {error}", file=name)]
    listed = {f"{shard.place}/{name}": entry for name, entry in files.items()}
    odd = {p.name for p in path.iterdir()} - files.keys() - {"shard.json"}
    extra = [Finding("extra", f"{shard.place}/{name} {_STRANGE}") for name in sorted(odd)]
    return _files(folder, listed) + extra


def _file(folder: Path, name: str, entry: dict[str, Any]) -> Iterator[Finding]:
    path = folder / name
    try:
        data = path.read_bytes() if name.endswith((".png", ".jpg")) else None
        size = path.stat().st_size
        sha256 = of_bytes(data) if data is not None else sha256_of(path)
    except FileNotFoundError:
        yield Finding("file", f"{name} is missing", file=name)
        return
    except OSError as error:
        yield Finding("file", f"{name} cannot be read ({error.strerror})", file=name)
        return
    if size != entry["size"]:
        yield Finding("file", f"{name} has {size} bytes, not {entry['size']}", file=name)
    elif sha256 != entry["sha256"]:
        text = f"{name} has other content than when it was written"
        yield Finding("file", text, file=name)
    elif data is not None and pictures.size_of(data) is None:
        yield Finding("file", f"{name} cannot be decoded", file=name)


def _content(
    folder: Path,
    recipe: Recipe,
    shards: list[Shard],
    digest: str | None,
    findings: Sequence[Finding],
) -> list[Finding]:
    """Labels, sizes of images, and the digest, of what is whole; one image is read at a time."""
    broken = {finding.file for finding in findings if finding.file is not None}
    sound = [
        shard
        for shard in shards
        if store.is_published(folder, shard) and not any(_within(name, shard) for name in broken)
    ]
    categories = recipe.world().categories
    places = {shard.place for shard in sound}
    found: list[Finding] = []
    for image, annotations in coco.pairs(store.records(folder, sound)):
        found += audit.audit_image(image, annotations, len(categories))
        if recipe.clips is not None and not _is_in_place(image, recipe.clips):
            text = f"{image['file_name']} is not the frame of a clip that its number says"
            found.append(Finding("clip", text, image["id"]))
        place, _, name = image["file_name"].rpartition("/")
        if place not in places or not (folder / place / name).is_file():
            found.append(Finding("file", f"{image['file_name']} is no image of this dataset"))
            continue
        data = (folder / place / name).read_bytes()
        if pictures.size_of(data) != (image["width"], image["height"]):
            found.append(Finding("size", f"{image['file_name']} has another size than its record"))
    if digest is None or broken:
        return found
    of_clips = recipe.clips is not None
    file = folder / "annotations.json"
    if not coco.holds(file, lambda: store.records(folder, shards), clips=of_clips):
        text = "annotations.json does not hold what the records of the shards say"
        found.append(Finding("labels", text))
    if add_up(folder, shards, categories).digest != digest:
        found.append(Finding("digest", "the shards' digests do not give the manifest's"))
    return found


def _is_in_place(image: Mapping[str, Any], clips: Clips) -> bool:
    clip, number = clips.place(image["id"] - 1)
    return (image.get("video_id"), image.get("frame_index")) == (clip + 1, number)


def _within(name: str, shard: Shard) -> bool:
    return name.startswith(f"{shard.place}/")


def _repair(
    folder: Path,
    recipe: Recipe,
    shards: list[Shard],
    manifest: dict[str, Any],
    broken: set[str],
) -> tuple[str, ...]:
    """Delete what is broken, with the whole shard that it is in; --resume makes it again."""
    with locked(folder):
        # What --resume starts from comes first: a crash in between must leave it whole.
        write_atomic(folder / "recipe.json", canonical(recipe.encode()) + b"\n")
        if manifest:
            versions.write(folder, manifest["versions"])
        gone = [store.COMPLETE, "manifest.json"]
        gone += [name for name in weights.names(recipe) if name in broken]
        gone += [shard.place for shard in shards if any(_within(name, shard) for name in broken)]
        gone = [name for name in gone if (folder / name).exists()]
        for name in gone:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return tuple(gone)
