"""Where the files that a model names may lie: in the model's own folder, nowhere else."""

import os
import re
from pathlib import Path

_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\~]|.*\0", re.DOTALL)


def inside(folder: Path, name: str) -> Path | None:
    """The file `name` in or below the folder; None when the name or a link leads out of it.

    A name that leads out is judged by its letters alone: nothing outside is touched.
    """
    if not name or _ELSEWHERE.match(name):
        return None
    flat = os.path.normpath(name.replace("\\", "/"))
    if flat == ".." or flat.startswith("../"):
        return None
    path = folder / flat
    return path if path.resolve().is_relative_to(folder.resolve()) else None
