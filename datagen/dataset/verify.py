"""Is a dataset what its manifest and its labels promise? Every byte is read again."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen import audit
from datagen.audit import Finding
from datagen.dataset import pictures, store
from datagen.dataset.store import Shard
from datagen.dataset.totals import add_up
from datagen.digest import canonical, of_bytes
from datagen.errors import InputError
from datagen.files import locked, sha256_of, write_atomic
from datagen.recipe import Recipe

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
    recipe = Recipe.decode(manifest["recipe"]) if manifest else read_recipe(folder)
    shards = store.shards_of(recipe.count, recipe.shard_size)
    if manifest:
        findings += _files(folder, manifest["files"]) + _strangers(folder, manifest["files"])
    else:
        findings += [finding for shard in shards for finding in _shard(folder, shard)]
    findings += _labels(folder, findings)
    if manifest and not findings:
        findings += _content(folder, recipe, shards, manifest["dataset_digest"])
    repaired = _repair(folder, recipe, shards, findings) if repair and findings else ()
    digest, files = manifest.get("dataset_digest", ""), len(manifest.get("files", {}))
    return VerifyReport(folder, recipe.count, files, digest, tuple(findings), repaired)


def read_recipe(folder: Path) -> Recipe:
    """The recipe of a dataset folder."""
    if not (folder / "recipe.json").is_file():
        raise InputError(f"{folder} holds no recipe.json: it is no dataset of ours")
    return Recipe.decode(store.read_json(folder / "recipe.json"), str(folder / "recipe.json"))


def _manifest(folder: Path) -> tuple[dict[str, Any], list[Finding]]:
    """The manifest, if the marker vouches for it."""
    if not store.is_complete(folder):
        text = "the dataset is not complete; continue it with datagen generate --resume"
        return {}, [Finding("incomplete", text)]
    path = folder / "manifest.json"
    if not path.is_file():
        return {}, [Finding("missing", "manifest.json is missing")]
    if (folder / store.COMPLETE).read_bytes() != sha256_of(path).encode() + b"\n":
        return {}, [Finding("manifest", "manifest.json is not the one that _COMPLETE vouches for")]
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
    """Files that nobody listed."""
    present = {
        Path(place, name).relative_to(folder).as_posix()
        for place, _, names in os.walk(folder)
        for name in names
    }
    odd = sorted(present - expected.keys() - _UNLISTED)
    return [Finding("extra", f"{name} does not belong to the dataset") for name in odd]


def _shard(folder: Path, shard: Shard) -> list[Finding]:
    """A shard against its own list: all there is while the run has no manifest."""
    path = folder / shard.place
    if not path.exists():
        return []
    try:
        files = store.summary(folder, shard)["files"]
    except (InputError, KeyError) as error:
        return [Finding("file", f"{shard.place}/shard.json is broken: {error}")]
    listed = {f"{shard.place}/{name}": entry for name, entry in files.items()}
    odd = {p.name for p in path.iterdir()} - files.keys() - {"shard.json"}
    extra = [Finding("extra", f"{shard.place}/{name} does not belong") for name in sorted(odd)]
    return _files(folder, listed) + extra


def _file(folder: Path, name: str, entry: dict[str, Any]) -> Iterator[Finding]:
    path = folder / name
    try:
        data = path.read_bytes() if name.endswith((".png", ".jpg")) else None
        size = path.stat().st_size
        sha256 = of_bytes(data) if data is not None else sha256_of(path)
    except FileNotFoundError:
        yield Finding("file", f"{name} is missing")
        return
    except OSError as error:
        yield Finding("file", f"{name} cannot be read ({error.strerror})")
        return
    if size != entry["size"]:
        yield Finding("file", f"{name} has {size} bytes, not {entry['size']}")
    elif sha256 != entry["sha256"]:
        yield Finding("file", f"{name} has other content than when it was written")
    elif data is not None and pictures.size_of(data) is None:
        yield Finding("file", f"{name} cannot be decoded")


def _labels(folder: Path, findings: list[Finding]) -> list[Finding]:
    """The COCO file by its own rules, unless it is known to be broken."""
    path = folder / "annotations.json"
    if not path.is_file() or any(path.name in finding.message for finding in findings):
        return []
    return audit.audit_coco(path)


def _content(folder: Path, recipe: Recipe, shards: list[Shard], digest: str) -> list[Finding]:
    """The images at their sizes, and the dataset's digest from the shards' own."""
    found: list[Finding] = []
    for record in store.records(folder, shards):
        image = record["image"]
        data = (folder / image["file_name"]).read_bytes()
        if pictures.size_of(data) != (image["width"], image["height"]):
            found.append(Finding("size", f"{image['file_name']} has another size than its record"))
    if add_up(folder, shards, recipe.world().categories).digest != digest:
        found.append(Finding("digest", "the shards' digests do not give the manifest's"))
    return found


def _repair(
    folder: Path, recipe: Recipe, shards: list[Shard], findings: list[Finding]
) -> tuple[str, ...]:
    """Delete broken shards and the end of the run; --resume makes both again."""
    with locked(folder):
        # What --resume starts from comes first: a crash in between must leave it whole.
        write_atomic(folder / "recipe.json", canonical(recipe.encode()) + b"\n")
        told = "\n".join(finding.message for finding in findings)
        gone = [name for name in (store.COMPLETE, "manifest.json") if (folder / name).exists()]
        gone += [s.place for s in shards if s.place in told and (folder / s.place).exists()]
        for name in gone:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return tuple(gone)
