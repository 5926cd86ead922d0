"""The main job from end to end: unlabelled pictures in, a labelled dataset out."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen import pipeline, recipe
from datagen.errors import InputError, VerifyError
from datagen.jobs.executors import Workers
from datagen.learning.job import LearnReport, learn_grammar
from datagen.learning.loop import Tick


@dataclass(frozen=True)
class DemoReport:
    """Where everything lies and how far it is from the target."""

    target: Path  # the unlabelled pictures
    run: Path
    dataset: Path
    learned: LearnReport
    images: int
    labels: int

    def to_json(self) -> dict[str, Any]:
        places = {"target": self.target, "dataset": self.dataset}
        counts = {"images": self.images, "labels": self.labels}
        return {k: str(v) for k, v in places.items()} | counts | self.learned.to_json()

    def text(self) -> str:
        d = self.learned.comparison.distances()
        return "\n".join(
            [
                "energy distance to the target, in things a picture",
                f"  prior                    {d['prior']['distance']:8.4f}",
                f"  learned                  {d['learned']['distance']:8.4f}",
                f"  two halves of the target {d['distance_of_halves']:8.4f}"
                f"   (95 % of halvings below {d['floor']['distance']:.4f})",
                f"report   {self.run / 'report.html'}",
                f"grammar  {self.run / 'learned.scene'}",
                f"dataset  {self.dataset}   {self.images} images, {self.labels} labels, verified",
            ]
        )


def demo(
    out: Path,
    *,
    workers: Workers,
    resume: bool,
    say: Callable[[str], None],
    progress: Callable[[str, int, int], None],
    tick: Callable[[Tick], None],
) -> DemoReport:
    """Make a place, forget its labels, learn it from its pictures, and label it anew.

    `say` is told each stage; `progress` and `tick` how far it is.
    """
    if out.exists() and not resume and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: is not empty; add --resume to go on, or name a new folder")
    out.mkdir(parents=True, exist_ok=True)

    def images(p: pipeline.Progress) -> None:
        progress("images", p.done, p.total)

    say("1/4 photos of a place: 500 pictures from a grammar that the learner never reads")
    target = _unlabelled(out, workers, images)
    say("2/4 learning: the prior grammar `aerial` is fitted to those pictures, without a label")
    learned = learn_grammar(recipe.load("demo"), target, out / "run", resume=True, progress=tick)
    say("3/4 generating 200 labelled pictures from what was learned")
    run = recipe.load(out / "run")
    made = pipeline.generate(run, out / "dataset", workers=workers, resume=True, progress=images)
    say("4/4 verifying every file and label")
    findings = pipeline.verify(out / "dataset").findings
    if findings:
        raise VerifyError(f"{out / 'dataset'}: {findings[0].message}")
    return DemoReport(target, out / "run", out / "dataset", learned, made.count, made.annotations)


def _unlabelled(out: Path, workers: Workers, progress: Callable[[pipeline.Progress], None]) -> Path:
    """A folder of pictures and nothing else: their labels are deleted."""
    target, labelled = out / "target", out / "labelled-target"
    if not target.is_dir():
        hidden = recipe.load("demo_target")
        pipeline.generate(hidden, labelled, workers=workers, resume=True, progress=progress)
        aside = out / "target.part"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        for picture in sorted(labelled.glob("shards/*/*.png")):
            shutil.copyfile(picture, aside / picture.name)
        aside.rename(target)
    shutil.rmtree(labelled, ignore_errors=True)
    return target
