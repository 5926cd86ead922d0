"""Contact sheets of a run on photos: the photos, and pictures taken apart into their things."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datagen import labels
from datagen.dataset.targets import Targets
from datagen.editing import opened_variants
from datagen.edits import NO_EDITS, Edits
from datagen.errors import InputError, RejectedError
from datagen.frame import Frame
from datagen.learning.gnm.objects import frame_of, read
from datagen.learning.gnm.weights import load_gnm_model
from datagen.learning.parts.material import COLUMNS, SHOWN, Sheet, spread
from datagen.recipe import Recipe
from datagen.report.sheet import contact_sheet
from datagen.rng import Stream, rng_for
from datagen.taught import Section

_ROWS, _MOST = 8, 5  # pictures that are taken apart, and things that are taken away from each
_ALL = 1000  # more things than a picture holds
_TRIES = 100  # at pictures with things to take away


def drawn(taught: Recipe, section: Section, targets: Targets) -> Iterator[Sheet]:
    """For the report; things are shown by what is missing when they are taken away."""
    photos = [targets.images[k] for k in spread(len(targets.images), SHOWN)]
    yield Sheet("photos.png", "Photos of the target", contact_sheet(photos, columns=COLUMNS))
    if section == "gnm":
        title = "Photos, and what the model reads out of them: its own picture, with labels"
        yield Sheet("read.png", title, _read(taught, targets))
    taught.check_worth()
    if section == "relate_clips":
        title = "Clips with labels, one in a row"
        yield Sheet("clips.png", title, _clips(taught))
        return
    title = "Samples with labels, as they are, without each of their things, and without any"
    yield Sheet("things.png", title, _taken_apart(taught))


def _read(taught: Recipe, targets: Targets) -> np.ndarray:
    """Pairs of a photo and its reconstruction."""
    assert taught.generator.weights is not None, "it has learned"
    grammar = taught.world()
    model, category = load_gnm_model(Path(taught.generator.weights.source), grammar)
    number = grammar.categories.index(category) + 1
    threshold = taught.generator.component("generators").threshold
    images, things = [], []
    for k in spread(len(targets.images), SHOWN // 2):
        photo = targets.images[k]
        frame = frame_of(model, read(model, photo), number, grammar.categories, threshold)
        images += [photo, frame.image]
        things += [[], labels.annotate(frame)]
    return contact_sheet(images, things, columns=COLUMNS)


def _clips(taught: Recipe) -> np.ndarray:
    """A row for a clip, whatever its labels are worth."""
    frames = COLUMNS if taught.clips is None else taught.clips.frames
    model = taught.generator.component("generators").model_copy(update={"gate": 0.0})
    with model.open_clips(taught.world(), frames) as generate:
        clips = generate([rng_for(taught.seed, k, Stream.SCENE) for k in range(_ROWS)])
    shown = [frame for clip in clips for frame in clip[:: -(-frames // COLUMNS)]]
    things = [labels.annotate(frame) for frame in shown]
    return contact_sheet([frame.image for frame in shown], things, columns=len(shown) // _ROWS)


def _taken_apart(taught: Recipe) -> np.ndarray:
    """A row for a sample: with labels, without them, then without each thing, and without any."""
    most = min(_MOST, max(len(row[0].instances) for row in _samples(taught, NO_EDITS)))
    dropped = [*({n} for n in range(1, most + 1)), set(range(1, _ALL))]
    gone = [Edits(dropped=frozenset(d)) for d in dropped]
    rows = _samples(taught, NO_EDITS, NO_EDITS, *gone)
    images = [frame.image for row in rows for frame in row]
    things = [labels.annotate(row[0]) if k == 0 else [] for row in rows for k in range(len(row))]
    return contact_sheet(images, things, columns=3 + most)


def _samples(taught: Recipe, *variants: Edits) -> list[list[Frame]]:
    """The variants of the first samples that hold things."""
    found = []
    with opened_variants(taught, variants) as generate:
        for k in range(_TRIES):
            try:
                frames = generate([rng_for(taught.seed, k, Stream.SCENE)])
            except RejectedError:
                continue
            if frames[0].instances:
                found.append(frames)
            if len(found) == _ROWS:
                return found
    if not found:
        raise InputError(f"none of {_TRIES} samples holds a thing whose label can be trusted")
    return found
