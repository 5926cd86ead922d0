"""What decides the result of a run of `train`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from datagen.dataset.store import read_json
from datagen.decoding import decode
from datagen.errors import InputError
from datagen.recipe import changes
from datagen.settings.train import Train


@dataclass(frozen=True)
class Spec:
    """Settings, pictures and version; learning.run.Spec says what they are asked for."""

    settings: Train
    data: str  # digest of the pictures, or "recipe " and that of what makes them
    validation: str | None  # digest of separate pictures
    version: str  # of datagen

    verb: ClassVar[str] = "train"
    given: ClassVar[str] = "pictures and settings"

    def to_json(self) -> dict[str, Any]:
        return {"verb": self.verb, **vars(self), "settings": self.settings.model_dump(mode="json")}

    def differing(self, folder: Path) -> list[str]:
        before = read_spec(folder)
        old, new = ({"train": one.settings.content()} for one in (before, self))
        found = changes(old, new)
        if before.data != self.data:
            found.append("the training pictures")
        if before.validation != self.validation:
            found.append("the validation pictures")
        if before.version != self.version:
            found.append(f"datagen {before.version} -> {self.version}")
        return found


def read_spec(folder: Path) -> Spec:
    """What the run of `train` in `folder` was started with."""
    path = folder / "meta.json"
    data = read_json(path)
    if data.get("verb") != Spec.verb:
        raise InputError(f"{folder}: is no run of `train`")
    try:
        settings = decode(Train, data["settings"], str(path))
        texts = str(data["data"]), data["validation"], str(data["version"])
    except LookupError as error:
        raise InputError(f"{path}: is damaged, it has no {error}; name a new folder") from error
    return Spec(settings, *texts)
