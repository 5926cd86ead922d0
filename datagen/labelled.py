"""Pictures with labels, of whichever tool, and what a detector finds in pictures.

Boxes are (x, y, width, height) in pixels from the picture's upper left corner, as in COCO.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

Box = tuple[float, float, float, float]
Kind = Literal["coco", "kitti", "yolo", "camvid"]

ANY = -1  # the category of a region in which nothing is right or wrong, such as KITTI's DontCare


@dataclass(frozen=True)
class Thing:
    """One labelled thing. `facts` are what else is known of it, where it is known:

    "visible_fraction" 0 to 1, "truncation" 0 to 1, "occluded" KITTI's 0 to 3, "distance" metres
    along the camera's axis, "path" of the scene's node ("0.2.1"), "occluder" the category of what
    hides it most.
    """

    category: int  # index into Labelled.categories, or ANY
    box: Box
    area: float  # px of the mask; of the box where there is no mask
    mask: Mapping[str, Any] | None = None  # compressed COCO run lengths {"size", "counts"}
    ignored: bool = False  # to find it is neither right nor wrong: a crowd, or hardly visible
    facts: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """To find it is right, and to miss it is wrong."""
        return not self.ignored and self.category != ANY


@dataclass(frozen=True)
class Picture:
    """One image file and the things in it."""

    name: str  # relative to the folder
    file: Path
    width: int  # px
    height: int
    things: tuple[Thing, ...]
    video: int | None = None  # that it is a frame of; None: it is by itself


@dataclass(frozen=True)
class Labelled:
    """A labelled set of pictures."""

    folder: Path
    kind: Kind
    categories: tuple[str, ...]
    pictures: tuple[Picture, ...]
    masks: bool  # every thing that is not ignored has a mask
    rejected: tuple[tuple[str, str], ...] = ()  # (file, why it was left out)

    def called(self, names: Iterable[str]) -> tuple[str, ...]:
        """The categories that these names mean: letter for letter, else upper case or lower."""
        wanted = set(names)
        loose = {name.lower() for name in wanted - set(self.categories)}
        return tuple(n for n in self.categories if n in wanted or n.lower() in loose)

    def merged(self, categories: Mapping[str, Sequence[str]], ignored: Sequence[str] = ()) -> Self:
        """The same pictures in another taxonomy: new name -> old names.

        Things of a category in `ignored` become ignored regions of ANY category; those of all
        others that no new name takes up are background. Old names that are not there take part in
        nothing. An empty mapping keeps the names as they are.
        """
        groups = categories or {n: [n] for n in self.categories if n not in ignored}
        number = {old: k for k, olds in enumerate(groups.values()) for old in olds}
        found: dict[int, int | None] = {ANY: ANY}
        for k, name in enumerate(self.categories):
            found[k] = ANY if name in ignored else number.get(name)
        pictures = []
        for picture in self.pictures:
            kept = []
            for thing in picture.things:
                new = found[thing.category]
                if new is not None:
                    drops = thing.ignored or new == ANY
                    kept.append(replace(thing, category=new, ignored=drops))
            pictures.append(replace(picture, things=tuple(kept)))
        return replace(self, categories=tuple(groups), pictures=tuple(pictures))

    def ignoring(self, min_visible_fraction: float, min_pixels: float) -> Self:
        """Things that show less than this become ignored: nobody could be asked to find them."""

        def seen(thing: Thing) -> bool:
            share = float(thing.facts.get("visible_fraction", 1.0))
            return share >= min_visible_fraction and thing.area >= min_pixels

        pictures = tuple(
            replace(p, things=tuple(t if seen(t) else replace(t, ignored=True) for t in p.things))
            for p in self.pictures
        )
        return replace(self, pictures=pictures)

    def part(self, chosen: Sequence[int]) -> Self:
        """The pictures at these places."""
        return replace(self, pictures=tuple(self.pictures[k] for k in chosen))


@dataclass(frozen=True)
class Detections:
    """What a detector finds in one picture, the surest first."""

    boxes: np.ndarray  # float32 [N, 4], x, y, width, height, px
    scores: np.ndarray  # float32 [N], 0 to 1
    categories: np.ndarray  # int32 [N], indices into the detector's categories
    masks: tuple[Mapping[str, Any], ...] | None = None  # [N], COCO run lengths
