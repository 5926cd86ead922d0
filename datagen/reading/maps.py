"""Label maps of any tool in the classes of a world, with their pictures: read one by one.

docs/labelled-data.md says which folders are read and how names meet. Every map is looked at once
when the folder is opened, so that what is wrong with it is said before anything is learned.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from datagen.dataset.folders import is_dataset, refuse_results, refuse_run
from datagen.dataset.targets import middle, resized, rgb
from datagen.digest import canonical
from datagen.errors import InputError
from datagen.files import sha256_of
from datagen.grammar import Grammar
from datagen.reading import camvid, facades, map_sources
from datagen.reading.class_names import class_names, class_table
from datagen.reading.images import opened, pictures_in, size_of
from datagen.reading.left_out import check_enough
from datagen.reading.map_sources import CLASSES, MAPS, Item, MapKind, Source

_KNOWN = (
    "CamVid's `train`, which has `trainannot` beside it; Cityscapes' `leftImg8bit/train` beside "
    "`gtFine`; pairs of Facades; a dataset of `datagen generate` with its `class` pass; or a "
    f"folder with {CLASSES}, {MAPS} and images"
)
_DEEPEST = 3  # folders that a picture lies below that of its kind: `shards/NAME` of a dataset


@dataclass(frozen=True)
class LabelMaps:
    """Label maps of a folder in a world's classes, with the pictures they belong to.

    Class ids are a Layout's: 0 = nothing, then categories, then stuff. The largest centred part
    of the wanted proportions is taken; nothing is stretched.
    """

    folder: Path
    kind: MapKind
    names: tuple[str, ...]  # of the items, sorted
    categories: tuple[str, ...]  # the world's: id = position + 1
    stuff: tuple[str, ...]  # ids go on
    size: tuple[int, int]  # width, height (px) that every item is brought to
    digest: str  # of names and bytes of all files
    has_images: bool
    rejected: tuple[tuple[str, str], ...]  # (file, why it was left out)
    present: tuple[int, ...]  # class ids that occur in any of the maps, 0 aside
    # Names that the maps show and the world has no class for -> share of all pixels, largest first.
    ignored: Mapping[str, float]
    source: Source = field(repr=False)
    table: np.ndarray = field(repr=False, compare=False)  # uint8 [256], value of a map -> class id

    @property
    def classes(self) -> int:
        """K, with nothing as one of them."""
        return 1 + len(self.categories) + len(self.stuff)

    def __len__(self) -> int:
        return len(self.names)

    def class_map(self, k: int) -> np.ndarray:
        """uint8 [H, W]."""
        values = self.source.values(self.source.items[k].map)
        part = middle(self.table[values], self.size)
        return cv2.resize(part, self.size, interpolation=cv2.INTER_NEAREST_EXACT)

    def image(self, k: int) -> np.ndarray:
        """uint8 [H, W, 3] RGB."""
        file = self.source.items[k].image
        if file is None:
            raise InputError(f"{self.folder}: holds no pictures; put them into its folder `images`")
        return resized(middle(_pixels(self.kind, file), self.size), self.size)


def read_maps(folder: Path, grammar: Grammar) -> LabelMaps:
    """The label maps of `folder` as classes of the grammar's world, at the size of its canvas."""
    try:
        return _read(Path(folder), grammar)
    except OSError as error:
        place = str(error.filename)[:200]
        raise InputError(f"{folder}: {place!r} cannot be read ({error.strerror})") from error


def read_pair(photo: Path, grammar: Grammar) -> LabelMaps:
    """One photo of a folder of label maps, as the only item."""
    for folder in photo.absolute().parents[:_DEEPEST]:
        try:
            source = _found(folder)
        except InputError:  # there may be one further up
            continue
        if own := tuple(item for item in source.items if _is(item.image, photo)):
            return _of(folder, replace(source, items=own, rejected=[]), grammar)
    what = "no label map is known of it" if photo.is_file() else "is not there"
    raise InputError(f"{photo}: {what}; give a picture of a folder of label maps, such as {_KNOWN}")


def _is(image: Path | None, photo: Path) -> bool:
    return image is not None and image.name == photo.name and image.resolve() == photo.resolve()


def _read(folder: Path, grammar: Grammar) -> LabelMaps:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise InputError(f"{folder}: {what}; give a folder of label maps")
    return _of(folder, _found(folder), grammar)


def _of(folder: Path, found: Source, grammar: Grammar) -> LabelMaps:
    source = _usable(folder, found)
    table = class_table(source.names, grammar)
    pixels = _pixels_of(source)
    _check_shown(folder, source, table, pixels, grammar)
    return LabelMaps(
        folder=folder,
        kind=source.kind,
        names=tuple(item.name for item in source.items),
        categories=grammar.categories,
        stuff=grammar.stuffs,
        size=grammar.canvas,
        digest=_digest(source),
        has_images=all(item.image is not None for item in source.items),
        rejected=tuple(source.rejected),
        present=tuple(k for k in np.unique(table[pixels > 0]).tolist() if k > 0),
        ignored=_ignored(source, table, pixels),
        source=source,
        table=table,
    )


def _found(folder: Path) -> Source:
    refuse_run(folder)
    refuse_results(folder)
    if is_dataset(folder):
        return map_sources.of_dataset(folder)
    if (folder / CLASSES).is_file() and (folder / MAPS).is_dir():
        return map_sources.of_maps(folder)
    if (pairs := map_sources.cityscapes_in(folder)) is not None:
        return map_sources.of_cityscapes(folder, pairs)
    if camvid.maps_of(folder).is_dir():
        return map_sources.of_camvid(folder)
    pictures = pictures_in(folder)
    if pictures and facades.is_pair(folder / pictures[0]):
        return map_sources.of_facades(folder)
    raise InputError(f"{folder}: no label maps are found here; give {_KNOWN}")


def _usable(folder: Path, source: Source) -> Source:
    """The items whose files can be opened, by name; maps of another size are refused."""
    kept = []
    lost = list(source.rejected)
    for item in sorted(source.items, key=lambda item: item.name):
        try:
            sides = size_of(item.map)
            image = None if item.image in (None, item.map) else size_of(item.image)
        except InputError as error:
            lost.append((item.name, str(error).rpartition(": ")[2]))
            continue
        if image is not None and image != sides:
            raise InputError(
                f"{item.map}: has {sides[0]} x {sides[1]} px, its picture {image[0]} x {image[1]}; "
                "make them equal"
            )
        kept.append(item)
    check_enough(folder, kept, lost)
    return replace(source, items=tuple(kept), rejected=lost)


def _pixels_of(source: Source) -> np.ndarray:
    """int64 [256]: how often each value occurs in all maps; refuses values without a name."""
    total = np.zeros(256, np.int64)
    for item in source.items:
        pixels = np.bincount(source.values(item.map).ravel(), minlength=256)
        for value in np.flatnonzero(pixels).tolist():
            if value not in source.names:
                raise InputError(f"{item.map}: holds the class {value}, {_unknown(source)}")
        total += pixels
    return total


def _check_shown(
    folder: Path, source: Source, table: np.ndarray, pixels: np.ndarray, grammar: Grammar
) -> None:
    """Refuses maps of nothing in the world."""
    if not table[pixels > 0].any():
        named = [source.names[v] for v in np.flatnonzero(pixels).tolist()]
        here = ", ".join(n for n in named if n) or "nothing"
        raise InputError(
            f"{folder}: its maps show {here}, none of which the world {grammar.world} has; its "
            f"classes are {', '.join(class_names(grammar)) or 'none'}"
        )


def _ignored(source: Source, table: np.ndarray, pixels: np.ndarray) -> dict[str, float]:
    shares: dict[str, float] = {}
    for value, name in source.names.items():
        if name is not None and table[value] == 0 and pixels[value]:
            shares[name] = shares.get(name, 0.0) + float(pixels[value] / pixels.sum())
    return dict(sorted(shares.items(), key=lambda one: -one[1]))


def _unknown(source: Source) -> str:
    if source.kind == "maps":
        return f"but {CLASSES} names {len(source.names)} (0 to {len(source.names) - 1}); add a line"
    return f"and those of {source.kind} are 0 to {max(v for v in source.names if v < 255)}"


def _pixels(kind: MapKind, file: Path) -> np.ndarray:
    if kind == "facades":
        return facades.photo(file)
    with opened(file) as image:
        return rgb(image)


def _digest(source: Source) -> str:
    meant = sorted((value, name or "") for value, name in source.names.items())
    total = hashlib.sha256(canonical([source.kind, meant]))
    for item in source.items:
        total.update(canonical([item.name, *map(sha256_of, _files(item))]))
    return total.hexdigest()


def _files(item: Item) -> Sequence[Path]:
    return [item.map] if item.image in (None, item.map) else [item.map, item.image]
