"""COCO files: written from a stream of records, read with care."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import datagen
from datagen.errors import AuditError, InputError
from datagen.files import atomic_text

CONTRIBUTOR = "datagen"  # in `info`; tells our own files from those of other tools
MAX_BYTES = 4 << 30
_LISTS = ("images", "annotations", "categories")

Record = Mapping[str, Any]  # {"index", "image": {...}, "annotations": [{...}, ...]}
Pair = tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]  # an image and its annotations


@dataclass(frozen=True)
class Head:
    """What stands before the images. Nothing here may come from a clock: bytes must repeat."""

    world: str
    categories: Sequence[str]  # id = position + 1
    stuff: Sequence[str] = ()  # class ids go on after the categories
    description: str = ""
    licenses: Sequence[Mapping[str, Any]] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)  # more keys of `info`
    clips: bool = False  # images are frames of videos, whose things have tracks

    def to_json(self) -> dict[str, Any]:
        info: dict[str, Any] = {
            "description": self.description or f"synthetic images of the world {self.world}"
        }
        info |= {"version": datagen.__version__, "contributor": CONTRIBUTOR, "url": ""}
        if self.stuff:
            first = len(self.categories) + 1
            info["stuff"] = [{"id": k, "name": n} for k, n in enumerate(self.stuff, first)]
        categories = [
            {"id": number, "name": name, "supercategory": self.world}
            for number, name in enumerate(self.categories, 1)
        ]
        licenses = [dict(one) for one in self.licenses]
        return {"info": {**info, **self.provenance}, "licenses": licenses, "categories": categories}


@dataclass(frozen=True)
class Counts:
    """How much a file holds."""

    images: int
    annotations: int


def write(path: Path, records: Callable[[], Iterable[Record]], head: Head) -> Counts:
    """Publish `path` with one rename, in memory that does not grow with the number of images.

    `records` is called for each list and must always give the same records, by rising index.
    Image id = index + 1; annotation ids and track ids count from 1.
    """
    lists = {name: of(pairs(records())) for name, of in _listed(clips=head.clips).items()}
    return write_lists(path, head.to_json(), lists)


def write_lists(
    path: Path, head: Mapping[str, Any], lists: Mapping[str, Iterable[Mapping[str, Any]]]
) -> Counts:
    """Publish a file whose lists, `images` and `annotations` among them, are read one by one."""
    counts: dict[str, int] = {}
    with atomic_text(path) as file:
        file.write("{\n")
        for key, value in head.items():
            file.write(f"{json.dumps(key)}: {line(value)},\n")
        for key, items in lists.items():
            file.write((",\n" if counts else "") + json.dumps(key) + ": [")
            counts[key] = _items(file, items)
            file.write("\n]")
        file.write("\n}\n")
    return Counts(counts["images"], counts["annotations"])


def line(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _items(file: IO[str], items: Iterable[Mapping[str, Any]]) -> int:
    """One item a line, so that two files can be compared with a plain diff."""
    count = 0
    for item in items:
        file.write(f"{',' if count else ''}\n{line(item)}")
        count += 1
    return count


def pairs(records: Iterable[Record]) -> Iterator[Pair]:
    """Each image of a file, with its annotations."""
    before, number = -1, 0
    tracked = _Tracks()
    for record in records:
        index = record["index"]
        if index <= before:
            raise AuditError(f"record {index} comes after record {before}; indices must rise")
        before, key = index, index + 1
        annotations = [
            {"id": number + k, "image_id": key, "iscrowd": 0, **track, **annotation}
            for k, (track, annotation) in enumerate(tracked.of(record), 1)
        ]
        number += len(annotations)
        yield {"id": key, **record["image"]}, annotations


class _Tracks:
    """Numbers of things over the frames of a clip, from 1 in the whole file.

    A thing keeps its path through its clip.
    """

    def __init__(self) -> None:
        self._count = 0
        self._video: int | None = None
        self._numbers: dict[str, int] = {}  # path -> track, of the video

    def of(self, record: Record) -> Iterator[tuple[dict[str, int], Mapping[str, Any]]]:
        """Each annotation, with its `track_id` where the image is of a clip."""
        video = record["image"].get("video_id")
        if video != self._video:
            self._video, self._numbers = video, {}
        for annotation in record["annotations"]:
            yield ({} if video is None else {"track_id": self._number(annotation)}), annotation

    def _number(self, annotation: Mapping[str, Any]) -> int:
        path = annotation["path"]
        if path not in self._numbers:
            self._count += 1
            self._numbers[path] = self._count
        return self._numbers[path]


def images(pairs: Iterable[Pair]) -> Iterator[Mapping[str, Any]]:
    return (image for image, _ in pairs)


def annotations(pairs: Iterable[Pair]) -> Iterator[Mapping[str, Any]]:
    return (one for _, annotations in pairs for one in annotations)


def videos(pairs: Iterable[Pair]) -> Iterator[Mapping[str, Any]]:
    """Of each clip; its frames follow one another."""
    for key, group in groupby(images(pairs), lambda image: image["video_id"]):
        frames = [(image["width"], image["height"]) for image in group]
        width, height = frames[0]
        sides = {"width": width, "height": height}
        yield {"id": key, "name": f"{key - 1:08d}", **sides, "frames": len(frames)}


def tracks(pairs: Iterable[Pair]) -> Iterator[Mapping[str, Any]]:
    """Of each thing in a clip that is seen in some frame; frames of a clip follow one another."""
    video, known = None, set[int]()
    for image, annotations in pairs:
        if image["video_id"] != video:
            video, known = image["video_id"], set()
        for one in annotations:
            if one["track_id"] not in known:
                known.add(one["track_id"])
                key, category = one["track_id"], one["category_id"]
                yield {"id": key, "category_id": category, "video_id": video}


def _listed(*, clips: bool) -> dict[str, Callable[[Iterable[Pair]], Iterator[Mapping[str, Any]]]]:
    """The lists of a file that grow with it, in order."""
    of_clips = {"videos": videos, "tracks": tracks} if clips else {}
    return {"images": images, "annotations": annotations, **of_clips}


def holds(path: Path, records: Callable[[], Iterable[Record]], *, clips: bool) -> bool:
    """Whether a file that `write` wrote has the lists of these records; read line by line."""
    with path.open(encoding="ascii", errors="replace") as file:
        return all(
            _is_list(file, f'"{name}": [', of(pairs(records())))
            for name, of in _listed(clips=clips).items()
        )


def _is_list(file: IO[str], opening: str, items: Iterable[Mapping[str, Any]]) -> bool:
    for text in file:
        if text.rstrip("\n") == opening:
            break
    for item in items:
        if file.readline().rstrip(",\n") != line(item):
            return False
    return file.readline().startswith("]")


def read(path: Path) -> dict[str, Any]:
    """The content of any tool's COCO file, or of the one in a dataset folder.

    `images`, `annotations` and `categories` are lists of objects; what the objects hold is not
    looked at here (`audit.audit_coco` does).
    """
    if path.is_dir():
        path = path / "annotations.json"
    data = _parse(path)
    if not isinstance(data, dict):
        raise InputError(f"{path}: a COCO file holds one JSON object, not a {type(data).__name__}")
    for key in _LISTS:
        if key not in data:
            raise InputError(f"{path}: no `{key}`; this is not a COCO file of object instances")
        if not isinstance(data[key], list) or not all(isinstance(x, dict) for x in data[key]):
            raise InputError(f"{path}: `{key}` must be a list of objects")
    return data


def check_links(path: Path, data: Mapping[str, Any]) -> None:
    """Refuses a file that `read` gave in which some label is of no image or of no category."""
    known = {
        what: {_id(path, what, k, entry) for k, entry in enumerate(data[what], 1)}
        for what in ("images", "categories")
    }
    for k, category in enumerate(data["categories"], 1):
        if not isinstance(category.get("name"), str):
            raise InputError(f"{path}: entry {k} of its `categories` has no `name`; give it one")
    for k, label in enumerate(data["annotations"], 1):
        for key, what in (("image_id", "images"), ("category_id", "categories")):
            if _id(path, "annotations", k, label, key) not in known[what]:
                told = f"entry {k} of its `annotations` has the `{key}` {line(label[key])}"
                raise _fault(path, f"{told}, which none of its `{what}` has")


def _id(path: Path, what: str, number: int, entry: Mapping[str, Any], key: str = "id") -> int | str:
    value = entry.get(key)
    if not isinstance(value, int | str):
        raise _fault(path, f"entry {number} of its `{what}` has no number as `{key}`")
    return value


def _fault(path: Path, message: str) -> InputError:
    return InputError(f"{path}: {message}; `datagen verify {path}` lists all such faults")


def check_number(path: Path, labelled: int, pictures: int) -> None:
    """Refuses labels of `labelled` images where they should be of `pictures`."""
    if labelled != pictures:
        raise InputError(
            f"{path}: has {labelled} images, the target folder {pictures}; "
            "give the labels of these pictures and of no others"
        )


def _parse(path: Path) -> Any:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"{path}: {size:,} bytes; at most {MAX_BYTES:,} are read")
        text = path.read_text(encoding="utf-8-sig")
        return json.loads(text, parse_constant=_refuse_constant)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); is the file cut off?") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
