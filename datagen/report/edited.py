"""A sheet of pictures beside themselves with edits."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from datagen import labels
from datagen.edits import Edits
from datagen.errors import InputError
from datagen.frame import Frame
from datagen.labels import Annotation
from datagen.report.sheet import contact_sheet

_PAIRS = 3  # in a row


def edited_sheet(
    before: Sequence[Frame], after: Sequence[Frame], edits: Edits, *, boxes: bool, masks: bool
) -> np.ndarray:
    """uint8 [H, W, 3]: each picture, its things numbered as edits name them, and what became of it.

    Refuses edits of things that no picture has.
    """
    most = max(len(frame.instances) for frame in before)
    if strange := sorted(number for number in edits.things if number > most):
        raise InputError(
            f"there is no thing {strange[0]} in these pictures: they have {most} at most, and "
            "things count from 1"
        )
    frames = [frame for pair in zip(before, after, strict=True) for frame in pair]
    captions = [text for k in range(len(before)) for text in (f"image {k}", "changed")]
    things = [_numbered(labels.annotate(frame)) for frame in frames]
    return contact_sheet(
        [frame.image for frame in frames],
        things,
        columns=2 * min(_PAIRS, len(before)),
        boxes=boxes,
        masks=masks,
        captions=captions,
        legend={},
        most_named=most,
    )


def _numbered(things: Sequence[Annotation]) -> list[Annotation]:
    """Each with its number for a name, and for a colour."""
    return [
        replace(thing, category=str(thing.instance_id), category_id=thing.instance_id)
        for thing in things
    ]
