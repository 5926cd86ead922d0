"""Folders of label maps, kind by kind: which files belong together, and what their values mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from datagen.dataset import coco, store
from datagen.dataset.folders import images_of_dataset
from datagen.dataset.pictures import ENDINGS
from datagen.decoding import read_text
from datagen.errors import InputError
from datagen.reading import camvid, facades
from datagen.reading.images import opened, pictures_in
from datagen.reading.left_out import Rejected

MapKind = Literal["camvid", "cityscapes", "facades", "dataset", "maps"]
CLASSES, MAPS, IMAGES = "classes.txt", "maps", "images"  # of a folder of a user's own
_NOTHING = "-"  # the name of a value that means no class
_LIST_BYTES = 1 << 16

_CAMVID = (  # value = position; then void
    *("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car"),
    *("pedestrian", "bicyclist"),
)
_CITYSCAPES = (
    *([None] * 7),  # what is not labelled, or not to be scored
    *("road", "sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail"),
    *("bridge", "tunnel", "pole", "pole group", "traffic light", "traffic sign", "vegetation"),
    *("terrain", "sky", "person", "rider", "car", "truck", "bus", "caravan", "trailer", "train"),
    *("motorcycle", "bicycle"),
)


@dataclass(frozen=True)
class Item:
    """A label map and the picture that it belongs to."""

    name: str
    map: Path
    image: Path | None


@dataclass(frozen=True)
class Source:
    """What a folder holds; `values` reads a map file as uint8 [h, w]."""

    kind: MapKind
    items: tuple[Item, ...]
    names: Mapping[int, str | None]  # value -> name of its class, None: nothing
    rejected: Rejected
    values: Callable[[Path], np.ndarray]


def indices(file: Path) -> np.ndarray:
    """uint8 [h, w]: the pixels of a map of class numbers."""
    with opened(file) as image:
        if image.mode.startswith("I"):
            raise InputError(f"{file}: has 16 bits a pixel; give maps of 8 bits, values 0 to 255")
        if image.mode not in ("L", "P"):
            raise InputError(
                f"{file}: its pixels are colours ({image.mode}); give maps of class numbers, "
                "8 bits in one channel"
            )
        return np.array(image)


def of_camvid(folder: Path) -> Source:
    """The pictures of `folder`, with the maps of `trainannot` beside `train`."""
    maps = camvid.maps_of(folder)
    lost: Rejected = []
    names = dict(enumerate(_CAMVID)) | {camvid.VOID: None}
    pairs = [(name, maps / f"{Path(name).stem}.png") for name in pictures_in(folder)]
    items = [Item(name, file, folder / name) for name, file in pairs if _is_there(name, file, lost)]
    return Source("camvid", tuple(items), names, lost, indices)


def cityscapes_in(folder: Path) -> list[tuple[Path, Path]] | None:
    """Pairs of map and picture; None when the folder is not laid out like Cityscapes.

    Its own layout is known by `leftImg8bit/train`, which has `gtFine/train`; others share the
    frames as `train_A` (maps) and `train_B` (pictures).
    """
    if (folder / "train_A").is_dir() and (folder / "train_B").is_dir():
        maps, images = folder / "train_A", folder / "train_B"
        found = {p.relative_to(images).with_suffix(""): p for p in _below(images)}
        return [
            (file, found.get(file.relative_to(maps).with_suffix(""), images / file.name))
            for file in _below(maps)
        ]
    whole = folder.absolute()
    maps = whole.parent.parent / "gtFine" / whole.name
    if whole.parent.name != "leftImg8bit" or not maps.is_dir():
        return None
    ids = [
        maps / p.relative_to(whole).parent / p.name.replace("_leftImg8bit.", "_gtFine_labelIds.")
        for p in _below(whole)
    ]
    return list(zip(ids, _below(whole), strict=True))


def of_cityscapes(folder: Path, pairs: list[tuple[Path, Path]]) -> Source:
    lost: Rejected = []
    names: dict[int, str | None] = {**dict(enumerate(_CITYSCAPES)), 255: None}
    items = []
    for file, image in pairs:
        name = f"{file.parent.name}/{file.name}"
        if _is_there(name, file, lost) and _is_there(name, image, lost, "picture"):
            items.append(Item(name, file, image))
    return Source("cityscapes", tuple(items), names, lost, indices)


def of_facades(folder: Path) -> Source:
    """Photo and coloured map side by side in each file."""
    items = tuple(Item(name, folder / name, folder / name) for name in pictures_in(folder))
    return Source("facades", items, dict(enumerate(facades.NAMES)), [], facades.values)


def of_dataset(folder: Path) -> Source:
    """A dataset of `datagen generate` by its `class` pass."""
    if not store.is_complete(folder):
        raise InputError(f"{folder}: is not finished; run `datagen generate` with --resume first")
    head = coco.read(folder)
    names: dict[int, str | None] = {0: None}
    names |= {one["id"]: one["name"] for one in head["categories"]}
    names |= {one["id"]: one["name"] for one in head["info"].get("stuff", ())}
    pictures = sorted(images_of_dataset(folder))
    maps = [folder / f"{name.rpartition('.')[0]}.{ENDINGS['class']}" for name in pictures]
    if maps and not maps[0].is_file():
        raise InputError(
            f"{folder}: holds no maps of classes; make it again with "
            "`datagen generate RECIPE --set 'passes=[\"class\"]'`"
        )
    items = [Item(n, file, folder / n) for n, file in zip(pictures, maps, strict=True)]
    return Source("dataset", tuple(items), names, [], indices)


def of_maps(folder: Path) -> Source:
    """`classes.txt`, `maps` and perhaps `images`: any tool's, brought into this form."""
    lost: Rejected = []
    images = folder / IMAGES
    pictures = {Path(n).stem: images / n for n in pictures_in(images)} if images.is_dir() else None
    items = []
    for name in pictures_in(folder / MAPS):
        image = None if pictures is None else pictures.get(Path(name).stem)
        if pictures is not None and image is None:
            lost.append((name, f"no picture of {IMAGES} is named like it"))
        else:
            items.append(Item(name, folder / MAPS / name, image))
    return Source("maps", tuple(items), _listed(folder / CLASSES), lost, indices)


def _listed(file: Path) -> dict[int, str | None]:
    """Value -> name: that of value k is in line k + 1."""
    lines = [line.strip() for line in read_text(file, _LIST_BYTES).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not all(lines) or not lines:
        where = lines.index("") + 1 if lines else 1
        raise InputError(
            f"{file}:{where}: is an empty line; write the name of value {where - 1} there, or -"
        )
    if len(lines) > 256:
        raise InputError(f"{file}: has {len(lines)} names; maps of 8 bits hold 256 values at most")
    return {k: None if line == _NOTHING else line for k, line in enumerate(lines)}


def _below(folder: Path) -> list[Path]:
    """Picture files in a folder or in those in it."""
    places = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
    return [place / name for place in places for name in pictures_in(place)]


def _is_there(name: str, file: Path, lost: Rejected, what: str = "label map") -> bool:
    if not file.is_file():
        lost.append((name, f"it has no {what} {file.parent.name}/{file.name}"))
    return file.is_file()
