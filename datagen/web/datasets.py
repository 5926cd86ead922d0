"""Datasets of the server's folder as answers show them, finished or while a job makes them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from datagen.dataset import archive, listing, store
from datagen.dataset.store import Shard
from datagen.errors import InputError
from datagen.web import types
from datagen.web.filters import Wanted, words
from datagen.web.home import Home, NotHere
from datagen.web.problems import Refused
from datagen.web.rows import Row, Stamp, damaged, inside, published, rows, stamp_of

_MOST_READ = 8 << 20  # bytes that are parsed for one part of a list, a third of a second's work
_SEARCHED = 1 / 8  # of what it costs to parse a text, for a search in it
_SHARD_READ = 8 << 10  # bytes of a shard.json, about
_DRAWN = ("boxes", "masks", "instances")  # layers that labels are enough for
_STORED = ("class", "depth")  # layers that need the pass of this name


@dataclass(frozen=True)
class _Plan:
    """What recipe.json asks for, of which nothing more is needed here."""

    world: str
    count: int  # images
    shard_size: int

    def shard(self, index: int) -> Shard:
        """The one that image `index` is in."""
        start = index // self.shard_size * self.shard_size
        return Shard(start, min(start + self.shard_size, self.count))

    def shards(self, start: int) -> Iterator[Shard]:
        """From the one on that image `start` is in."""
        size = self.shard_size
        yield from map(self.shard, range(start // size * size, self.count, size))


@dataclass(frozen=True)
class _End:
    """What the manifest says of a dataset that is complete."""

    marker: str  # sha256 of the manifest, which has the sha256 of every file
    digest: str
    categories: Mapping[str, int]


def listed(home: Home) -> list[types.Dataset]:
    """All, the newest first; one whose recipe cannot be read is left out."""
    found = []
    for name in home.names("datasets"):
        try:
            found.append(dataset(home, name))
        except (NotHere, Refused):
            continue
    return sorted(found, key=lambda one: (-one.made, one.name))


def dataset(home: Home, name: str) -> types.Dataset:
    """One of them; NotHere, or Refused where it is damaged."""
    folder = _folder(home, name)
    plan, end = _plan(folder), _end(folder)
    return types.Dataset(
        name=name,
        complete=end is not None,
        images=_images_of(published(folder)) if end is None else plan.count,
        count=plan.count,
        world=plan.world,
        categories=None if end is None else dict(end.categories),
        digest=None if end is None else end.digest,
        made=(folder / "recipe.json").stat().st_mtime,
    )


def card(home: Home, name: str) -> str:
    """Its README.md; NotHere until it is complete."""
    folder = _folder(home, name)
    if _end(folder) is None:
        raise NotHere(f"dataset `{name}` has no card until it is complete")
    return inside(folder, "README.md").read_text("utf-8", "replace")


def images(
    home: Home,
    name: str,
    *,
    cursor: int | None,
    limit: int,
    category: str | None,
    least_visible: float | None,
    factor: tuple[str, str] | None,
) -> tuple[list[types.Image], int | None]:
    """At most `limit` images from index `cursor` on, and the cursor to go on with, if any.

    Those that hold a thing of `category` that shows `least_visible` of itself, and whose scene has
    a node with this `factor`: ("sky.shade", "cloudy") for the value of an attribute of a symbol,
    ("symbol", "bus") for a symbol. Only so much is read at once: a part may have fewer images and
    not be the last. Images of shards that are not published yet are left out.
    """
    folder = _folder(home, name)
    wanted, start = Wanted(category, least_visible, factor), cursor or 0
    found: list[types.Image] = []
    read = 0.0
    for shard in _there(folder, start):
        if len(found) == limit or read > _MOST_READ:
            return found, max(start, shard.start)
        if not wanted.may_be_in(folder, shard):
            read += _SHARD_READ
            continue
        for row in rows(folder, shard, max(start, shard.start), scenes=True):
            if len(found) == limit or read > _MOST_READ:
                return found, row.index
            may_be = wanted.may_be(row)
            read += row.size * (1 if may_be else _SEARCHED)
            found += _image_if(row, wanted) if may_be else []
    return found, None


def image(home: Home, name: str, index: int) -> types.Image:
    """One image; NotHere where there is none, or none yet."""
    return _image(_row(_folder(home, name), index, scenes=True))


def picture(home: Home, name: str, index: int) -> Path:
    """The image's file, PNG or JPEG."""
    folder = _folder(home, name)
    place = str(_about(_row(folder, index, scenes=False)).get("file_name"))
    if not place.endswith((".png", ".jpg")):
        raise damaged(folder, f"the record of image {index}", "names no picture")
    return inside(folder, place)


def layer(home: Home, name: str, index: int, layer: str) -> bytes:
    """PNG of "masks", "instances", "class" or "depth", as large as the image; SVG of "boxes"."""
    # Numbers of pixels are needed here only.
    from datagen.web.layers import drawn

    folder = _folder(home, name)
    row = _row(folder, index, scenes=False)
    if layer not in _image(row).layers:
        raise NotHere(f"image {index} of dataset `{name}` has no layer `{layer[:40]}`")
    try:
        return drawn(folder, row.record, layer)
    except _MALFORMED as error:
        raise _malformed(row) from error


def tag(home: Home, name: str) -> str | None:
    """Names the bytes of a complete dataset, which never change; None while it is under way."""
    end = _end(_folder(home, name))
    return None if end is None else end.marker


def complete(home: Home, name: str) -> Path:
    """The folder of a dataset that is complete; Refused for another."""
    folder = _folder(home, name)
    if _end(folder) is None:
        raise Refused(
            409,
            f"dataset `{name}` is not complete: {_images_of(published(folder))} of "
            f"{_plan(folder).count} images are made; ask again when its job is done",
        )
    return folder


def archived(folder: Path) -> int:
    """Bytes of the archive of a complete dataset's folder."""
    return _archived(folder, stamp_of(folder / listing.FILE))


@lru_cache(maxsize=256)
def _archived(folder: Path, manifest: Stamp) -> int:
    """Of a folder with this manifest: to add up millions of files takes seconds."""
    try:
        return archive.size_of(archive.whole(folder))
    except InputError as error:
        raise damaged(folder, listing.FILE, "is not as datagen writes it") from error


def samples(folder: Path) -> Iterator[archive.Member]:
    """What an archive for WebDataset holds of a complete dataset."""
    return archive.samples(folder, _plan(folder).shards(0))


def _folder(home: Home, name: str) -> Path:
    folder = home.find("datasets", name)
    if not (folder / "recipe.json").is_file():
        raise NotHere(f"there is no dataset `{name}`")
    return folder


def _plan(folder: Path) -> _Plan:
    path = inside(folder, "recipe.json")
    return _read_plan(path, stamp_of(path))


@lru_cache(maxsize=4096)
def _read_plan(path: Path, stamp: Stamp) -> _Plan:
    """Of a recipe.json; the stamp is its own."""
    try:
        data = json.loads(path.read_bytes())
        plan = _Plan(str(data["grammar"]["name"]), int(data["count"]), int(data["shard_size"]))
        if plan.count < 0 or plan.shard_size < 1:
            raise ValueError(plan)
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise damaged(path.parent, path.name, "is no recipe") from error
    return plan


def _end(folder: Path) -> _End | None:
    """None for a dataset that is not complete."""
    try:
        marker, manifest = stamp_of(folder / store.COMPLETE), stamp_of(folder / listing.FILE)
    except OSError:
        return None
    return _read_end(folder, marker, manifest)


@lru_cache(maxsize=4096)
def _read_end(folder: Path, marked: Stamp, manifest: Stamp) -> _End | None:
    """Of a folder with this marker and manifest: to hash a large one takes seconds."""
    if not store.is_complete(folder):
        return None
    try:
        head = listing.head(folder)
        marker = (folder / store.COMPLETE).read_text("ascii").strip()
        return _End(marker, head["dataset_digest"], head["categories"])
    except (InputError, LookupError) as error:
        raise damaged(folder, listing.FILE, "is not as datagen writes it") from error


def _there(folder: Path, start: int) -> Iterable[Shard]:
    """Shards with images from `start` on that are published."""
    plan = _plan(folder)
    if _end(folder) is not None:
        return plan.shards(start)
    return (
        shard
        for shard in published(folder)
        if shard.stop > start and shard == plan.shard(shard.start)
    )


def _images_of(shards: Iterable[Shard]) -> int:
    return sum(map(len, shards))


def _row(folder: Path, index: int, *, scenes: bool) -> Row:
    plan = _plan(folder)
    if not 0 <= index < plan.count:
        raise NotHere(f"dataset `{folder.name}` has {plan.count} images, and none is {index}")
    shard = plan.shard(index)
    if not store.is_published(folder, shard) and _end(folder) is None:
        raise NotHere(f"image {index} of dataset `{folder.name}` is not made yet")
    return next(rows(folder, shard, index, scenes=scenes))


def _image_if(row: Row, wanted: Wanted) -> list[types.Image]:
    """The image, where it is wanted."""
    try:
        return [_image(row)] if wanted.is_met_by(row) else []
    except _MALFORMED as error:
        raise _malformed(row) from error


def _image(row: Row) -> types.Image:
    about = _about(row)
    try:
        endings = {str(name).split(".", 1)[-1] for name in about.get("passes", {})}
        stored = {ending.partition(".")[0] for ending in endings}
        clip = about.get("video_id")
        return types.Image(
            index=row.index,
            width=about["width"],
            height=about["height"],
            things=[_thing(one) for one in row.record["annotations"]],
            layers=[*_DRAWN, *(name for name in _STORED if name in stored)],
            factors=words(row.scene),
            clip=None if clip is None else clip - 1,
            frame=about.get("frame_index"),
        )
    except _MALFORMED as error:
        raise _malformed(row) from error


def _thing(annotation: Mapping[str, Any]) -> types.Thing:
    return types.Thing(
        id=annotation["instance_id"],
        category=annotation["category"],
        category_id=annotation["category_id"],
        box=annotation["bbox"],
        area=annotation["area"],
        visible_fraction=annotation.get("visible_fraction"),
        path=annotation["path"],
    )


def _about(row: Row) -> Mapping[str, Any]:
    """What a record says of the image's file."""
    about = row.record.get("image")
    if not isinstance(about, dict):
        raise _malformed(row)
    return about


# What comes of a record, or of a scene, that is JSON and not of the shape that datagen writes.
_MALFORMED = (LookupError, TypeError, ValueError, AttributeError)


def _malformed(row: Row) -> Refused:
    place = f"what {row.shard.place} holds of image {row.index}"
    return damaged(row.folder, place, "is not as datagen writes it")
