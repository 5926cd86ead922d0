"""YOLO: `labels/X.txt` for `images/X.jpg`, a line for each thing, numbers as shares of the sides.

`class centre_x centre_y width height`, or `class x y x y x y ...` for a polygon. A picture without
a label file shows nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pycocotools import mask as coco_mask

from datagen import rle
from datagen.decoding import read_text
from datagen.errors import InputError
from datagen.labelled import Box, Labelled, Picture, Thing
from datagen.reading.boxes import clipped, numbers
from datagen.reading.images import pictures_in, sizes_of
from datagen.reading.left_out import Rejected, check_enough
from datagen.reading.yolo_names import names_beside, names_of

MAX_BYTES = 16 << 20  # of a label file
FARTHEST = 2.0  # a share beyond it was meant in pixels


@dataclass(frozen=True)
class _Classes:
    """What the numbers of the lines mean."""

    file: Path
    place: Mapping[int, int]  # number in the lines -> index into the categories
    empty: Rejected = field(default_factory=list)  # things with no pixel in their picture


def found(folder: Path) -> list[Path]:
    """Folders of pictures with labels: this one, those in its `images`, `images` of those in it."""
    inside = [folder, folder / "images", *_folders(folder / "images")]
    inside += [place / "images" for place in _folders(folder)]
    return [p for p in dict.fromkeys(inside) if _labels_of(p).is_dir() and pictures_in(p)]


def read(path: Path) -> Labelled:
    """The pictures of the one split at `path`: a folder, or its YAML file."""
    folder = path.parent if path.is_file() else path
    images = _images(folder)
    if path.is_file():
        file, names = path, names_of(path)
    else:
        file, names = names_beside([images, images.parent, images.parent.parent])
    classes = _Classes(file, {number: k for k, number in enumerate(names)})
    lost: Rejected = []
    pictures = []
    labels = _labels_of(images)
    for name, (width, height) in sizes_of(images, pictures_in(images), lost).items():
        things = tuple(_things(labels / f"{Path(name).stem}.txt", classes, width, height))
        pictures.append(Picture(name, images / name, width, height, things))
    check_enough(images, pictures, lost)
    _check_labels(labels, pictures)
    masks = all(thing.mask is not None for p in pictures for thing in p.things)
    rejected = (*lost, *classes.empty)
    return Labelled(images, "yolo", tuple(names.values()), tuple(pictures), masks, rejected)


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def _images(folder: Path) -> Path:
    places = found(folder)
    if not places:
        raise InputError(f"{folder}: holds no pictures in `images` with text files in `labels`")
    if len(places) > 1:
        listed = ", ".join(str(place.relative_to(folder)) for place in places)
        raise InputError(
            f"{folder}: holds {len(places)} sets of pictures ({listed}); give the folder of one, "
            "so that no picture to test on is trained on"
        )
    return places[0]


def _labels_of(images: Path) -> Path:
    """The last `images` of a path, as `labels`; a path without one has no labels."""
    parts = list(images.absolute().parts)
    if "images" not in parts:
        return images / "labels" / "images"  # nowhere
    last = len(parts) - 1 - parts[::-1].index("images")
    return Path(*parts[:last], "labels", *parts[last + 1 :])


def _check_labels(labels: Path, pictures: Sequence[Picture]) -> None:
    """Refuses labels of other pictures, which would make all of these empty ones."""
    stems = {Path(picture.name).stem for picture in pictures}
    files = {file.stem for file in labels.glob("*.txt")}
    if not stems & files:
        raise InputError(
            f"{labels}: holds no text file that is named like a picture; put the labels there"
        )


def _things(file: Path, classes: _Classes, width: int, height: int) -> list[Thing]:
    if not file.exists():
        return []
    things = []
    for number, line in enumerate(read_text(file, MAX_BYTES).splitlines(), 1):
        if words := line.split():
            thing = _thing(words, f"{file}:{number}", classes, (width, height))
            if thing is None:
                name = f"labels/{file.name}:{number}"
                classes.empty.append((name, "its box has no pixel in the picture"))
            else:
                things.append(thing)
    return things


def _thing(
    words: Sequence[str], where: str, classes: _Classes, sides: tuple[int, int]
) -> Thing | None:
    """None when hardly a pixel of it is in the picture. `sides`: width, height, px."""
    number, *shares = numbers(words, where)
    if number not in classes.place:
        raise InputError(f"{where}: class {words[0][:20]} is not in {classes.file}; name it there")
    if any(abs(share) > FARTHEST for share in shares):
        raise InputError(
            f"{where}: {max(shares, key=abs):g} is no share of a side; divide by the picture's size"
        )
    if len(shares) != 4 and (len(shares) < 6 or len(shares) % 2):
        raise InputError(
            f"{where}: has {len(words)} numbers; give class and box (5), or class and polygon "
            "(7, 9, ...); results with scores are no labels"
        )
    mask = None if len(shares) == 4 else _mask(shares, *sides, where)
    box = clipped(_box(shares, *sides) if mask is None else _around(mask), *sides)
    if box is None:
        return None
    area = box[2] * box[3] if mask is None else float(coco_mask.area(cast(Any, mask)))
    return Thing(category=classes.place[int(number)], box=box, area=area, mask=mask)


def _box(shares: Sequence[float], width: int, height: int) -> Box:
    x, y, w, h = shares
    return (x - w / 2) * width, (y - h / 2) * height, w * width, h * height


def _mask(shares: Sequence[float], width: int, height: int, where: str) -> rle.RLE:
    ring = [share * (height if k % 2 else width) for k, share in enumerate(shares)]
    mask = rle.of_segmentations([[ring]], height, width)[0]
    if isinstance(mask, InputError):
        raise InputError(f"{where}: {mask}")
    return mask


def _around(mask: rle.RLE) -> Box:
    x, y, w, h = coco_mask.toBbox(cast(Any, mask)).tolist()
    return x, y, w, h
