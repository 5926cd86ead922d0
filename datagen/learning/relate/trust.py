"""Which models make no dataset: those whose labels would be worthless."""

from datagen.errors import InputError
from datagen.learning.relate.toggling import (
    GATE,
    LEAST,
    PAINTED,
    looked_at,
    painted_background,
    sound_share,
)
from datagen.learning.relate.weights import Relate

_WORTHLESS = 0.1  # the least share of sound samples where there is no gate


def refuse_worthless(
    path: str, model: Relate, objects: tuple[int, int], cut: float, gate: float | None
) -> None:
    """InputError for a model of `path` in whose pictures toggling does not find the objects.

    `objects`: fewest and most that are asked of it; `cut` and `gate` are the generator's.
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
    share = sound_share(samples, model.usual, cut, GATE if gate is None else gate)
    least = _WORTHLESS if gate is None else LEAST
    if share < least:
        raise InputError(
            f"{path}: toggling finds all objects in {share:.0%} of its pictures of {objects[0]} "
            f"to {objects[1]}, below {least:.0%}; {fewer}lower `gate`, or learn again with "
            "another `seed` or for longer"
        )
