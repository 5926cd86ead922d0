"""`datagen train`: labelled pictures in, a detector of what is in them out."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen import __version__
from datagen.decoding import decode
from datagen.detecting.events import opened_events
from datagen.detecting.lessons import Lesson
from datagen.detecting.material import Material, material
from datagen.detecting.publishing import publish
from datagen.detecting.snapshot import MODEL, header_of
from datagen.detecting.spec import Spec
from datagen.detecting.teaching import Pupil, Standing, Watched
from datagen.errors import InputError
from datagen.interfaces import Component
from datagen.jobs.conducted import Conducted, Order
from datagen.jobs.executors import Workers
from datagen.labelled import Labelled
from datagen.learning import loop
from datagen.learning.loop import Tick
from datagen.learning.run import RunFolder, opened_run
from datagen.progress import Advance
from datagen.reading import digest, read
from datagen.recipe import Recipe
from datagen.settings.train import Train
from datagen.storage.address import quoted, unquoted
from datagen.threads import one_thread

PHASE = "train"  # in metrics.jsonl


@dataclass(frozen=True)
class TrainReport:
    """What a run of `train` came to."""

    run: Path
    pictures: int  # learned from
    steps: int
    standing: Standing
    remarks: tuple[str, ...]

    @property
    def ap50(self) -> float | None:
        """Of boxes in the validation pictures, 0 to 1; None where nothing was measured."""
        return self.standing.best if self.standing.at else None

    def to_json(self) -> dict[str, Any]:
        kept = {"AP50": self.ap50, "best_step": self.standing.at or None}
        head = {"run": str(self.run), "pictures": self.pictures, "steps": self.steps}
        return head | kept | {"remarks": list(self.remarks)}


def train(
    lesson: Lesson,
    out: Path,
    *,
    val: Labelled | None = None,
    workers: Workers = 1,
    resume: bool = False,
    progress: Advance = lambda done, total, words: None,
    say: Callable[[str], None] = lambda remark: None,
) -> TrainReport:
    """Train the detector of `lesson.settings` and leave it in the run's folder `out`.

    `val` are pictures to validate on; without, a share is held out. `workers` make the pictures,
    where a recipe does. Killed at any moment, it goes on from its last checkpoint with `resume`.
    `say` is told, before the first step, what a person must know.
    """
    settings = lesson.settings
    spec, ready = _looked_at(lesson, val, out)
    with opened_run(out, spec=spec, resume=resume) as run:
        both = ready or material(lesson.labelled(run.path, workers, progress), val, settings)
        start = None if settings.goes_on is None else Path(settings.goes_on.source)
        with one_thread():
            pupil = settings.described().pupil(both.training, settings, start)
            remarks = (*both.remarks, *pupil.remarks())
            for remark in remarks:
                say(remark)
            watched = _learned(run, pupil, both, settings, progress)
            report = TrainReport(
                out, len(both.training.pictures), watched.steps, watched.standing, remarks
            )
            publish(run, spec, both, report.to_json(), progress)
    return report


def _looked_at(lesson: Lesson, val: Labelled | None, out: Path) -> tuple[Spec, Material | None]:
    """Everything that can be refused is, before anything is written.

    The material is None where a recipe makes the pictures.
    """
    settings = lesson.settings
    lesson.keep_apart(out)
    _check_sources(settings)
    validation = None if val is None else digest(val)
    spec = Spec(settings, lesson.digest, validation, __version__)
    there = lesson.source if isinstance(lesson.source, Labelled) else None
    return spec, None if there is None else material(there, val, settings)


def _check_sources(settings: Train) -> None:
    """Refuses at once what would fail when the pictures are made."""
    for name, source in settings.sources():
        source.check(name)
    if settings.goes_on is not None:
        header_of(Path(settings.goes_on.source))
    if not hasattr(settings.described(), "pupil"):
        raise InputError(
            f"train.detector `{settings.detector.use}` cannot be trained: it has no `pupil`, see "
            "datagen.detecting.teaching.Teachable"
        )


def _learned(
    run: RunFolder, pupil: Pupil, both: Material, settings: Train, progress: Advance
) -> Watched:
    with opened_events(run.path) as log:
        watched = Watched(pupil, settings, both.validation, run.path / MODEL, log)
        tell = _Teller(settings.batch, watched.readings, progress)
        every = settings.checkpoint_every
        loop.train(run, PHASE, watched, checkpoint_every=every, progress=tell)
    return watched


class _Teller:
    """Steps as people read them: loss, the last AP50, pictures a second since the first one."""

    def __init__(self, batch: int, readings: Mapping[str, float], progress: Advance) -> None:
        self._batch, self._readings, self._progress = batch, readings, progress
        self._began, self._first = time.monotonic(), -1

    def __call__(self, tick: Tick) -> None:
        if self._first < 0:
            self._first = tick.step - 1
        seconds = max(time.monotonic() - self._began, 1e-9)
        rate = (tick.step - self._first) * self._batch / seconds
        shown = {n: self._readings[n] for n in ("loss", "AP50") if n in self._readings}
        said = "".join(f"{name} {value:.3g}  " for name, value in shown.items())
        self._progress(tick.step, tick.steps, f"{said}{rate:.3g} images/s")


# ------------------------------------------------------------------------------------------- jobs


class _Ordered(Component):
    """The arguments of a job: a recipe, or pictures with settings. Paths are percent-encoded."""

    recipe: Recipe | None
    pictures: str | None
    settings: Train
    val: str | None
    out: str

    def lesson(self) -> Lesson:
        if self.recipe is not None:
            return Lesson(self.recipe, self.settings)
        if self.pictures is None:
            raise InputError("job: it names neither a recipe nor pictures")
        return Lesson(read(unquoted(self.pictures)), self.settings)


def order(
    lesson: Lesson, pictures: Path, out: Path, *, val: Path | None = None, resume: bool = False
) -> Order:
    """The job of a training in `out`; `pictures` is where the lesson's are, if they are there."""

    def claim() -> None:
        spec, _ = _looked_at(lesson, None if val is None else read(val), out)
        with opened_run(out, spec=spec, resume=resume):
            pass

    recipe = lesson.source.encode() if isinstance(lesson.source, Recipe) else None
    places = {"pictures": pictures if recipe is None else None, "val": val, "out": out}
    paths = {name: None if at is None else quoted(at.resolve()) for name, at in places.items()}
    settings = lesson.settings.model_dump(mode="json")
    return Order("train", {"recipe": recipe, "settings": settings, **paths}, claim)


def conduct(arguments: dict[str, Any], means: Conducted) -> dict[str, Any]:
    """Carry out a job of `order`; gives the TrainReport as plain data."""
    asked = decode(_Ordered, arguments, "job")
    report = train(
        asked.lesson(),
        unquoted(asked.out),
        val=None if asked.val is None else read(unquoted(asked.val)),
        workers=means.executor,
        resume=True,
        progress=means.progress,
        say=means.say,
    )
    return report.to_json()
