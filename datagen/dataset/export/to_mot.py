"""MOTChallenge: a folder for each clip, with its frames and a line for each thing in each of them.

As MOT16's and MOT17's ground truth (Milan et al. 2016): frames, tracks and pixels count from 1, and
a box is the whole thing's, as far as it may reach behind others and out of the image.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from datagen.dataset.export.publish import Written, place_image
from datagen.dataset.export.selection import Item, Selection
from datagen.dataset.store import read_json
from datagen.errors import InputError

_WHOLE = "train"  # the part's name when there are no splits: readers insist on one
_COUNTED, _IGNORED = 1, 0  # by those who score trackers


def image_path(_: Selection, part: str, item: Item) -> str:
    """Where an image lies in the export."""
    return f"{part or _WHOLE}/{_name(item)}/img1/{_frame(item):06d}{item.source.suffix}"


def write(selection: Selection, out: Path) -> Written:
    """`img1`, `gt/gt.txt`, `gt/labels.txt` and `seqinfo.ini` of each clip; `seqmaps` of splits."""
    if not selection.videos:
        raise InputError(
            f"{selection.dataset}: its images are no frames of clips with tracks, which `mot` "
            "needs; a recipe with a section [clips] makes them"
        )
    (out / "seqmaps").mkdir(parents=True)
    for part in selection.parts:
        clips = defaultdict[str, list[Item]](list)
        for item in selection.watched(part, "images"):
            place_image(item, _made(out / image_path(selection, part, item)), link=selection.link)
            clips[_name(item)].append(item)
        for name, items in clips.items():
            _write_clip(selection, out / (part or _WHOLE) / name, sorted(items, key=_frame))
        lines = ["name", *clips]
        (out / "seqmaps" / f"{part or _WHOLE}.txt").write_text("\n".join([*lines, ""]), "ascii")
    return Written()


def _name(item: Item) -> str:
    """A clip's, as datagen numbers them."""
    return f"{item.image['video_id'] - 1:08d}"


def _frame(item: Item) -> int:
    index = item.image.get("frame_index")
    if not isinstance(index, int) or index < 0:
        raise InputError(f"{item.source}: its image has no frame_index, which `mot` needs")
    return index + 1


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write_clip(selection: Selection, folder: Path, frames: Sequence[Item]) -> None:
    if len({_frame(item) for item in frames}) < len(frames):
        raise InputError(f"{selection.dataset}: a frame_index is there twice in clip {folder.name}")
    (folder / "gt").mkdir()
    lines = "".join(f"{line}\n" for item in frames for line in _lines(item))
    (folder / "gt/gt.txt").write_text(lines, "ascii")
    names = "".join(f"{one['name']}\n" for one in selection.categories)
    (folder / "gt/labels.txt").write_text(names, "utf-8")
    about = _about(selection.dataset, folder.name, frames)
    (folder / "seqinfo.ini").write_text(about, "ascii")


def _lines(item: Item) -> Iterator[str]:
    """`frame,track,left,top,width,height,flag,class,visibility`."""
    for labels, flag in ((item.annotations, _COUNTED), (item.dropped, _IGNORED)):
        for one in labels:
            x, y, width, height = one.get("amodal_bbox", one["bbox"])
            box = ",".join(f"{v:.2f}" for v in (x + 1, y + 1, width, height))
            counted = _IGNORED if one.get("iscrowd") == 1 else flag
            seen = one.get("visible_fraction", -1)
            what = f"{counted},{one['category_id']},{seen:.4f}"
            yield f"{_frame(item)},{one['track_id']},{box},{what}"


def _about(dataset: Path, name: str, frames: Sequence[Item]) -> str:
    image = frames[0].image
    about: dict[str, Any] = {"name": name, "imDir": "img1", **_rate(dataset)}
    about |= {
        "seqLength": _frame(frames[-1]),
        "imWidth": image["width"],
        "imHeight": image["height"],
    }
    about |= {"imExt": frames[0].source.suffix}
    return "".join(["[Sequence]\n", *(f"{key}={value}\n" for key, value in about.items())])


def _rate(dataset: Path) -> Mapping[str, str]:
    """Frames a second, which the recipe of a dataset of ours tells."""
    if not (dataset / "recipe.json").is_file():
        return {}
    clips = read_json(dataset / "recipe.json").get("clips") or {}
    interval = clips.get("interval")
    return {"frameRate": f"{1 / interval:g}"} if interval else {}
