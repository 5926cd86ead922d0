"""The pages of benchmarks: docs/results-<name>.md, from what docs/measured/<name> holds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import measured
import numpy as np
from measured import DOCS, Result

from datagen.files import write_atomic

_GAP, _QUALITY = 6, 80  # px between the rows of a picture; of a JPEG

# (runs in the arms' order, whatever else is kept by its name) -> a page but for its end.
Text = Callable[[Sequence[Result], Mapping[str, Result]], str]


@dataclass(frozen=True)
class Page:
    """docs/results-<name>.md, and the runs that it tells of.

    What a page measures is given the benchmark's paths, OUT first.
    """

    name: str
    arms: Mapping[str, Sequence[int]]  # and the seeds that each is to have
    run: Callable[..., Result]  # (*paths, a folder of its own, arm, seed): learns and measures
    text: Text
    # In docs -> samples under OUT, from above; drawn again where all of them are there.
    pictures: Mapping[str, Sequence[str]]
    # (*paths): makes what runs need that would otherwise make it side by side.
    share: Callable[..., object] = lambda *_: None
    # What is no run, such as what real pictures come to: (*paths).
    others: Mapping[str, Callable[..., Result]] = field(default_factory=dict)

    def kept(self) -> tuple[list[Result], dict[str, Result]]:
        """The runs, in the order of the arms, and the rest."""
        held, order = measured.read(self.name), list(self.arms)
        found = [one for one in held.values() if one.get("arm") in order]
        rest = {name: one for name, one in held.items() if "arm" not in one}
        return sorted(found, key=lambda one: (order.index(one["arm"]), one["seed"])), rest

    def write(self, out: Path, command: str) -> None:
        """The file in docs, and its pictures; they stay as they are while nothing is kept."""
        runs, others = self.kept()
        if not runs:
            return
        for name, samples in self.pictures.items():
            _draw(DOCS / name, [out / sample for sample in samples])
        end = _end(self, runs, others, command)
        write_atomic(DOCS / f"results-{self.name}.md", "\n".join([self.text(runs, others), *end]))


def _end(
    page: Page, runs: Sequence[Result], others: Mapping[str, Result], command: str
) -> Iterator[str]:
    there = {(one["arm"], one["seed"]) for one in runs}
    wanted = [(arm, seed) for arm, seeds in page.arms.items() for seed in seeds]
    missing = [run for run in wanted if run not in there]
    if missing:
        count = f"{len(missing)} of {len(wanted)} runs"
        yield f"**Not run to the end yet:** {count}: {_told(missing)}.\n"
    yield _measured(runs, others)
    yield (
        f"Made by `{command}` from `docs/measured/{page.name}/`. A run whose file is there is not\n"
        "made again; remove the file to measure it anew.\n"
    )


def _measured(runs: Sequence[Result], others: Mapping[str, Result]) -> str:
    """What at which commit, and where."""
    commits: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for one in runs:
        commits[one["measured"]["commit"]].append((one["arm"], one["seed"]))
    for name, one in others.items():
        commits[one["measured"]["commit"]].append((name, ""))
    told = "; ".join(f"{commit} ({_told(what)})" for commit, what in commits.items())
    machines = dict.fromkeys(one["measured"]["machine"] for one in (*runs, *others.values()))
    where = f"Machine: {'; '.join(machines)}; other work on it was not excluded."
    return f"Measured at commit {told}. {where}\n"


def _told(runs: Iterable[tuple[str, Any]]) -> str:
    """Arms, each with its seeds."""
    seeds: dict[str, list[str]] = defaultdict(list)
    for arm, seed in runs:
        seeds[arm].append(str(seed))
    return ", ".join(" ".join((arm, *found)).strip() for arm, found in seeds.items())


def _draw(picture: Path, samples: Sequence[Path]) -> None:
    """One above the other."""
    if not all(path.is_file() for path in samples):
        return
    rows = [np.asarray(cv2.imread(str(path))) for path in samples]
    gap = np.full((_GAP, rows[0].shape[1], 3), 255, np.uint8)
    whole = np.concatenate([part for row in rows for part in (row, gap)][:-1])
    options = (cv2.IMWRITE_JPEG_QUALITY, _QUALITY) if picture.suffix == ".jpg" else ()
    cv2.imwrite(str(picture), whole, options)
