"""What of a dataset is exported: which labels, under which names, into which split."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from datagen.dataset import coco, store
from datagen.errors import InputError
from datagen.frame import Pinhole
from datagen.progress import Advance

_SPLIT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Other keys of an image name files (passes) that do not travel.
_IMAGE_KEYS = (
    *("license", "date_captured", "flickr_url", "coco_url", "sha256"),
    *("video_id", "frame_index"),
)


@dataclass(frozen=True)
class Policy:
    """Decided at export, never at rendering: it can be changed without drawing an image again."""

    min_visible_fraction: float = 0.0  # of the whole silhouette
    min_pixels: int = 1
    merge: Mapping[str, str] = field(default_factory=dict)  # old category name -> new one
    splits: Mapping[str, float] = field(default_factory=dict)  # name -> share of the images

    def __post_init__(self) -> None:
        if not 0 <= self.min_visible_fraction <= 1:
            raise InputError(f"min_visible_fraction {self.min_visible_fraction} is not in 0 to 1")
        if self.min_pixels < 1:
            raise InputError(f"min_pixels {self.min_pixels} is below 1")
        for name, share in self.splits.items():
            if not _SPLIT_NAME.fullmatch(name):
                raise InputError(f"split name `{name}`: use letters, digits, - and _ only")
            if not 0 < share <= 1:
                raise InputError(f"split `{name}`: its share {share} is not above 0 and up to 1")
        total = sum(self.splits.values())
        if self.splits and abs(total - 1) > 1e-6:
            raise InputError(f"the splits' shares add up to {total:g}; they must add up to 1")

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "merge": dict(self.merge), "splits": dict(self.splits)}


@dataclass(frozen=True)
class Item:
    """One image to export: where it lies, its new name, and its labels with new category ids."""

    source: Path
    name: str  # without a folder; its stem is unique as well
    image: Mapping[str, Any]  # id, width, height and what else travels; no file_name
    annotations: Sequence[Mapping[str, Any]]
    dropped: Sequence[Mapping[str, Any]] = ()  # labels that the policy left out
    camera: Pinhole | None = None
    passes: Mapping[str, Path] = field(default_factory=dict)  # name, such as "class" -> file


@dataclass(frozen=True)
class Selection:
    """Everything a writer needs. Without splits there is one part, whose name is empty."""

    dataset: Path
    info: Mapping[str, Any]
    licenses: Sequence[Any]
    categories: Sequence[Mapping[str, Any]]  # ids from 1, without a gap
    stuff: Sequence[Mapping[str, Any]]  # id, name; ids go on after the categories'
    classes: Mapping[int, int]  # value in the class pass -> id of a category or of stuff
    parts: Mapping[str, Sequence[Item]]
    videos: Sequence[Mapping[str, Any]] = ()  # those that images are frames of
    link: bool = False  # images are hard links to the dataset's
    progress: Advance = lambda done, total, words: None  # may raise, to end it

    @property
    def items(self) -> list[Item]:
        """All images, part after part."""
        return [item for part in self.parts.values() for item in part]

    def watched(self, part: str, what: str) -> Iterator[Item]:
        """The images of a part; on the way it is told how many of all are gone through."""
        total, names = sum(map(len, self.parts.values())), list(self.parts)
        before = sum(len(self.parts[name]) for name in names[: names.index(part)])
        for k, item in enumerate(self.parts[part]):
            self.progress(before + k, total, what)
            yield item
        self.progress(before + len(self.parts[part]), total, what)


def select(dataset: Path, policy: Policy) -> Selection:
    """Read a dataset folder and apply the policy. Image and annotation ids stay as they are."""
    refuse_unfinished(dataset)
    data = coco.read(dataset)
    info = {**_object(data.get("info")), "export": policy.to_json()}
    # The class pass, whose ids these are, does not travel as it is.
    old_stuff = info.pop("stuff", [])
    if info.get("contributor") != coco.CONTRIBUTOR:  # whatever these keys mean to other tools
        old_stuff = []
        data["images"] = [{**one, "camera": None, "passes": None} for one in data["images"]]
    _check_stuff(dataset, old_stuff)
    _check_merge(dataset, data["categories"], old_stuff, policy.merge)
    categories, renumbered = _categories(data["categories"], policy.merge)
    stuff, stuff_ids = _categories(old_stuff, policy.merge, first=len(categories) + 1)
    labels = _labels(dataset, data, policy, {c["id"]: c for c in categories}, renumbered)
    names = _names([str(image.get("file_name")) for image in data["images"]])
    parts: dict[str, list[Item]] = {name: [] for name in policy.splits} or {"": []}
    for image, name in zip(data["images"], names, strict=True):
        item = _item(dataset, image, name, labels.get(image.get("id"), ([], [])))
        parts[split_of(_drawn_by(image) - 1, policy.splits)].append(item)
    return Selection(
        dataset=dataset,
        info=info,
        licenses=data.get("licenses", []),
        categories=categories,
        stuff=stuff,
        classes=renumbered | stuff_ids,
        parts=parts,
        videos=_videos(data),
    )


def split_of(index: int, splits: Mapping[str, float]) -> str:
    """The split of image or clip `index`: a function of the index alone, however many there are."""
    if not splits:
        return ""
    place = int.from_bytes(hashlib.sha256(str(index).encode()).digest()[:8], "big") / 2**64
    border = 0.0
    for name, share in splits.items():
        border += share
        if place < border:
            return name
    return list(splits)[-1]


def _drawn_by(image: Mapping[str, Any]) -> int:
    """What decides an image's split: frames of a video, which are alike, stay together."""
    video = image.get("video_id")
    return video if isinstance(video, int) else image["id"]


def _videos(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The file's, where each image is a frame of one and each label has a track; else none."""
    videos = data.get("videos")
    if not isinstance(videos, list) or not all(isinstance(one, dict) for one in videos):
        return []
    known = {one["id"] for one in videos if isinstance(one.get("id"), int)}
    named = (image.get("video_id") for image in data["images"])
    whole = all(isinstance(video, int) and video in known for video in named)
    tracked = all(isinstance(one.get("track_id"), int) for one in data["annotations"])
    return videos if whole and tracked else []


def refuse_unfinished(dataset: Path) -> None:
    """InputError for what is no dataset, or not at its end."""
    if not dataset.is_dir():
        raise InputError(f"{dataset}: no such folder; give the folder of a dataset")
    if (dataset / "recipe.json").exists() and not store.is_complete(dataset):
        raise InputError(f"{dataset}: not complete; finish it with `generate --resume` first")


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _check_stuff(dataset: Path, stored: Any) -> None:
    if not isinstance(stored, list) or not all(
        isinstance(one, dict) and isinstance(one.get("id"), int) for one in stored
    ):
        raise InputError(f"{dataset}: `info.stuff` of its annotations.json lists no ids and names")


def _check_merge(
    dataset: Path,
    categories: Sequence[Mapping[str, Any]],
    stuff: Sequence[Mapping[str, Any]],
    merge: Mapping[str, str],
) -> None:
    things, rest = ([str(one.get("name")) for one in names] for names in (categories, stuff))
    unknown = [name for name in merge if name not in (*things, *rest)]
    if unknown:
        known = ", ".join((*things, *rest))
        raise InputError(f"{dataset}: no category `{unknown[0]}` to merge; there are: {known}")
    both = {merge.get(n, n) for n in things} & {merge.get(n, n) for n in rest}
    if both:
        raise InputError(
            f"{dataset}: `{min(both)}` would be things and stuff; merge things with things only"
        )


def _categories(
    old: Sequence[Mapping[str, Any]], merge: Mapping[str, str], first: int = 1
) -> tuple[list[dict[str, Any]], dict[Any, int]]:
    """The new list, in the order of the old one and with ids from `first`; old id -> new id."""
    names = [str(one.get("name")) for one in old]
    number = {
        name: k for k, name in enumerate(dict.fromkeys(merge.get(n, n) for n in names), first)
    }
    new: dict[int, dict[str, Any]] = {}
    for one, name in zip(old, names, strict=True):
        key = number[merge.get(name, name)]
        new.setdefault(key, {**one, "id": key, "name": merge.get(name, name)})
    ids = {one.get("id"): number[merge.get(n, n)] for one, n in zip(old, names, strict=True)}
    return list(new.values()), ids


def _labels(
    dataset: Path,
    data: Mapping[str, Any],
    policy: Policy,
    categories: Mapping[int, Mapping[str, Any]],
    renumbered: Mapping[Any, int],
) -> dict[Any, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Image id -> labels that pass the policy, and those that do not, with their new category."""
    images = {image.get("id") for image in data["images"]}
    labels: dict[Any, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {}
    for one in data["annotations"]:
        if one.get("image_id") not in images or one.get("category_id") not in renumbered:
            raise InputError(f"{dataset}: annotation {one.get('id')} has no image or no category")
        if not _is_measured(one):
            raise InputError(f"{dataset}: annotation {one.get('id')} has no sound box or area")
        number = renumbered[one["category_id"]]
        name = {"category": categories[number]["name"]} if "category" in one else {}
        kept, dropped = labels.setdefault(one["image_id"], ([], []))
        place = kept if _passes(dataset, one, policy) else dropped
        place.append({**one, "category_id": number, **name})
    return labels


def _is_measured(annotation: Mapping[str, Any]) -> bool:
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        return False
    return all(isinstance(v, int | float) for v in (*box, annotation.get("area")))


def _passes(dataset: Path, annotation: Mapping[str, Any], policy: Policy) -> bool:
    if policy.min_visible_fraction > 0:
        visible = annotation.get("visible_fraction")
        if not isinstance(visible, int | float):
            raise InputError(
                f"{dataset}: annotation {annotation.get('id')} has no visible_fraction, so "
                "--min-visible-fraction cannot be applied; datagen's own datasets have it"
            )
        if visible < policy.min_visible_fraction:
            return False
    return annotation["area"] >= policy.min_pixels


def _item(
    dataset: Path,
    image: Mapping[str, Any],
    name: str,
    labels: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> Item:
    key, file_name = image.get("id"), image.get("file_name")
    if not isinstance(key, int) or not isinstance(file_name, str):
        raise InputError(f"{dataset}: image {json.dumps(key)} has no id or no file name")
    source = _inside(dataset, key, file_name)
    if not source.is_file():
        raise InputError(f"{source}: the image is not there; `verify` lists what else is missing")
    for side in ("width", "height"):
        if not isinstance(image.get(side), int) or image[side] < 1:
            raise InputError(f"{dataset}: image {key}: its {side} is {image.get(side)}")
    travels = {k: image[k] for k in _IMAGE_KEYS if k in image}
    sides = {"id": key, "width": image["width"], "height": image["height"]}
    files = [_inside(dataset, key, place) for place in _object(image.get("passes"))]
    passes = {path.name.removeprefix(f"{source.stem}.").partition(".")[0]: path for path in files}
    camera = _camera(dataset, key, image.get("camera"))
    return Item(source, name, {**sides, **travels}, *labels, camera=camera, passes=passes)


def _inside(dataset: Path, key: int, file_name: str) -> Path:
    path = dataset / file_name
    if not path.resolve().is_relative_to(dataset.resolve()):
        raise InputError(f"{dataset}: image {key}: `{file_name}` leaves the dataset's folder")
    return path


def _camera(dataset: Path, key: int, stored: Any) -> Pinhole | None:
    if stored is None:
        return None
    try:
        return Pinhole.from_json(stored)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{dataset}: image {key}: its camera cannot be read ({error})") from error


def _names(file_names: Sequence[str]) -> list[str]:
    """Names without folders; folders become part of the name only where names would collide."""
    paths = [PurePosixPath(name) for name in file_names]
    names = [path.name for path in paths]
    if len({path.stem for path in paths}) < len(paths):
        names = ["__".join(part for part in path.parts if part != "/") for path in paths]
    name, count = next(iter(Counter(PurePosixPath(n).stem for n in names).most_common(1)), ("", 1))
    if count > 1:
        raise InputError(f"{count} images would be exported as `{name}`; rename the images")
    return names
