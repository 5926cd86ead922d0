"""What runs came to, kept in the repository: docs/measured/<page>/<name>.json.

Checkpoints, pictures and data lie under a benchmark's OUT, which is lost with the machine. These
files are small and stay: a page can be written anew from them, or be given another seed, without
the hours of the runs before.
"""

import json
import os
import platform
import subprocess
from collections.abc import Callable, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from datagen.files import write_atomic

DOCS = Path(__file__).parents[2] / "docs"
_FIGURES = 5  # of a number: more than any page tells

Result = Mapping[str, Any]


def file_of(page: str, name: str) -> Path:
    return DOCS / "measured" / page / f"{name}.json"


def read(page: str) -> dict[str, Result]:
    """All there are of a page, by name."""
    paths = sorted((DOCS / "measured" / page).glob("*.json"))
    return {path.stem: json.loads(path.read_text()) for path in paths}


def measure(page: str, name: str, make: Callable[[], Result]) -> None:
    """Makes it and keeps it, unless its file is there."""
    path = file_of(page, name)
    if path.is_file():
        return
    commit = _commit()  # now: the checkout may move on while it runs
    found = make()
    stamp = {"commit": commit, "date": date.today().isoformat(), "machine": _machine()}
    keep(path, {**found, "measured": stamp})


def keep(path: Path, result: Result) -> None:
    """One line for each key, numbers rounded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{json.dumps(key)}: {json.dumps(_rounded(value))}" for key, value in result.items()]
    write_atomic(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_FIGURES}g}")
    if isinstance(value, Mapping):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value


def _commit() -> str:
    """Of the checkout, "-dirty" where code differs from it; docs do: runs write pages anew."""
    head = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":/!docs")
    return f"{head}-dirty" if changed else head


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=DOCS, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, torch {version('torch')}"
