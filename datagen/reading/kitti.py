"""KITTI's object benchmark: `image_2` beside `label_2`, 15 columns a line.

Types become categories in lower case. KITTI's eight come first, met or not, so that every folder
has the same list. `DontCare` is a region in which nothing is right or wrong. Boxes name the
outermost pixels, both inside: (0, 0, 9, 9) is 10 px wide. `distance` is along the camera's axis.
"""

from pathlib import Path

from datagen.decoding import read_text
from datagen.errors import InputError
from datagen.labelled import ANY, Labelled, Picture, Thing
from datagen.reading.boxes import clipped, numbers
from datagen.reading.images import pictures_in, sizes_of
from datagen.reading.left_out import Rejected, check_enough

TYPES = ("car", "van", "truck", "pedestrian", "person_sitting", "cyclist", "tram", "misc")
IGNORED = "dontcare"
COLUMNS = 15
MAX_BYTES = 1 << 20  # of a label file

Row = tuple[str, str, list[float]]  # where it stands, type in lower case, the numbers after it


def found(folder: Path) -> Path | None:
    """The folder that holds `image_2` and `label_2`: this one, or its `training`."""
    for place in (folder, folder / "training"):
        if (place / "image_2").is_dir() and (place / "label_2").is_dir():
            return place
    return None


def read(folder: Path) -> Labelled:
    """All labelled pictures; the lists in `ImageSets` are not looked at."""
    root = found(folder)
    if root is None:
        raise InputError(
            f"{folder}: holds no `image_2` beside `label_2`; give KITTI's folder `training`"
        )
    lost: Rejected = []
    names = [f"image_2/{name}" for name in pictures_in(root / "image_2")]
    sizes = sizes_of(root, names, lost)
    rows = {
        name: _rows(_label_file(root, name)) for name in sizes if _label_file(root, name).exists()
    }
    lost += [(name, "it has no file in label_2") for name in sizes if name not in rows]
    others = {kind for lines in rows.values() for _, kind, _ in lines} - {*TYPES, IGNORED}
    categories = (*TYPES, *sorted(others))
    number = {name: k for k, name in enumerate(categories)} | {IGNORED: ANY}
    empty: Rejected = []
    pictures = []
    for name, lines in rows.items():
        width, height = sizes[name]
        things = [_thing(row, number[row[1]], width, height, empty) for row in lines]
        kept = tuple(thing for thing in things if thing is not None)
        pictures.append(Picture(name, root / name, width, height, kept))
    check_enough(folder, pictures, lost)
    return Labelled(root, "kitti", categories, tuple(pictures), False, (*lost, *empty))


def _label_file(root: Path, name: str) -> Path:
    return root / "label_2" / f"{Path(name).stem}.txt"


def _rows(file: Path) -> list[Row]:
    lines = read_text(file, MAX_BYTES).splitlines()
    return [_row(line.split(), f"{file}:{k}") for k, line in enumerate(lines, 1) if line.strip()]


def _row(words: list[str], where: str) -> Row:
    if len(words) == COLUMNS + 1:
        raise InputError(f"{where}: has a score, so this is a detector's result; give the labels")
    if len(words) != COLUMNS:
        raise InputError(f"{where}: has {len(words)} columns; a line of KITTI has {COLUMNS}")
    return where, words[0].lower(), numbers(words[1:], where)


def _thing(row: Row, category: int, width: int, height: int, empty: Rejected) -> Thing | None:
    """None, and a note in `empty`, when hardly a pixel of it is in the picture."""
    where, kind, values = row
    left, top, right, bottom = values[3:7]
    box = clipped((left, top, right - left + 1, bottom - top + 1), width, height)
    if box is None:
        name = "/".join(Path(where).parts[-2:])
        empty.append((name, f"the box of this {kind} has no pixel in the picture"))
        return None
    return Thing(
        category=category,
        box=box,
        area=box[2] * box[3],
        ignored=category == ANY,
        facts={} if category == ANY else _facts(values),
    )


def _facts(values: list[float]) -> dict[str, float | str]:
    """What is known; KITTI writes -1 and -1000 for what is not."""
    truncation, occluded, ahead = values[0], values[1], values[12]
    facts: dict[str, float | str] = {}
    if 0 <= truncation <= 1:
        facts["truncation"] = truncation
    if occluded in (0, 1, 2, 3):
        facts["occluded"] = occluded
    if ahead > 0:
        facts["distance"] = ahead
    return facts
