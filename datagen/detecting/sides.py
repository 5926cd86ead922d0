"""A detector's categories and a dataset's brought together by name, upper case or lower."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from datagen.errors import InputError
from datagen.labelled import Detections, Labelled
from datagen.scoring.given import Given
from datagen.scoring.kitti import NEIGHBOURS
from datagen.settings.train import Train


@dataclass(frozen=True)
class Sides:
    """Truth and detections with the same numbers of categories, those that both sides know."""

    truth: Labelled
    found: tuple[Detections, ...]
    kitti: Labelled  # the truth with nothing ignored for being small, and neighbours at the end
    only_labelled: tuple[str, ...]  # background, so finding one of them is wrong
    only_found: tuple[str, ...]  # left out


def aligned(
    labelled: Labelled, given: Given, settings: Train | None, merge: Mapping[str, str]
) -> Sides:
    """`settings`: what the detector was trained with, since the truth is to be read alike.

    `merge`: old name -> new one, of categories on both sides. InputError when nothing is shared.
    """
    skipped = labelled.called(settings.ignored if settings else ())
    ignored = [name for name in skipped if name not in merge]
    groups = _groups(labelled, given, settings, merge, ignored)
    used = {old for olds in groups.values() for old in olds}
    truth = labelled.merged(groups, ignored)
    near = {NEIGHBOURS.get(name.lower()) for name in groups}
    beside = {n: [n] for n in labelled.categories if n.lower() in near and n not in used}
    beside = {name: olds for name, olds in beside.items() if name not in ignored}
    if settings:
        truth = truth.ignoring(settings.min_visible_fraction, settings.min_pixels)
    number = {name: k for k, name in enumerate(groups)}
    places = [number.get(merge.get(name, name), -1) for name in given.categories]
    return Sides(
        truth=truth,
        found=tuple(_renumbered(one, places) for one in given.found),
        kitti=labelled.merged({**groups, **beside}, ignored),
        only_labelled=tuple(n for n in labelled.categories if n not in used and n not in ignored),
        only_found=tuple(name for name, k in zip(given.categories, places, strict=True) if k < 0),
    )


def _groups(
    labelled: Labelled,
    given: Given,
    settings: Train | None,
    merge: Mapping[str, str],
    ignored: Sequence[str],
) -> dict[str, list[str]]:
    """Name -> the truth's names for it, in the detector's order.

    A name is taken as in the training, then by the detector's own names; letter for letter first.
    """
    _check_merge(labelled, given, merge)
    trained = settings.categories if settings else {}
    exact = {name: name for name in given.categories}
    exact |= {old: new for new in given.categories for old in trained.get(new, ())}
    loose = {name.lower(): new for name, new in reversed(exact.items())}
    groups: dict[str, list[str]] = {merge.get(name, name): [] for name in given.categories}
    for name in labelled.categories:
        known = exact.get(name, loose.get(name.lower()))
        if name in merge:
            groups[merge[name]].append(name)
        elif known is not None and name not in ignored:
            groups[merge.get(known, known)].append(name)
    groups = {new: olds for new, olds in groups.items() if olds}
    if not groups:
        raise InputError(
            f"{labelled.folder}: none of its categories ({_listed(labelled.categories)}) is the "
            f"detector's ({_listed(given.categories)}); say which are the same with "
            "--merge OLD=NEW"
        )
    return groups


def _check_merge(labelled: Labelled, given: Given, merge: Mapping[str, str]) -> None:
    known = dict.fromkeys((*labelled.categories, *given.categories))
    for old, new in merge.items():
        if old not in known:
            raise InputError(f"--merge {old}={new}: no `{old}`; there are {_listed([*known])}")
        if new not in {merge.get(name, name) for name in given.categories}:
            raise InputError(
                f"--merge {old}={new}: the detector knows no `{new}`; it finds: "
                f"{_listed(given.categories)}"
            )


def _renumbered(found: Detections, places: Sequence[int]) -> Detections:
    """Without detections of categories that have no place."""
    numbers = np.array([*places, -1], np.int32)[found.categories]
    kept = np.flatnonzero(numbers >= 0)
    masks = None if found.masks is None else tuple(found.masks[k] for k in kept)
    return replace(
        found,
        boxes=found.boxes[kept],
        scores=found.scores[kept],
        categories=numbers[kept],
        masks=masks,
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
