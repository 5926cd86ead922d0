"""Photos that are frames of clips: which follow one another."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from datagen.dataset import coco
from datagen.dataset.folders import is_dataset
from datagen.errors import InputError

_FEWEST = 16  # windows


def windows_of(folder: Path, names: Sequence[str], frames: int) -> np.ndarray:
    """int [M, T]: all runs of `frames` pictures of a clip, as places in `names`, which are sorted.

    Of a dataset of ours its videos are the clips; elsewhere the folders in `folder` are, whose
    pictures follow one another by their names.
    """
    clips: dict[Any, list[tuple[Any, int]]] = {}
    places = _places(folder)
    for k, name in enumerate(names):
        clip, order = places.get(name, (None, 0)) if places else (_folder(name), k)
        if clip is not None:
            clips.setdefault(clip, []).append((order, k))
    found = [run for members in clips.values() for run in _runs(sorted(members), frames)]
    if len(found) < _FEWEST:
        raise InputError(
            f"{folder}: has {len(found)} runs of {frames} frames that follow each other, and "
            f"{_FEWEST} are needed; give a dataset with [clips], or a folder for each clip's frames"
        )
    return np.array(found)


def _places(folder: Path) -> Mapping[str, tuple[int, int]]:
    """Name -> video and frame; none where there are no videos."""
    if not is_dataset(folder):
        return {}
    images = coco.read(folder)["images"]
    return {
        one["file_name"]: (one["video_id"], one["frame_index"])
        for one in images
        if isinstance(one.get("video_id"), int) and isinstance(one.get("frame_index"), int)
    }


def _folder(name: str) -> str | None:
    parent = str(PurePosixPath(name).parent)
    return None if parent == "." else parent


def _runs(members: Sequence[tuple[int, int]], frames: int) -> list[list[int]]:
    """Windows over one clip; a frame that could not be read ends a run."""
    orders = [order for order, _ in members]
    return [
        [k for _, k in members[start : start + frames]]
        for start in range(len(members) - frames + 1)
        if orders[start + frames - 1] - orders[start] == frames - 1
    ]
