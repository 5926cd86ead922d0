"""Whether what a chaos run has made is what an undisturbed run makes, byte for byte."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chaos_place import Place, datagen

from datagen.dataset.store import read_json


@dataclass
class Made:
    """One job's dataset."""

    number: int
    out: Path
    seconds: float
    digest: str = ""
    findings: list[str] = field(default_factory=list)
    lost: int = 0  # images
    twice: int = 0
    torn: int = 0


class Judge:
    """`datagen verify`, and every byte beside those that nothing disturbed; one job at a time."""

    def __init__(self, place: Place, clean: Path, digest: str, tell: Callable[[str], None]) -> None:
        """`clean` is the dataset that nothing disturbed; `tell` is told each finding."""
        self._place, self._clean, self._digest, self._tell = place, clean, digest, tell
        self._waiting: list[tuple[Made, float]] = []
        self._check: tuple[Made, subprocess.Popen[bytes]] | None = None

    @property
    def is_over(self) -> bool:
        return not self._waiting and self._check is None

    def expect(self, made: Made, when: float) -> None:
        """Judge a dataset, but not before so many seconds since 1970."""
        self._waiting.append((made, when))

    def look(self, now: float, *, is_full: bool) -> None:
        """Begin or end what is due; nothing is begun while the disk is full."""
        if self._check is None and self._waiting and now >= self._waiting[0][1] and not is_full:
            made = self._waiting.pop(0)[0]
            self._check = made, self._verify(made)
        if self._check is not None and self._check[1].poll() is not None:
            made, process = self._check
            self._check = None
            if process.returncode:
                said = (self._place.folder / f"verify-{made.number}").read_text()
                made.findings.append(f"verify ends with {process.returncode}: {said[-400:]}")
            if made.digest != self._digest:
                made.findings.append("another digest")
            compare(self._clean, made)
            for text in made.findings:
                self._tell(f"job {made.number}: {text}")
            if not made.findings:
                subprocess.run(["rm", "-rf", str(made.out)], check=False)

    def _verify(self, made: Made) -> subprocess.Popen[bytes]:
        with (self._place.folder / f"verify-{made.number}").open("wb") as out:
            return subprocess.Popen(
                ["nice", "-n", "5", *datagen("verify", made.out, "--json")],
                env=self._place.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )


def compare(clean: Path, made: Made) -> None:
    """Note what differs from the dataset that nothing disturbed."""
    ours, theirs = _paths(made.out), _paths(clean)
    pictures = {name for name in theirs if name.endswith(".png")}
    made.lost = len(pictures - ours)
    made.twice = sum(name.endswith(".png") for name in ours - theirs)
    ids = [image["id"] for image in read_json(made.out / "annotations.json")["images"]]
    made.twice += len(ids) - len(set(ids))
    made.findings += [f"{name} is not there" for name in sorted(theirs - ours)[:5]]
    made.findings += [f"{name} is too much" for name in sorted(ours - theirs)[:5]]
    files = [name for name in ours & theirs if (clean / name).is_file()]
    other = [n for n in files if (clean / n).read_bytes() != (made.out / n).read_bytes()]
    made.torn = sum(name.endswith(".png") for name in other)
    made.findings += [f"{name} differs" for name in sorted(other)[:5]]


def _paths(folder: Path) -> set[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return {name for name in found if name != ".lock"}
