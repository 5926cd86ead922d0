"""The server's folder: what has an address lies in `home`/KIND/NAME, and nothing else is served."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from datagen.files import make_folder
from datagen.settings.serve import NAME

Kind = Literal[
    "datasets", "runs", "detectors", "evaluations", "exports", "targets", "recipes", "grammars"
]
KINDS: tuple[Kind, ...] = (
    "datasets", "runs", "detectors", "evaluations", "exports", "targets", "recipes", "grammars",
)  # fmt: skip
# What each verb makes.
MADE: Mapping[str, Kind] = {
    "generate": "datasets",
    "learn": "runs",
    "train": "detectors",
    "evaluate": "evaluations",
    "export": "exports",
}


class NotHere(Exception):
    """Nothing has this address; the message says what there is none of."""


@dataclass(frozen=True)
class Home:
    """The server's folder."""

    folder: Path  # absolute
    jobs: Path  # the jobs folder
    shared: Mapping[str, Path] = field(default_factory=dict)  # targets of the configuration

    def prepare(self) -> None:
        """InputError where nothing can be written."""
        for kind in KINDS:
            make_folder(self.folder / kind)
        make_folder(self.jobs)

    def place(self, kind: Kind, name: str, ending: str = "") -> Path:
        """Where it lies, or would lie. NotHere for what is no name, so no path leaves `folder`."""
        if kind not in KINDS or not re.fullmatch(NAME, name):
            raise NotHere(f"there is no {kind.removesuffix('s')} `{name[:40]}`")
        return self.folder / kind / f"{name}{ending}"

    def find(self, kind: Kind, name: str, ending: str = "") -> Path:
        """Where it lies; NotHere where it does not."""
        path = self.place(kind, name, ending)
        if kind == "targets" and name in self.shared:
            return self.shared[name]
        if path.is_symlink() or not path.exists():
            raise NotHere(f"there is no {kind.removesuffix('s')} `{name}`")
        return path

    def named(self, text: str) -> str:
        """Words for strangers: what lies here by its address, such as runs/oslo, not its path."""
        places = {path: f"targets/{name}" for name, path in self.shared.items()}
        places |= {self.folder / kind: kind for kind in KINDS} | {self.jobs: "jobs"}
        for path, address in places.items():
            for one in {path, path.resolve()}:  # a job's arguments are without links
                text = re.sub(rf"{re.escape(str(one))}(?![\w-])", address, text)
        return text

    def names(self, kind: Kind, ending: str = "") -> Iterator[str]:
        """Of all that lie there, sorted."""
        found = {p.name.removesuffix(ending) for p in (self.folder / kind).glob(f"*{ending}")}
        found |= set(self.shared) if kind == "targets" else set()
        return iter(sorted(name for name in found if re.fullmatch(NAME, name)))
