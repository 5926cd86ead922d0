"""A static page that shows a dataset's images with their labels; it works without a network."""

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from datagen.dataset import coco
from datagen.dataset.export.outline import Ring, rings
from datagen.dataset.folders import refuse_unfinished
from datagen.dataset.targets import display_name
from datagen.errors import InputError
from datagen.files import write_atomic
from datagen.report import colour_of
from datagen.report.page import render
from datagen.report.sheet import mask_of


@dataclass(frozen=True)
class _Category:
    id: int
    name: str
    count: int
    colour: str


@dataclass(frozen=True)
class _Thing:
    category_id: int
    colour: str
    tip: str
    path: str  # SVG path data, pixels
    box: tuple[float, ...]  # x, y, w, h


@dataclass(frozen=True)
class _Figure:
    id: int
    name: str
    source: str | None  # address of the image relative to the page; None: the file is missing
    width: int
    height: int
    summary: str
    has: list[int]  # category ids
    things: list[_Thing]


def write_gallery(dataset: Path, out: Path | None = None, limit: int = 200) -> Path:
    """Write the page for a COCO dataset folder and return its path.

    It goes to `out`/index.html, by default `<dataset>-view` beside the dataset: a file inside the
    dataset would not be in its manifest. The page points at the images, it does not copy them.
    """
    refuse_unfinished(dataset)
    labels = coco.read(dataset)
    out = out or dataset.resolve().with_name(dataset.resolve().name + "-view")
    if out.resolve().is_relative_to(dataset.resolve()):
        raise InputError(f"{out} lies inside the dataset, which would break it; choose another")
    try:
        context = _context(labels, dataset, out, limit)
    except (InputError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{dataset / 'annotations.json'}: a label cannot be drawn "
            f"({type(error).__name__}: {error}); `datagen verify {dataset}` says which"
        ) from error
    page = out / "index.html"
    text = render("gallery.html", context)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomic(page, text)
    except OSError as error:
        raise InputError(f"{page}: cannot be written ({error.strerror}); choose another") from error
    return page


def outline(mask: np.ndarray) -> str:
    """SVG path data along the pixel edges of a bool mask [H, W]; fill it with the even-odd rule."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return ""
    top, left = int(rows[0]), int(columns[0])
    part = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    return "".join(_loop(ring, top, left) for ring in rings(part))


def _loop(ring: Ring, top: int, left: int) -> str:
    """`M3 4h5v2h-5z`: sides in turn horizontal and vertical; `z` draws the last one."""
    x, y = ring[0]
    parts = [f"M{x + left} {y + top}"]
    for there in ring[1:]:
        parts.append(f"h{there[0] - x}" if there[1] == y else f"v{there[1] - y}")
        x, y = there
    return "".join(parts) + "z"


def _context(labels: Mapping[str, Any], dataset: Path, out: Path, limit: int) -> dict[str, Any]:
    names = {int(category["id"]): str(category["name"]) for category in labels["categories"]}
    counts = Counter(int(a["category_id"]) for a in labels["annotations"])
    of_image: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for annotation in labels["annotations"]:
        of_image[annotation["image_id"]].append(annotation)
    images = sorted(labels["images"], key=lambda image: image["id"])
    shown = images[: max(0, limit)]
    longest = max((int(image["width"]) for image in shown), default=256)
    return {
        "title": display_name(os.fsencode(dataset.resolve().name)),
        "total_images": len(images),
        "total_things": len(labels["annotations"]),
        "categories": [
            _Category(id, name, counts[id], _hex(id)) for id, name in sorted(names.items())
        ],
        "figures": [_figure(i, of_image[i["id"]], names, dataset, out) for i in shown],
        "cell": 260 if longest <= 320 else 420,
        "pixelated": longest <= 200,
    }


def _figure(
    image: Mapping[str, Any],
    annotations: Sequence[Mapping[str, Any]],
    names: Mapping[int, str],
    dataset: Path,
    out: Path,
) -> _Figure:
    width, height = int(image["width"]), int(image["height"])
    counts = Counter(names[int(a["category_id"])] for a in annotations)
    listed = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    noun = "thing" if len(annotations) == 1 else "things"
    return _Figure(
        id=int(image["id"]),
        name=display_name(str(image["file_name"])),
        source=_address(dataset, str(image["file_name"]), out),
        width=width,
        height=height,
        summary=f"{len(annotations)} {noun}" + (f": {listed}" if listed else ""),
        has=sorted({int(a["category_id"]) for a in annotations}),
        # Small things last, so that a pointer can reach what lies within a large box.
        things=[
            _thing(a, names, width, height)
            for a in sorted(annotations, key=lambda a: -float(a["bbox"][2]) * float(a["bbox"][3]))
        ],
    )


def _thing(
    annotation: Mapping[str, Any], names: Mapping[int, str], width: int, height: int
) -> _Thing:
    category = int(annotation["category_id"])
    x, y, w, h = (float(value) for value in annotation["bbox"])
    tip = [names[category], f"{float(annotation['area']):,.0f} px"]
    if annotation.get("visible_fraction") is not None:
        # Rounded down: 100 % must mean that nothing is hidden.
        tip.append(f"{int(100 * float(annotation['visible_fraction']))} % visible")
    tip.append(f"id {int(annotation['id'])}")
    return _Thing(
        category_id=category,
        colour=_hex(category),
        tip=" · ".join(tip),
        path=outline(mask_of(annotation["segmentation"], height, width)),
        box=(x, y, w, h),
    )


def _address(dataset: Path, name: str, out: Path) -> str | None:
    """Quoted address of an image as seen from the page; None if it is not in the dataset."""
    root = dataset.resolve()
    try:
        path = (root / name).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            return None
    except (OSError, ValueError):  # a name too long, or with a zero byte
        return None
    return quote(os.fsencode(os.path.relpath(path, out.resolve())))


def _hex(category_id: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour_of(category_id))
