"""A trained detector on disk: a run of `train`, or the file of its weights alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from datagen.dataset.folders import is_dataset, is_evaluation, is_train_run
from datagen.detecting.spec import read_spec
from datagen.errors import InputError
from datagen.files import sha256_of
from datagen.parts import Part, Source

MODEL = "model.safetensors"
FORMAT = "datagen-detector-1"
ENTRY = "datagen"  # of the file's header: one, since safetensors writes several in any order
MOST_BYTES = 4 << 30


@dataclass(frozen=True)
class Snapshot:
    """A trained detector at rest."""

    file: Path
    categories: tuple[str, ...]
    described: Any  # an interfaces.Detector

    @property
    def digest(self) -> str:
        return sha256_of(self.file)


def snapshot(given: Path) -> Snapshot:
    """The detector of a run, with the run's options, or of a file, with what the file says."""
    file = weights_of(given)
    header = header_of(file)
    if given.is_dir():
        described = read_spec(given).settings.described(file)
    else:
        part = Part(use=str(header["use"]), weights=Source(source=str(file)))
        described = part.component("detectors")
    return Snapshot(file, tuple(map(str, header["categories"])), described)


def weights_of(given: Path) -> Path:
    """The file of weights in a run's folder, or the file itself."""
    if not given.exists():
        raise InputError(f"{given}: is not there; give a run of `train`, or the file of weights")
    if not given.is_dir():
        return given
    file = given / MODEL
    if not file.is_file():
        raise InputError(f"{given}: {_instead(given)}")
    return file


def _instead(given: Path) -> str:
    """What a folder without weights is, and what to give."""
    if is_train_run(given):
        return "is a run of `train` without weights yet; go on with `datagen train ... --resume`"
    if is_evaluation(given):
        return "was written by `datagen evaluate`; give a run of `train`, or its detections.json"
    if is_dataset(given):
        return "is a dataset, no run of `train`; the detector comes first, then the pictures"
    if (given / "recipe.json").is_file():
        return "is a run of `learn`, no detector; score what `datagen predict` finds by it"
    return f"holds no {MODEL}, so it is no run of `train`; give the folder that `train` wrote"


def header_of(file: Path) -> dict[str, Any]:
    """What a file of weights says of itself; no tensor is read."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise InputError(f"{file}: is larger than any detector ({MOST_BYTES >> 30} GiB)")
        with safe_open(file, "pt") as opened:
            text = (opened.metadata() or {}).get(ENTRY, "{}")
        header = json.loads(text)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or "not a whole safetensors file"
        raise InputError(f"{file}: cannot read these weights: {reason}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: its header is no JSON ({error})") from error
    form = header.get("format") if isinstance(header, dict) else None
    if form != FORMAT:
        said = f" (it is {form})" if form else ""
        raise InputError(f"{file}: is no detector that `datagen train` wrote{said}")
    if not isinstance(header.get("use"), str) or not isinstance(header.get("categories"), list):
        raise InputError(f"{file}: its header does not say what detector it is of; train again")
    return header
