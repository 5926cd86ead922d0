"""What was learned from photos, and what its labels are worth, in sentences."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from datagen.errors import InputError, RejectedError
from datagen.learning.relate import weights as of_pictures
from datagen.learning.relate_clips import weights as of_clips
from datagen.learning.statements import Statement
from datagen.recipe import Recipe
from datagen.rng import Stream, rng_for

# What may begin again while it learns, and what tells how often its training began.
_BEGINNING = {"relate": of_pictures.attempts_of, "relate_clips": of_clips.attempts_of}
_SAMPLES = 64
_UNSEEN = 1 << 41  # their numbers begin here
_FEW = 1000  # photos below which little variety can be expected
_MANY = 0.5  # share of rejected samples that is worth a warning
_SAME = 0.9  # median overlap of two samples' things from which they are in the same places


@dataclass(frozen=True)
class Trial:
    """What the generator made of fresh noise, before anyone asks for a dataset."""

    samples: int
    rejected: int
    things: int  # in those that were not
    alike: float  # median IoU of two samples' things, as `overlap` has it
    refusal: str = ""  # why it makes none at all


def tried(taught: Recipe) -> Trial:
    """Samples of the generator, each looked at as those of a dataset are."""
    rejected = things = 0
    maps: list[np.ndarray] = []
    try:
        taught.check_worth()
        with taught.generator.component("generators").open(taught.world()) as generate:
            for k in range(_SAMPLES):
                rng = rng_for(taught.learn.seed, _UNSEEN + k, Stream.EVALUATE)
                try:
                    made = generate([rng])[0]
                    things += len(made.instances)
                    maps.append(made.instance_map)
                except RejectedError:
                    rejected += 1
    except InputError as error:
        weights = taught.generator.weights
        assert weights is not None, "it has learned"
        place = f"{Path(weights.source).parent}/"  # a report says the same wherever its run lies
        return Trial(_SAMPLES, _SAMPLES, 0, 0.0, str(error).replace(place, ""))
    pairs = [overlap(one, other) for one, other in pairwise(maps)]
    return Trial(_SAMPLES, rejected, things, float(np.median(pairs)) if pairs else 0.0)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """IoU of the insides of things in two instance maps [H, W]; 1.0 where neither has any.

    A thing's inside is what has the same thing to the right of it and below: things that fill a
    whole picture are told apart by their borders, and their numbers, which begin anew in each
    picture, do not matter.
    """
    first, second = _inside(one), _inside(other)
    either = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / either if either else 1.0


def _inside(found: np.ndarray) -> np.ndarray:
    here = found[:-1, :-1]
    return (here > 0) & (here == found[1:, :-1]) & (here == found[:-1, 1:])


def statements(taught: Recipe, photos: int) -> list[Statement]:
    """Of the run as a whole; pictures are looked at in the report."""
    width, height = taught.world().canvas
    return [
        Statement("learned", f"Pictures of {width} x {height} px, from {photos} photos."),
        *_attempts(taught),
        *_things(tried(taught)),
        *_limits(photos),
    ]


def _attempts(taught: Recipe) -> Iterator[Statement]:
    part = taught.generator
    if part.use not in _BEGINNING or part.weights is None:
        return
    attempts = _BEGINNING[part.use](Path(part.weights.source))
    if attempts > 1:
        yield Statement(
            "learned",
            f"At attempt {attempts} of {taught.learn.relate.attempts}: the networks before it were "
            "given up after a third of their steps, for toggling did not find their objects.",
        )


def _things(trial: Trial) -> Iterator[Statement]:
    kept = trial.samples - trial.rejected
    share = trial.rejected / trial.samples
    if trial.refusal:
        yield Statement("not learned", f"What the things in them are. {trial.refusal}.")
    elif not kept:
        yield Statement(
            "not learned",
            f"What the things in them are: of {trial.samples} samples none has labels that can be "
            "trusted, so `datagen generate` will make no image of this run.",
        )
    else:
        each = trial.things / kept
        lost = f"; {share:.0%} of {trial.samples} samples were rejected" if trial.rejected else ""
        yield Statement(
            "learned", f"Things that can be taken away, on average {each:.1f} in a picture{lost}."
        )
        if trial.alike >= _SAME:
            yield Statement(
                "not learned",
                "Where they may be: in nearly all samples they are in the same places. A run with "
                "`gnm` may still find things in photos: `datagen predict`.",
            )
        if share > _MANY:
            yield Statement(
                "warning",
                "Datasets take longer by what is rejected and made anew, and show what the model "
                "finds easy: learn for longer, or with another seed.",
            )


def _limits(photos: int) -> Iterator[Statement]:
    yield Statement(
        "unknown",
        "Whether these are the things that you mean, and whether masks and boxes fit them: photos "
        "without labels cannot tell. Look at the sheets, and score on labelled photos what was "
        "trained on them.",
    )
    if photos < _FEW:
        yield Statement("warning", f"There are {photos} photos; some thousand teach more.")
