"""Detections in a file, of `datagen` or of any tool that writes them as COCO has them, checked."""

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen import rle
from datagen.errors import InputError
from datagen.labelled import Detections, Labelled, Picture

_REMEDY = "detect again, or correct the file"


@dataclass(frozen=True)
class Given:
    """What was found in each picture of a labelled set. Categories are the detector's."""

    categories: tuple[str, ...]
    found: tuple[Detections, ...]


@dataclass(frozen=True)
class Numbered:
    """Names of a COCO file's pictures and categories by their ids: results know ids only."""

    pictures: Mapping[int | str, str]
    categories: Mapping[int | str, str]


def read_detections(path: Path, labelled: Labelled, numbered: Numbered | None = None) -> Given:
    """`path`: our detections.json; a COCO file whose annotations have scores, as `predict` writes
    it; or a list of COCO results, for which ids are `numbered`.

    InputError for numbers that are none, pictures or categories that are not there, broken masks.
    """
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give a run of `train`, or a file of "
            "detections"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); {_REMEDY}") from error
    keys = data.keys() if isinstance(data, dict) else set()
    is_coco = {"images", "annotations", "categories"} <= keys
    if isinstance(data, dict) and not (is_coco or {"categories", "pictures"} <= keys):
        raise _no_detections(path)
    try:
        if isinstance(data, list):
            return _of_results(path, data, labelled, numbered)
        if is_coco:
            return _of_coco(path, data, labelled)
        return _of_ours(path, data, labelled)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{path}: holds no detections ({type(error).__name__}: {error}); {_REMEDY}"
        ) from error


def _no_detections(path: Path, why: str = "") -> InputError:
    return InputError(
        f"{path}: holds no detections{why}; give the detections.json of an evaluation, what "
        "`datagen predict` wrote, or a list of COCO results"
    )


def _of_ours(path: Path, data: Mapping[str, Any], labelled: Labelled) -> Given:
    categories = tuple(map(str, data["categories"]))
    rows = {str(row["name"]): row for row in data["pictures"]}
    _check_complete(path, rows.keys(), labelled)
    found = [_detections(path, one, rows[one.name], len(categories)) for one in labelled.pictures]
    return Given(categories, tuple(found))


def _check_complete(path: Path, known: Container[str], labelled: Labelled) -> None:
    missing = [one.name for one in labelled.pictures if one.name not in known]
    if missing:
        raise InputError(
            f"{path}: has nothing about {len(missing)} of {len(labelled.pictures)} pictures of "
            f"{labelled.folder} (the first: {missing[0]}); give the dataset it was made for, or "
            "detect in that folder"
        )


def _of_coco(path: Path, data: Mapping[str, Any], labelled: Labelled) -> Given:
    """Pictures and categories meet those of the labels by name."""
    names = {one["id"]: str(one["file_name"]) for one in data["images"]}
    _check_complete(path, set(names.values()), labelled)
    sides = {str(one["file_name"]): (one["width"], one["height"]) for one in data["images"]}
    for one in labelled.pictures:
        if sides[one.name] != (one.width, one.height):
            width, height = sides[one.name]
            raise InputError(
                f"{path}: things were found in {one.name} at {width} x {height} px, but its labels "
                f"are for {one.width} x {one.height}; save it as it is shown, upright, for both"
            )
    known = {one["id"]: str(one["name"]) for one in data["categories"]}
    if any(one.get("score") is None for one in data["annotations"]):
        raise _no_detections(path, ", but labels without a `score`")
    return _by_name(path, data["annotations"], labelled, Numbered(names, known))


def _of_results(
    path: Path, data: Sequence[Mapping[str, Any]], labelled: Labelled, numbered: Numbered | None
) -> Given:
    if numbered is None:
        raise InputError(
            f"{path}: is a list of COCO results, whose ids only a COCO dataset explains, and "
            f"{labelled.folder} is none; give datagen's detections.json"
        )
    return _by_name(path, data, labelled, numbered)


def _by_name(
    path: Path, data: Sequence[Mapping[str, Any]], labelled: Labelled, numbered: Numbered
) -> Given:
    """Detections by their pictures' names; they have masks where each of them has one."""
    place = {number: k for k, number in enumerate(numbered.categories)}
    masks = bool(data) and all(one.get("segmentation") for one in data)
    boxed = not masks or all("bbox" in one for one in data)  # COCO's results of masks have none
    rows: dict[str, dict[str, list[Any]]] = {}
    for one in data:
        image, category = one["image_id"], one["category_id"]
        if image not in numbered.pictures or category not in place:
            raise InputError(
                f"{path}: has a detection of image {image!a}, category {category!a}, which "
                f"{labelled.folder} does not have; give the dataset it was made for"
            )
        name = numbered.pictures[image]
        row = rows.setdefault(name, {"boxes": [], "scores": [], "categories": [], "masks": []})
        row["boxes"].append(one["bbox"] if boxed else None)
        row["scores"].append(one["score"])
        row["categories"].append(place[category])
        row["masks"].append(one.get("segmentation"))
    absent = {key: None for key, there in (("boxes", boxed), ("masks", masks)) if not there}
    nothing: dict[str, list[Any]] = {"boxes": [], "scores": [], "categories": [], "masks": []}
    found = []
    for picture in labelled.pictures:
        row = {**rows.get(picture.name, nothing), **absent}
        found.append(_detections(path, picture, row, len(place)))
    return Given(tuple(numbered.categories.values()), tuple(found))


def _detections(path: Path, picture: Picture, row: Mapping[str, Any], known: int) -> Detections:
    """The surest first, as Detections are."""
    where = f"{path}: picture {picture.name}"
    masks = None if row["masks"] is None else tuple(_masks(where, picture, row["masks"]))
    boxes = rle.boxes(masks or ()) if row["boxes"] is None else row["boxes"]
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    scores = np.array(row["scores"], np.float64).reshape(-1)
    categories = np.array(row["categories"], np.int64).reshape(-1)
    if not len(boxes) == len(scores) == len(categories):
        raise InputError(f"{where}: has not one score and category for each box; {_REMEDY}")
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise InputError(f"{where}: a box or score is not finite; {_REMEDY}")
    if (boxes[:, 2:] < 0).any() or (np.abs(boxes) > 1e7).any():
        raise InputError(f"{where}: a box is not x, y, width, height in pixels; {_REMEDY}")
    if ((categories < 0) | (categories >= known)).any():
        raise InputError(f"{where}: a category's number is not of its {known}; {_REMEDY}")
    if masks is not None and len(masks) != len(boxes):
        raise InputError(f"{where}: has not one mask for each box; {_REMEDY}")
    order = np.argsort(-scores, kind="stable")
    return Detections(
        boxes[order].astype(np.float32),
        scores[order].astype(np.float32),
        categories[order].astype(np.int32),
        None if masks is None else tuple(masks[k] for k in order),
    )


def _masks(where: str, picture: Picture, masks: Sequence[Any]) -> Iterator[rle.RLE]:
    for mask in rle.of_segmentations(masks, picture.height, picture.width):
        if isinstance(mask, InputError):
            raise InputError(f"{where}: {mask}; {_REMEDY}")
        yield mask
