"""What a detector learns from and is watched on: labelled pictures in its own categories."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from datagen.errors import InputError
from datagen.labelled import Labelled
from datagen.plugins import did_you_mean
from datagen.settings.train import Train


@dataclass(frozen=True)
class Material:
    """Both sets have the same categories. `remarks`: what a person should know of them."""

    training: Labelled
    validation: Labelled | None
    remarks: tuple[str, ...]


def material(labelled: Labelled, separate: Labelled | None, settings: Train) -> Material:
    """Pictures to learn from, and others to validate on: `separate`, or a share held out."""
    _check_names(labelled, settings)
    if separate is None:
        kept, held = _held_out(labelled, settings.holdout)
        training = in_its_categories(labelled.part(kept), settings)
        validation = in_its_categories(labelled.part(held), settings) if held else None
    else:
        training = in_its_categories(labelled, settings)
        names = settings.categories or {name: (name,) for name in training.categories}
        asked = settings.model_copy(update={"categories": names})
        validation = in_its_categories(separate, asked)
        _check_shared(training, separate, names)
    _check_things(training)
    return Material(training, validation, tuple(_remarks(labelled, training, validation, settings)))


def in_its_categories(labelled: Labelled, settings: Train) -> Labelled:
    """In the taxonomy of `settings`; what hardly shows is neither right nor wrong to find."""
    merged = labelled.merged(settings.categories, labelled.called(settings.ignored))
    return merged.ignoring(settings.min_visible_fraction, settings.min_pixels)


def _held_out(labelled: Labelled, share: float) -> tuple[list[int], list[int]]:
    """Frames of a video are alike: all of them are learned from, or none."""
    groups: dict[tuple[str, int], list[int]] = {}
    for k, one in enumerate(labelled.pictures):
        key = ("picture", k) if one.video is None else ("video", one.video)
        groups.setdefault(key, []).append(k)
    members = list(groups.values())
    kept, held = parted(len(members), share)
    return [k for g in kept for k in members[g]], [k for g in held for k in members[g]]


def parted(count: int, share: float) -> tuple[list[int], list[int]]:
    """Places to learn from, and those held out, evenly among them; from two places on, one is.

    Whether a picture is held out depends on its place alone, so that a longer set holds out the
    same ones and more.
    """
    if share == 0 or count < 2:
        return list(range(count)), []
    held = [k for k in range(count) if int((k + 1) * share) > int(k * share)]
    held = held or [count - 1]
    chosen = set(held)
    return [k for k in range(count) if k not in chosen], held


def count_things(labelled: Labelled) -> dict[str, int]:
    """Things of each category that count; what is ignored does not."""
    counts = dict.fromkeys(labelled.categories, 0)
    for picture in labelled.pictures:
        for thing in picture.things:
            if thing.counts:
                counts[labelled.categories[thing.category]] += 1
    return counts


def _check_names(labelled: Labelled, settings: Train) -> None:
    known = labelled.categories
    for new, olds in settings.categories.items():
        if not set(olds) & set(known):
            wanted = ", ".join(f"`{name}`" for name in olds) or "nothing"
            hint = did_you_mean(olds[0], known) if olds else f"; known: {', '.join(known)}"
            raise InputError(
                f"train.categories.{new}: names {wanted}, which {labelled.folder} does not "
                f"have{hint}"
            )


def _check_shared(
    training: Labelled, separate: Labelled, names: Mapping[str, Sequence[str]]
) -> None:
    if not {old for olds in names.values() for old in olds} & set(separate.categories):
        raise InputError(
            f"--val {separate.folder}: has {_listed(separate.categories)}, and the training "
            f"{_listed(training.categories)}: no category is in both; say which are the same with "
            '[train.categories], for example car = ["car", "Car"]'
        )


def _check_things(training: Labelled) -> None:
    if not training.pictures:
        raise InputError(f"{training.folder}: no picture is left to learn from; lower holdout")
    if not any(count_things(training).values()):
        raise InputError(
            f"{training.folder}: none of its {len(training.pictures)} pictures has a thing to "
            f"learn ({_listed(training.categories)}); see train.categories, train.ignored, "
            "train.min_pixels and train.min_visible_fraction"
        )


def _remarks(
    labelled: Labelled, training: Labelled, validation: Labelled | None, settings: Train
) -> Iterable[str]:
    if labelled.rejected:
        file, reason = labelled.rejected[0]
        yield f"{len(labelled.rejected)} of the labels or pictures were left out ({file}: {reason})"
    named = {old for olds in settings.categories.values() for old in olds} - {*labelled.categories}
    named |= {name for name in settings.ignored if not labelled.called([name])}
    if unknown := sorted(named):
        yield f"The training pictures have nothing called {_listed(unknown)}."
    learned = count_things(training)
    if never := [name for name, count in learned.items() if not count]:
        yield f"No training picture shows {_listed(never)}: nothing of it will be found."
    if not training.masks:
        yield "Not all things have masks: boxes alone are learned."
    if validation is None:
        yield "No picture is held out: the last weights are kept, and nothing tells how good."
        return
    files = {one.file.resolve() for one in training.pictures}
    if known := sum(one.file.resolve() in files for one in validation.pictures):
        yield (
            f"{known} of the {len(validation.pictures)} validation pictures are learned from, too: "
            "AP50 does not tell how well other pictures are done."
        )
    there = count_things(validation)
    if unmeasured := [name for name in there if learned[name] and not there[name]]:
        yield (
            f"No validation picture shows {_listed(unmeasured)}: how well that is found is not "
            "measured."
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"
