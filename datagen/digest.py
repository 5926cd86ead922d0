"""Names for content: sha256 of bytes, files, folders, and of data written as canonical JSON."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from datagen.files import sha256_of


def canonical(data: Any) -> bytes:
    """JSON that is the same wherever it is written: sorted keys, no spaces, ASCII, no NaN."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def of_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def of_data(data: Any) -> str:
    return of_bytes(canonical(data))


def of_path(path: Path) -> str:
    """A file by its bytes; a folder by the sorted names and bytes of all files in it."""
    if not path.is_dir():
        return sha256_of(path)
    total = hashlib.sha256()
    names = [Path(folder, name) for folder, _, files in os.walk(path) for name in files]
    for file in sorted(names, key=lambda name: os.fsencode(name.relative_to(path).as_posix())):
        name = os.fsencode(file.relative_to(path).as_posix())
        total.update(name + b"\0" + sha256_of(file).encode() + b"\n")
    return total.hexdigest()
