"""One shard: its frames rendered, labelled, audited, written, and published all at once."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datagen.dataset import pictures, store
from datagen.dataset.store import Shard, ShardFolder, Shelf
from datagen.digest import canonical, of_bytes, of_data
from datagen.errors import DiskFullError
from datagen.frames import LabelledFrame, MakeFrame, label, may_reject, named
from datagen.recipe import Recipe

_SPACE_AFTER = 8  # images
SPACE_MARGIN = 1.2  # of what a run asks for beside the bytes that it expects


def make_shard(
    recipe: Recipe,
    make_frame: MakeFrame,
    shelf: Shelf,
    shard: Shard,
    to_come: int,
    progress: Callable[[int], None],
) -> dict[str, Any]:
    """Render, check and publish one shard; one that is published already is left alone.

    `to_come`: images that this run makes in later shards. `progress` is told how many images of
    this one are done.
    """
    if not shelf.holds(shard):
        with store.shard_folder(shelf.folder, shard) as folder:
            facts = _fill(recipe, make_frame, folder, to_come if shelf.has_all else 0, progress)
            shelf.publish(folder, facts)
    return {"start": shard.start, "stop": shard.stop}


def _fill(
    recipe: Recipe,
    make_frame: MakeFrame,
    folder: ShardFolder,
    to_come: int,
    progress: Callable[[int], None],
) -> dict[str, Any]:
    """Write all files of a shard; what its shard.json says beside their names."""
    records, scenes, digests = bytearray(), bytearray(), []
    categories: Counter[str] = Counter()
    empty = 0
    rejected: list[int] = []
    for done, index in enumerate(range(folder.shard.start, folder.shard.stop), 1):
        labelled = label(index, *make_frame(index))
        record = _write_image(recipe, folder, labelled)
        scene = _scene(labelled)
        records += canonical(record) + b"\n"
        scenes += canonical(scene) + b"\n"
        digests.append(content_digest(record, scene))
        categories.update(a["category"] for a in labelled.annotations)
        empty += not labelled.annotations
        rejected.append(labelled.rejected)
        if done == min(_SPACE_AFTER, len(folder.shard)):
            # Labels and scenes are written twice: in the shard, and joined at the end.
            size = folder.size + 2 * (len(records) + len(scenes))
            _check_space(folder.out, size / done, len(folder.shard) - done + to_come)
        progress(done)
    folder.write("records.jsonl", bytes(records))
    folder.write("scenes.jsonl", bytes(scenes))
    return {
        "start": folder.shard.start,
        "stop": folder.shard.stop,
        "digests": digests,
        "categories": dict(sorted(categories.items())),
        "empty": empty,
    } | ({"rejected": rejected} if may_reject(recipe) else {})


def _write_image(recipe: Recipe, folder: ShardFolder, labelled: LabelledFrame) -> dict[str, Any]:
    """Write the image and its passes; the image's record."""
    files = _encode(recipe, labelled)
    digests = {
        ending: folder.write(f"{labelled.index:08d}.{ending}", files[ending]) for ending in files
    }
    return _record(recipe, folder.shard, labelled, digests)


def _encode(recipe: Recipe, labelled: LabelledFrame) -> dict[str, bytes]:
    """File name ending -> bytes of the image and its passes."""
    with named(labelled.index):
        data = pictures.encode_image(labelled.frame.image, recipe.image_format)
        return {recipe.image_format: data} | pictures.encode_passes(labelled.frame, recipe.passes)


def _record(
    recipe: Recipe, shard: Shard, labelled: LabelledFrame, digests: dict[str, str]
) -> dict[str, Any]:
    """The image's line in records.jsonl; `digests`: file name ending -> sha256."""
    stem = f"{shard.place}/{labelled.index:08d}"
    image: dict[str, Any] = {
        "file_name": f"{stem}.{recipe.image_format}",
        "width": labelled.frame.width,
        "height": labelled.frame.height,
        "sha256": digests[recipe.image_format],
    }
    passes = {f"{stem}.{key}": sha for key, sha in digests.items() if key != recipe.image_format}
    if passes:
        image["passes"] = passes
    if recipe.clips is not None:
        clip, number = recipe.clips.place(labelled.index)
        image |= {"video_id": clip + 1, "frame_index": number}
    if labelled.frame.camera is not None:
        image["camera"] = labelled.frame.camera.to_json()
    return {"index": labelled.index, "image": image, "annotations": labelled.annotations}


def content_digest(record: dict[str, Any], scene: dict[str, Any]) -> str:
    """One image's content: pixels, passes, labels, scene, camera; not the shard that it lies in."""
    image = record["image"]
    passes = {name.rsplit("/", 1)[1]: value for name, value in image.get("passes", {}).items()}
    size = [image["width"], image["height"]]
    seen = [size, image["sha256"], passes, record["annotations"], scene]
    return of_data([*seen, image["camera"]] if "camera" in image else seen)


def _check_space(out: Path, bytes_per_image: float, images: int) -> None:
    """Stop early rather than with a full disk, which harms others as well."""
    needed = bytes_per_image * images * SPACE_MARGIN
    free = shutil.disk_usage(out).free
    if needed > free:
        raise DiskFullError(
            f"{out}: {images:,} more images need about {needed / 1e9:.2f} GB, and {free / 1e9:.2f} "
            f"GB are free; free some space and run the same command with --resume, or ask for "
            f"fewer with --count"
        )


def rendered_digest(recipe: Recipe, make_frame: MakeFrame, index: int) -> str:
    """The content digest of an image made now, with nothing written."""
    labelled = label(index, *make_frame(index))
    digests = {ending: of_bytes(data) for ending, data in _encode(recipe, labelled).items()}
    record = _record(recipe, Shard(index, index + 1), labelled, digests)
    return content_digest(record, _scene(labelled))


def _scene(labelled: LabelledFrame) -> dict[str, Any]:
    """The image's line in scenes.jsonl."""
    return {"index": labelled.index, "scene": labelled.scene}
