"""Photos that are frames of clips: which follow one another."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from datagen.dataset import coco
from datagen.dataset.folders import is_dataset
from datagen.errors import InputError

_FEWEST = 16  # windows


def windows_of(
    target: Path, names: Sequence[str], frames: int, lost: Sequence[str] = ()
) -> np.ndarray:
    """int [M, T]: all runs of `frames` pictures of a clip, as places in `names`, which are sorted.

    Of a dataset of ours its videos are the clips, and a video is one; elsewhere the folders in
    `target` are, whose pictures follow one another by their names. `lost`: names of what could not
    be read, which ends a run.
    """
    clips: dict[Any, list[tuple[int, int]]] = {}
    places = _places(target, names, lost)
    for k, name in enumerate(names):
        if name in places:
            clip, order = places[name]
            clips.setdefault(clip, []).append((order, k))
    found = [run for members in clips.values() for run in _runs(sorted(members), frames)]
    if len(found) < _FEWEST:
        raise InputError(
            f"{target}: has {len(found)} runs of {frames} frames that follow each other, and "
            f"{_FEWEST} are needed; give a dataset with [clips], a folder for each clip's frames, "
            "or a video, or lower learn.relate_clips.frames"
        )
    return np.array(found)


def _places(
    target: Path, names: Sequence[str], lost: Sequence[str]
) -> Mapping[str, tuple[Any, int]]:
    """Name -> clip and number in it, of those that are in one."""
    if target.is_file():
        return {name: (target.name, k) for k, name in enumerate(names)}
    return _in_videos(target) if is_dataset(target) else _in_folders([*names, *lost])


def _in_videos(folder: Path) -> Mapping[str, tuple[int, int]]:
    """Name -> video and frame, of a dataset's images that are in one."""
    return {
        one["file_name"]: (one["video_id"], one["frame_index"])
        for one in coco.read(folder)["images"]
        if isinstance(one.get("video_id"), int) and isinstance(one.get("frame_index"), int)
    }


def _in_folders(names: Sequence[str]) -> Mapping[str, tuple[str, int]]:
    """Name -> folder and number, of files that are in one."""
    parents = {name: str(PurePosixPath(name).parent) for name in names}
    ordered = sorted(names, key=lambda name: (parents[name], name))
    return {name: (parents[name], k) for k, name in enumerate(ordered) if parents[name] != "."}


def _runs(members: Sequence[tuple[int, int]], frames: int) -> list[list[int]]:
    """Windows over one clip, of (number of a frame, its place); a gap in the numbers ends a run."""
    orders = [order for order, _ in members]
    return [
        [k for _, k in members[start : start + frames]]
        for start in range(len(members) - frames + 1)
        if orders[start + frames - 1] - orders[start] == frames - 1
    ]
