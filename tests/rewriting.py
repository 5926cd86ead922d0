"""Files of weights, written again with something changed; for tests of who reads them."""

import json
from enum import Enum

from safetensors import safe_open
from safetensors.torch import load_file, save_file


class Change(Enum):
    ABSENT = "an entry or a tensor that is left out"


ABSENT = Change.ABSENT


def header_of(path):
    """What the file says of itself."""
    with safe_open(path, "pt") as file:
        ((name, said),) = file.metadata().items()  # one: several would come in any order
    assert name == "datagen"
    return json.loads(said)


def rewritten(path, out, header=None, tensors=None):
    """The same file at `out` with other entries of the header and its parts, and other tensors."""
    said = _changed(header_of(path), header or {})
    save_file(_changed(load_file(path), tensors or {}), out, {"datagen": json.dumps(said)})
    return out


def _changed(old, changes):
    new = dict(old)
    for name, value in changes.items():
        is_part = isinstance(value, dict) and isinstance(old.get(name), dict)
        new[name] = _changed(old[name], value) if is_part else value
    return {name: value for name, value in new.items() if value is not ABSENT}
