"""Somebody who waits for a job of a chaos run."""

import subprocess
import time
from pathlib import Path

from chaos_place import Place, datagen

from datagen.jobs.ledger import Job


class Client:
    """Somebody who waits for the job, and comes back when killed."""

    def __init__(self, place: Place, recipe: Path, out: Path) -> None:
        self._place, self._recipe, self.out = place, recipe, out
        self.process: subprocess.Popen[bytes] | None = None
        self.due: float | None = 0.0
        self.words = self._generate()

    def _generate(self, *more: str) -> list[str]:
        words = ["generate", self._recipe, "--out", self.out, "--jobs", self._place.jobs, "--json"]
        return datagen(*words, *more)

    def resume(self, due: float) -> None:
        self.words, self.due = self._generate("--resume"), due

    def about(self, job: Job, *words: str) -> None:
        end = ["--jobs", self._place.jobs, "--json"]
        self.words, self.due = datagen("jobs", words[0], job.id, *words[1:], *end), 0.0

    @property
    def is_retry(self) -> bool:
        return "retry" in self.words

    @property
    def is_back(self) -> bool:
        return "--resume" in self.words

    def start(self) -> None:
        folder, self.due = self._place.folder, None
        with (folder / "client.out").open("wb") as out, (folder / "client.err").open("wb") as err:
            self.process = subprocess.Popen(
                self.words,
                env=self._place.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def kill(self, rest: float) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None
        self.resume(time.time() + rest)

    def ended(self) -> int | None:
        """Its exit code, once."""
        code = self.process.poll() if self.process is not None else None
        if code is not None:
            self.process = None
        return code

    def said(self) -> tuple[str, str]:
        folder = self._place.folder
        texts = [(folder / name).read_text(errors="replace") for name in _SAID]
        return texts[0], texts[1]


_SAID = ("client.out", "client.err")
