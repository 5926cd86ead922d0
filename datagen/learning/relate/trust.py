"""What is not believed: models that make no dataset, and pictures whose labels are not sound."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datagen.errors import InputError, RejectedError
from datagen.learning.relate.toggling import (
    LEAST,
    PAINTED,
    looked_at,
    painted_background,
    sound_share,
)
from datagen.learning.relate.weights import Relate


def refuse_worthless(
    path: Path, model: Relate, objects: tuple[int, int], cut: float, gate: float
) -> None:
    """InputError for a model of `path` in whose pictures toggling does not find the objects.

    `objects`: fewest and most that are asked of it; `cut` and `gate` are the generator's. A gate
    of 0 lets every picture pass, and so every model but one whose background paints the objects:
    of that no picture by itself can tell.
    """
    samples = looked_at(model.net, model.objects)
    strength = painted_background(samples)
    if strength < PAINTED:
        raise InputError(
            f"{path}: its background paints the objects, too: where they are, taking them away "
            f"changes {strength:.0%} of what two pictures differ by, below {PAINTED:.0%}, and "
            "nothing can be labelled; learn again with another `seed`"
        )
    fewer = ""
    if objects != model.objects:
        samples, fewer = looked_at(model.net, objects), "ask for fewer `objects`, "
    share = sound_share(samples, model.usual, cut, gate)
    if share < LEAST:
        raise InputError(
            f"{path}: toggling finds all objects in {share:.0%} of its pictures of "
            f"{_span(*objects)}, below {LEAST:.0%}; {fewer}lower `gate`, or learn again with "
            "another `seed` or for longer"
        )


def _span(fewest: int, most: int) -> str:
    return f"{most}" if fewest == most else f"{fewest} to {most}"


def reject_unsound(scores: Sequence[float], gate: float) -> None:
    """RejectedError where the soundness of a picture, or a clip's in the mean, is below `gate`."""
    score = float(np.mean(scores))
    if score < gate:
        raise RejectedError(
            f"toggling finds the objects to {score:.0%}, below the gate's {gate:.0%}; "
            "learn for longer or with another seed, or lower the generator's `gate`",
            score,
        )
