"""The end of a run: shards in order become one COCO file, its certificate and its manifest."""

import json
import logging
import platform
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datagen.dataset import card, coco, store, versions, weights
from datagen.dataset.licences import above, licences
from datagen.dataset.store import Shard
from datagen.dataset.totals import Totals, add_up
from datagen.digest import canonical
from datagen.files import atomic_text, disk_space, sha256_of, write_atomic
from datagen.freezing import MODELS
from datagen.recipe import Recipe

log = logging.getLogger(__name__)

CHECKS = (
    "every mask decodes to exactly the stored area and the tight box",
    "masks of one image never overlap, and together they are the instance map",
    "every visible thing has a label, and every label a visible thing",
    "visible fraction, truncation and amodal box agree with the whole silhouette",
    "the class of every pixel is its thing's; where there is no thing, some stuff's or none",
    "where things have boxes in space, the depth of their pixels lies within them, or 0.6 m off",
)
PNG_CHECK = "every PNG decodes to the rendered pixels"

Licences = Sequence[dict[str, Any]]  # {id, name, url} each


def finish(recipe: Recipe, out: Path, shards: Sequence[Shard]) -> Totals:
    """Write everything beside the shards; the marker `_COMPLETE` comes last.

    `recipe` is the one in recipe.json.
    """
    world = recipe.world()
    totals = add_up(out, shards, world.categories)
    provenance = {"recipe": recipe.digest, "dataset": totals.digest, "seed": recipe.seed}
    under = _licences(recipe)
    head = coco.Head(
        world.world,
        world.categories,
        world.stuffs,
        licenses=under,
        provenance=provenance,
        clips=recipe.clips is not None,
    )
    with disk_space(out):
        coco.write(out / "annotations.json", lambda: store.records(out, shards), head)
        _join(out, shards, "scenes.jsonl")
        write_atomic(out / "audit.json", _pretty(certificate(recipe, totals)))
        write_atomic(out / "README.md", card.render(recipe, totals, under))
        _write_manifest(recipe, out, shards, totals, under)
        write_atomic(out / store.COMPLETE, sha256_of(out / "manifest.json") + "\n")
    return totals


def certificate(recipe: Recipe, totals: Totals) -> dict[str, Any]:
    """What was checked on every frame before it was written."""
    checks = [*CHECKS, PNG_CHECK] if recipe.image_format == "png" else list(CHECKS)
    return {
        "images": totals.images,
        "annotations": totals.annotations,
        "findings": 0,
        "checks": checks,
        "dataset_digest": totals.digest,
    }


def _licences(recipe: Recipe) -> Licences:
    """Those of the model folders, which must still be what the recipe was made with."""
    folders = []
    for name, asset in recipe.world().assets.items():
        source = recipe.assets[name]
        if asset.kind == MODELS and source.sha256 is not None:
            source.check(f"assets.{name}")
            folders.append(Path(source.source))
    for folder in folders:
        if not licences([folder]):
            found = above(folder)
            hint = f"; name the folder above, which has {found.name}" if found else ""
            log.warning("%s holds no licence text, so the dataset tells none%s", folder, hint)
    return licences(folders)


def _write_manifest(
    recipe: Recipe, out: Path, shards: Sequence[Shard], totals: Totals, under: Licences
) -> None:
    """One line a file, written as a stream: a million images must not need memory."""
    records = sorted(path.stem for path in (out / "nondeterminism").glob("*.json"))
    head = {
        "format": 1,
        "recipe_digest": recipe.digest,
        "dataset_digest": totals.digest,
        "images": totals.images,
        "annotations": totals.annotations,
        "categories": totals.categories,
        "audit": certificate(recipe, totals),
        "nondeterminism": records,
        "versions": versions.versions(recipe),
        "platform": {"machine": platform.machine(), "system": platform.system()},
        "recipe": recipe.encode(),
    }
    head |= {"licenses": under} if under else {}
    head |= {} if totals.rejected is None else {"rejected_attempts": totals.rejected}
    with atomic_text(out / "manifest.json") as file:
        file.write("{\n")
        for key, value in head.items():
            file.write(f"{json.dumps(key)}: {canonical(value).decode()},\n")
        file.write('"files": {')
        for k, (name, entry) in enumerate(_entries(recipe, out, shards)):
            file.write(f"{',' if k else ''}\n{json.dumps(name)}: {canonical(entry).decode()}")
        file.write("\n}\n}\n")


def _entries(
    recipe: Recipe, out: Path, shards: Sequence[Shard]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and {"size", "sha256"} of every file but the manifest and the marker."""
    names = ["README.md", "annotations.json", "audit.json", "recipe.json", "scenes.jsonl"]
    names += [versions.FILE, *weights.names(recipe)]
    names += sorted(f"nondeterminism/{p.name}" for p in (out / "nondeterminism").glob("*.json"))
    for name in names:
        yield name, _entry(out / name)
    for shard in shards:
        for name, entry in store.summary(out, shard)["files"].items():
            yield f"{shard.place}/{name}", entry
        yield f"{shard.place}/shard.json", _entry(out / shard.place / "shard.json")


def _entry(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": sha256_of(path)}


def _join(out: Path, shards: Sequence[Shard], name: str) -> None:
    with atomic_text(out / name) as file:
        for shard in shards:
            with (out / shard.place / name).open("r", encoding="ascii") as part:
                shutil.copyfileobj(part, file)


def _pretty(data: Any) -> str:
    return json.dumps(data, indent=2, sort_keys=True) + "\n"
