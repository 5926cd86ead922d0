"""COCO files of any tool, and dataset folders of `datagen generate`.

Pictures are looked for beside the file; where it lies in a folder `annotations`, as COCO's own do,
beside that folder, too.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from datagen.dataset import coco, store
from datagen.dataset.folders import is_dataset
from datagen.dataset.headers import MAX_PIXELS
from datagen.errors import InputError
from datagen.labelled import Labelled, Picture
from datagen.reading.coco_things import things_of
from datagen.reading.images import MAX_SIDE, size_of
from datagen.reading.left_out import Rejected, check_enough

NAME = "annotations.json"
_LOOKED_AT = 50  # names by which the folder of the pictures is found

Entry = Mapping[str, Any]
Sides = tuple[int, int]  # width, height, px


def found(folder: Path) -> list[Path]:
    """The JSON files of a folder, or of its `annotations`, that may be COCO's."""
    for place in (folder, folder / "annotations"):
        files = sorted(file for file in place.glob("*.json") if file.is_file())
        if files:
            return [place / NAME] if place / NAME in files else files
    return []


def read(path: Path) -> Labelled:
    """The pictures of a COCO file, or of the folder of one, in the file's order."""
    file = file_of(path)
    data = coco.read(file)
    _check_unique(file, data)
    coco.check_links(file, data)
    names = [_name(file, image) for image in data["images"]]
    root = _root(file, names)
    lost: Rejected = []
    sides = dict(_sides(file, root, data["images"], lost))
    things, odd = things_of(file, data, sides)
    pictures = []
    for image, name in zip(data["images"], names, strict=True):
        if (key := image["id"]) in sides:
            video = image.get("video_id")
            of = video if isinstance(video, int) else None
            found = tuple(things.get(key, ()))
            pictures.append(Picture(name, root / name, *sides[key], found, of))
    check_enough(file, pictures, lost)
    masks = all(t.mask is not None or t.ignored for p in pictures for t in p.things)
    categories = tuple(one["name"] for one in data["categories"])
    return Labelled(root, "coco", categories, tuple(pictures), masks, (*lost, *odd))


def file_of(folder: Path) -> Path:
    """The one COCO file of a folder; a file is that itself."""
    if folder.is_file():
        return folder
    if is_dataset(folder) and not store.is_complete(folder):
        raise InputError(f"{folder}: is not finished; run `datagen generate` with --resume first")
    files = found(folder)
    if not files:
        raise InputError(f"{folder}: holds no JSON file; give the COCO file itself")
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:4])
        raise InputError(f"{folder}: holds {len(files)} JSON files ({names}); give the one to read")
    return files[0]


def _check_unique(file: Path, data: Entry) -> None:
    """Of labels alone the ids may repeat: nothing asks for them."""
    for what, key in (
        ("images", "id"),
        ("images", "file_name"),
        ("categories", "id"),
        ("categories", "name"),
    ):
        values = Counter(str(entry[key]) for entry in data[what] if key in entry)
        value, count = next(iter(values.most_common(1)), ("", 0))
        if count > 1:
            raise InputError(
                f"{file}: {count} of its `{what}` have the {key} {value[:80]!r}; "
                f"`datagen verify {file}` lists all such faults"
            )


def _name(file: Path, image: Entry) -> str:
    name = image.get("file_name")
    if not isinstance(name, str) or not name:
        raise InputError(f"{file}: image {image['id']} has no `file_name`; write it there")
    if not name.isprintable():
        raise InputError(
            f"{file}: the `file_name` of image {image['id']} cannot be shown ({name[:80]!a}); "
            "rename the picture"
        )
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts:
        raise InputError(
            f"{file}: image {image['id']} lies outside of the folder ({name[:80]!a}); make its "
            "`file_name` relative to the folder of the pictures"
        )
    return name


def _root(file: Path, names: Sequence[str]) -> Path:
    """The folder that the names are relative to: where most of the first pictures are."""
    home = file.parent
    places = [home, home / "images"]
    if home.name == "annotations":
        split = file.stem.removeprefix("instances_")
        above = home.parent
        places += [above / split, above / "images" / split, above / "images", above]
    there = [sum((place / name).is_file() for name in names[:_LOOKED_AT]) for place in places]
    if names and not any(there):
        looked = ", ".join(str(place) for place in places)
        raise InputError(
            f"{file}: its pictures, such as {names[0]!r}, are in none of {looked}; "
            "put the file beside them"
        )
    return places[there.index(max(there))]


def _sides(
    file: Path, root: Path, images: Sequence[Entry], lost: Rejected
) -> Iterator[tuple[int | str, Sides]]:
    """Image id and sides of every picture that is there."""
    for image in images:
        path = root / image["file_name"]
        if not path.is_file() or path.stat().st_size == 0:
            reason = "the file is empty" if path.is_file() else "the file is not there"
            lost.append((image["file_name"], reason))
            continue
        stated = image.get("width"), image.get("height")
        if stated == (None, None):
            stated = size_of(path)
        yield image["id"], _checked(file, image, *stated)


def _checked(file: Path, image: Entry, width: object, height: object) -> Sides:
    if isinstance(width, int) and isinstance(height, int):
        fits = 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS
        if fits:
            return width, height
    raise InputError(
        f"{file}: image {image['id']} is {width} x {height} px; its sides must be whole numbers "
        f"from 1, at most {MAX_PIXELS // 1_000_000} million px"
    )
