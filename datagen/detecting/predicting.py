"""`datagen predict`: what a trained model finds in photos, as labels for a person to correct.

The file is COCO as labelling tools read it: outlines are polygons, since they read no run lengths;
a box without an outline has an empty `segmentation`, since they ask for one; and there are `info`
and `licenses`. Each label has a `score`, by which `datagen evaluate` takes them for detections.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from datagen import __version__, recipe, rle
from datagen.dataset import coco
from datagen.dataset.export.to_coco import simpler_polygons_of
from datagen.dataset.folders import is_unfinished_run
from datagen.dataset.headers import UnusableError
from datagen.dataset.targets import display_name, find_photos
from datagen.detecting.snapshot import snapshot
from datagen.detecting.work import exact
from datagen.errors import InputError
from datagen.interfaces import Finder
from datagen.labelled import Detections
from datagen.progress import Advance
from datagen.threads import one_thread

_GIVE = "give a run of `train`, its weights, or a run of `learn` that has learned `gnm`"


def predict(
    run: Path,
    photos: Path,
    out: Path,
    *,
    least_score: float = 0.5,
    masks: bool = True,
    progress: Advance = lambda done, total, words: None,
) -> dict[str, Any]:
    """Write the COCO file `out` of what `run` finds in a folder of photos; gives a summary.

    Places are in each photo's own pixels, upright. What is found in one photo depends on no other.
    InputError for what cannot be used, and for an `out` that is there.
    """
    _check_new(out)
    there = find_photos(photos)
    left_out = list(there.rejected)
    made = _Labels(least_score, masks)
    with one_thread(), _opened(run) as finder:
        for k, name in enumerate(there.names, 1):
            try:
                pixels = there.load(name)
            except UnusableError as error:
                left_out.append((name, str(error)))
            else:
                made.add(name, pixels, finder.find([pixels])[0])
            progress(k, len(there.names), f"{len(made.annotations)} things")
    if not made.images:
        name, reason = left_out[-1]
        raise InputError(f"{photos}: no photo can be decoded (the last: {name}: {reason})")
    coco.write_lists(out, _head(run, finder.categories), made.lists)
    return {"labels": str(out), **made.counts(finder.categories), "left_out": sorted(left_out)}


@dataclass
class _Labels:
    """The lists of a COCO file, while they grow."""

    least_score: float
    masks: bool
    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def lists(self) -> dict[str, list[dict[str, Any]]]:
        return {"images": self.images, "annotations": self.annotations}

    def add(self, name: str, pixels: np.ndarray, found: Detections) -> None:
        """A photo and what is found in it, the surest first."""
        height, width = pixels.shape[:2]
        number = len(self.images) + 1
        self.images.append({"id": number, "file_name": name, "width": width, "height": height})
        unknown = [None] * len(found.scores)
        masks = found.masks if self.masks and found.masks is not None else unknown
        boxes, scores = exact(found.boxes), exact(found.scores)
        for box, score, category, mask in zip(boxes, scores, found.categories, masks, strict=True):
            if score >= self.least_score:
                label = {"id": len(self.annotations) + 1, "image_id": number}
                label |= {"category_id": int(category) + 1, "bbox": box, **_shape(box, mask)}
                self.annotations.append({**label, "iscrowd": 0, "score": score})

    def counts(self, categories: Sequence[str]) -> dict[str, Any]:
        things = Counter(one["category_id"] for one in self.annotations)
        return {
            "photos": len(self.images),
            "empty": len(self.images) - len({one["image_id"] for one in self.annotations}),
            "things": {category: things[k] for k, category in enumerate(categories, 1)},
        }


def _shape(box: Sequence[float], mask: Mapping[str, Any] | None) -> dict[str, Any]:
    if mask is None:
        return {"area": box[2] * box[3], "segmentation": []}
    return {"area": rle.area(mask), "segmentation": simpler_polygons_of(dict(mask))}


def _check_new(out: Path) -> None:
    """Somebody may have corrected what is there."""
    if out.suffix != ".json":
        raise InputError(f"--out {out}: end its name in .json")
    if out.exists():
        raise InputError(f"{out}: is there already, and may have been corrected; name a new file")
    if not out.parent.is_dir():
        raise InputError(f"{out}: there is no folder {out.parent}; make it first")
    if not os.access(out.parent, os.W_OK):
        raise InputError(f"{out}: cannot write into {out.parent}; name another folder")


@contextmanager
def _opened(run: Path) -> Iterator[Finder]:
    """What finds things: a trained detector, or a generator that has learned what things are."""
    if not run.exists():
        raise InputError(f"{run}: is not there; {_GIVE}")
    if (run / "recipe.json").is_file() or is_unfinished_run(run):
        loaded = recipe.load(run, allow_empty=True)
        generator = loaded.generator.component("generators")
        if not generator.may_find():
            use = loaded.generator.use
            raise InputError(f"{run}: `{use}` makes pictures, and finds nothing in any; {_GIVE}")
        loaded.check_sources(learn=False)
        with generator.open_finder(loaded.world()) as finder:
            yield finder
        return
    trained = snapshot(run)
    with trained.described.open() as find:
        yield Finder(trained.categories, find)


def _head(run: Path, categories: Sequence[str]) -> dict[str, Any]:
    name = display_name(run.resolve().name)
    return {
        "info": {"description": f"found by {name}, checked by nobody yet", "version": __version__},
        "licenses": [],
        "categories": [
            {"id": k, "name": category, "supercategory": ""}
            for k, category in enumerate(categories, 1)
        ],
    }
