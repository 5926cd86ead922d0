"""`datagen learn`: unlabelled pictures and a grammar in, a learned model of its scenes out.

Where parts of the recipe have something to learn, `learning.parts` teaches them instead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datagen import __version__
from datagen.dataset.coco import check_number
from datagen.dataset.targets import Targets, load_targets, write_rejected
from datagen.decoding import decode
from datagen.errors import InputError
from datagen.frames import may_reject
from datagen.grammar import Grammar
from datagen.interfaces import Component
from datagen.jobs.conducted import Conducted, Order
from datagen.jobs.executors import Executor
from datagen.learning.counts import count_heads
from datagen.learning.evaluation import Comparison, compare, known_counts
from datagen.learning.loop import Tick
from datagen.learning.publishing import publish
from datagen.learning.run import keep_apart, opened_run
from datagen.learning.sharing import helpers
from datagen.learning.spec import Spec
from datagen.learning.stages import run_stages, try_on
from datagen.learning.statements import Statement
from datagen.recipe import Recipe
from datagen.scene import Scene
from datagen.storage.address import quoted, unquoted

if TYPE_CHECKING:  # torchvision takes seconds to load, and a grammar learns without it
    from datagen.learning.parts.job import PartsReport

_FEWEST = 4  # target pictures: the noise floor lies between two halves of them


@dataclass(frozen=True)
class LearnReport:
    """What a run of `learn` came to."""

    run: Path
    targets: int  # pictures used
    rejected: int  # files that could not be used
    comparison: Comparison
    statements: tuple[Statement, ...]

    def to_json(self) -> dict[str, Any]:
        head = {"run": str(self.run), "targets": self.targets, "rejected": self.rejected}
        said = {"statements": [one.to_json() for one in self.statements]}
        return head | self.comparison.distances() | said


def learn(
    recipe: Recipe,
    target: Path,
    out: Path,
    *,
    resume: bool = False,
    truth: Path | None = None,
    progress: Callable[[Tick], None] = lambda tick: None,
    executor: Executor | None = None,
) -> "LearnReport | PartsReport":
    """As `learn_parts` where parts of the recipe have yet to learn.

    Else as `learn_grammar`, whose `truth` and `executor` these are.
    """
    if recipe.untaught():
        from datagen.learning.parts.job import learn_parts

        _refuse_truth(truth)
        return learn_parts(recipe, target, out, resume=resume, progress=progress)
    return learn_grammar(
        recipe, target, out, resume=resume, truth=truth, progress=progress, executor=executor
    )


def learn_grammar(
    recipe: Recipe,
    target: Path,
    out: Path,
    *,
    resume: bool = False,
    truth: Path | None = None,
    progress: Callable[[Tick], None] = lambda tick: None,
    executor: Executor | None = None,
) -> LearnReport:
    """Fit structure and mutable attributes of the recipe's grammar to the pictures under `target`.

    `truth` is a COCO file of the targets, for the report alone: nothing is learned from it.
    Killed at any moment, the run goes on from its last checkpoint with `resume`. Who renders and
    measures beside this process, `executor` or else `learn.helpers` processes, changes no result.
    """
    executor = helpers(recipe.learn.helpers) if executor is None else executor
    given = _looked_at(recipe, target, out, truth)
    targets = given.targets
    with opened_run(out, spec=given.spec, resume=resume) as run:
        write_rejected(out / "rejected.jsonl", targets.rejected)
        with run_stages(recipe, run, targets, progress, executor) as learned:
            comparison = compare(learned, given.known)
            said = publish(learned, comparison)
    return LearnReport(out, len(targets.images), len(targets.rejected), comparison, tuple(said))


@dataclass(frozen=True)
class _Given:
    """What there is to learn from."""

    targets: Targets
    known: np.ndarray | None  # the true counts, for the report
    spec: Spec


def _looked_at(recipe: Recipe, target: Path, out: Path, truth: Path | None) -> _Given:
    """Everything that can be refused is, before anything is written."""
    recipe.check_sources()
    grammar = recipe.world()
    _check_parts(recipe)
    keep_apart(target, out)
    _check(grammar)
    targets = load_targets(target, grammar.canvas, fewest=_FEWEST)
    try_on(recipe, targets)
    known = None if truth is None else _known(truth, count_heads(grammar), len(targets.images))
    return _Given(targets, known, Spec(recipe, targets.digest, __version__))


def _known(truth: Path, heads: tuple[str, ...], pictures: int) -> np.ndarray:
    counts = known_counts(truth, heads)
    check_number(truth, len(counts), pictures)
    return counts


def _check_parts(recipe: Recipe) -> None:
    """Refuses recipes whose scenes a grammar does not make, or whose pictures may be rejected."""
    generator = recipe.generator.component("generators")
    if generator.gives is not Scene:
        raise InputError(
            f"the parts of this recipe have learned already, and `{recipe.generator.use}` takes "
            "no structure from a grammar; generate from it, or give a recipe without weights"
        )
    if may_reject(recipe):
        raise InputError(
            "learning looks at every picture, and a part here rejects some; switch its gate "
            "off, such as with --set renderers.1.gate=0"
        )


def _refuse_truth(truth: Path | None) -> None:
    if truth is not None:
        raise InputError(
            "--truth is for learning a grammar's structure from photos; this recipe's parts learn "
            "something else: leave it out"
        )


def _check(grammar: Grammar) -> None:
    """Refuses at once what would fail after hours."""
    if not grammar.categories:
        raise InputError(
            f"{grammar.world} has no `category`, so nothing can be counted in its pictures; "
            "give one to each symbol that is a thing"
        )


# ------------------------------------------------------------------------------------------- jobs


class _Ordered(Component):
    """The arguments of a job; paths are percent-encoded."""

    recipe: Recipe
    target: str
    truth: str | None
    out: str


def order(
    recipe: Recipe, target: Path, out: Path, *, resume: bool = False, truth: Path | None = None
) -> Order:
    """The job of learning in `out`, which is taken for it as by `learn`."""

    def claim() -> None:
        if recipe.untaught():
            from datagen.learning.parts.job import looked_at

            _refuse_truth(truth)
            spec = looked_at(recipe, target, out).spec
        else:
            spec = _looked_at(recipe, target, out, truth).spec
        with opened_run(out, spec=spec, resume=resume):
            pass

    places = {"target": target, "truth": truth, "out": out}
    paths = {name: None if at is None else quoted(at.resolve()) for name, at in places.items()}
    return Order("learn", {"recipe": recipe.encode(), **paths}, claim)


def conduct(arguments: dict[str, Any], means: Conducted) -> dict[str, Any]:
    """Carry out a job of `order`; gives its report as plain data."""
    asked = decode(_Ordered, arguments, "job")
    report = learn(
        asked.recipe,
        unquoted(asked.target),
        unquoted(asked.out),
        resume=True,
        truth=None if asked.truth is None else unquoted(asked.truth),
        progress=lambda tick: means.progress(tick.step, tick.steps, tick.words),
        executor=means.executor(lambda payload, done: None),
    )
    return report.to_json()
