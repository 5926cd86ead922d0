"""YOLO: a text file for each image, a line for each label, coordinates from 0 to 1."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from datagen.dataset.export import masks, outline
from datagen.dataset.export.publish import Written, place_images
from datagen.dataset.export.selection import Item, Selection
from datagen.dataset.export.to_coco import rings_of

_WHOLE = "train"  # the part's name when there are no splits: readers insist on one


def image_path(_: Selection, part: str, item: Item) -> str:
    """Where an image lies in the export."""
    return f"images/{part or _WHOLE}/{item.name}"


def write_boxes(selection: Selection, out: Path) -> Written:
    """Lines `class centre_x centre_y width height`; classes count from 0."""
    _write_parts(selection, out, _boxes)
    return _write_head(selection, out)


def write_segments(selection: Selection, out: Path) -> Written:
    """Lines `class x y x y ...`: one ring for each label, holes and parts joined by cuts."""
    _write_parts(selection, out, _segments)
    return _write_head(selection, out)


def _write_parts(selection: Selection, out: Path, lines_of: Callable[[Item], list[str]]) -> None:
    for part in selection.parts:
        place_images(selection, part, out / "images" / (part or _WHOLE))
        folder = out / "labels" / (part or _WHOLE)
        folder.mkdir(parents=True)
        for item in selection.watched(part, "labels"):
            text = "".join(line + "\n" for line in lines_of(item))
            (folder / f"{Path(item.name).stem}.txt").write_text(text, encoding="ascii")


def _things(item: Item) -> list[Mapping[str, Any]]:
    """YOLO has no crowds."""
    return [one for one in item.annotations if one.get("iscrowd") != 1]


def _boxes(item: Item) -> list[str]:
    width, height = item.image["width"], item.image["height"]
    lines = []
    for one in _things(item):
        x, y, w, h = one["bbox"]
        box = ((x + w / 2) / width, (y + h / 2) / height, w / width, h / height)
        lines.append(_line(one, box))
    return lines


def _segments(item: Item) -> list[str]:
    width, height = item.image["width"], item.image["height"]
    lines = []
    for one, mask in masks.exact(item):
        inside = masks.pixels([mask])[0]
        if one.get("iscrowd") == 1 or not inside.any():
            continue
        ring = outline.joined(rings_of(inside))
        lines.append(_line(one, (v for x, y in ring for v in (x / width, y / height))))
    return lines


def _line(annotation: Mapping[str, Any], numbers: Iterable[float]) -> str:
    # Six decimals: a hundredth of a pixel in the widest canvas.
    return " ".join([str(annotation["category_id"] - 1), *(f"{v:.6f}" for v in numbers)])


def _write_head(selection: Selection, out: Path) -> Written:
    names = [str(one["name"]) for one in selection.categories]
    parts = [name or _WHOLE for name in selection.parts]
    lines = [f"{name}: images/{name}" for name in parts]
    if "train" not in parts:
        lines.append(f"train: images/{parts[0]}")
    if "val" not in parts:
        lines.append(f"val: images/{parts[0]}  # no split `val`: readers insist on the key")
    lines += [f"nc: {len(names)}", "names:"]
    # A JSON string is a YAML string, whatever the name holds.
    lines += [f"  {k}: {json.dumps(name)}" for k, name in enumerate(names)]
    (out / "data.yaml").write_text("\n".join([*lines, ""]), encoding="ascii")
    (out / "classes.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return Written()
