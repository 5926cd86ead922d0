"""What could not be used: a little of it is passed over and said, much of it is a wrong folder."""

from collections.abc import Sequence
from pathlib import Path

from datagen.errors import InputError

Rejected = list[tuple[str, str]]  # (file or label, why it was left out)
MOST = 0.1  # share of the pictures


def check_enough(
    folder: Path, pictures: Sequence[object], rejected: Sequence[tuple[str, str]]
) -> None:
    """Refuses a folder of which more than a tenth of the pictures was left out, or all."""
    total = len(pictures) + len(rejected)
    if pictures and len(rejected) <= MOST * total:
        return
    if not rejected:
        raise InputError(f"{folder}: holds no pictures; give a folder of labelled pictures")
    name, reason = rejected[0]
    raise InputError(
        f"{folder}: {len(rejected)} of {total} pictures cannot be used (the first: {name}: "
        f"{reason}); complete the folder, or take these pictures off its labels"
    )
