"""What a grammar says of models: a label, which of those it means, and where their front is."""

import math
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ..._attributes import Number

EXEMPLAR = Number("exemplar", 0.0, 0.0, 1.0)
TURN = Number("turn", 0.0, -2 * math.pi, 2 * math.pi)


def meant(label: str, names: Iterable[str]) -> list[str]:
    """The names that are the label, or that one of its patterns ("sedan*|taxi") fits; in order."""
    patterns = [part.strip() for part in label.split("|")]
    return sorted(n for n in names if n == label or any(fnmatchcase(n, p) for p in patterns))
