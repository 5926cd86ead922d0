"""`datagen learn`: unlabelled pictures and a grammar in, a learned structure model out."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen import __version__, language
from datagen.dataset.targets import Targets, load_targets, write_rejected
from datagen.errors import InputError
from datagen.files import write_atomic
from datagen.grammar import Grammar
from datagen.learning.counts import count_heads
from datagen.learning.evaluation import Comparison, compare, known_counts
from datagen.learning.features import CountFeatures, CountingTrainee, counting_net, save_features
from datagen.learning.loop import Tick, Trainee, train
from datagen.learning.measuring import opened_measure
from datagen.learning.painting import opened_painter
from datagen.learning.projection import project
from datagen.learning.run import RunFolder, Spec, opened_run
from datagen.learning.strings import draw, enough_steps
from datagen.learning.structure import Pretrainee, Reinforcee
from datagen.learning.weights import load_model, new_model, save_model
from datagen.models.metasim2 import StructureModel
from datagen.recipe import Recipe
from datagen.report.learning import write_report
from datagen.rng import Stream, rng_for
from datagen.threads import one_thread

_FEWEST = 4  # target pictures: the noise floor lies between two halves of them
_PROJECTED = 10_000  # derivations that learned.scene is estimated from


@dataclass(frozen=True)
class LearnReport:
    """What a run of `learn` came to."""

    run: Path
    targets: int  # pictures used
    rejected: int  # files that could not be used
    comparison: Comparison

    def to_json(self) -> dict[str, Any]:
        head = {"run": str(self.run), "targets": self.targets, "rejected": self.rejected}
        return head | self.comparison.distances()


def learn(
    recipe: Recipe,
    target: Path,
    out: Path,
    *,
    resume: bool = False,
    truth: Path | None = None,
    progress: Callable[[Tick], None] = lambda tick: None,
) -> LearnReport:
    """Fit the structure of the recipe's grammar to the pictures under `target`.

    `truth` is a COCO file of the targets, for the report alone: nothing is learned from it.
    Killed at any moment, the run goes on from its last checkpoint with `resume`.
    """
    grammar = recipe.world()
    _keep_apart(target, out)
    targets = load_targets(target, grammar.canvas)
    _check(grammar, target, targets)
    known = None if truth is None else _known(truth, count_heads(grammar), len(targets.images))
    spec = Spec(recipe, targets.digest, __version__)
    with opened_run(out, spec=spec, resume=resume) as run:
        write_rejected(out / "rejected.jsonl", targets.rejected)
        with one_thread(), opened_painter(recipe) as paint:
            model = _pretrained(recipe, run, progress)
            features = _features(recipe, run, progress)
            with opened_measure(out, paint, features, recipe.learn.helpers) as measure:
                reinforcee = Reinforcee(recipe, model, measure, features(targets.images))
                _train(recipe, run, "reinforce", reinforcee, progress)
                comparison = compare(recipe, model, features, paint, measure, targets, known, out)
        _publish(recipe, run, model, targets, comparison)
    return LearnReport(out, len(targets.images), len(targets.rejected), comparison)


def _known(truth: Path, heads: tuple[str, ...], pictures: int) -> np.ndarray:
    counts = known_counts(truth, heads)
    if len(counts) != pictures:
        raise InputError(f"{truth}: has {len(counts)} images, the target folder {pictures}")
    return counts


def _keep_apart(target: Path, out: Path) -> None:
    """The run's own pictures must not become targets."""
    if out.resolve().is_relative_to(target.resolve()):
        raise InputError(f"{out}: lies inside the target folder {target}; name a folder outside it")


def _check(grammar: Grammar, folder: Path, targets: Targets) -> None:
    """Refuses at once what would fail after hours."""
    if not grammar.categories:
        raise InputError(
            f"{grammar.world} has no `category`, so nothing can be counted in its pictures; "
            "give one to each symbol that is a thing"
        )
    if len(targets.images) < _FEWEST:
        raise InputError(
            f"{folder}: need at least {_FEWEST} images to learn from, found {len(targets.images)}"
        )


def _pretrained(recipe: Recipe, run: RunFolder, progress: Callable[[Tick], None]) -> StructureModel:
    learn_ = recipe.learn
    grammar = recipe.world()
    steps = learn_.max_steps or enough_steps(grammar, learn_.seed)
    model = new_model(grammar, learn_, steps)
    _train(recipe, run, "pretrain", Pretrainee(recipe, model), progress)
    return model


def _features(recipe: Recipe, run: RunFolder, progress: Callable[[Tick], None]) -> CountFeatures:
    net = counting_net(recipe)
    _train(recipe, run, "features", CountingTrainee(recipe, net), progress)
    save_features(run.path, net)
    return CountFeatures(net)


def _train(
    recipe: Recipe,
    run: RunFolder,
    phase: str,
    trainee: Trainee,
    progress: Callable[[Tick], None],
) -> None:
    train(run, phase, trainee, checkpoint_every=recipe.learn.checkpoint_every, progress=progress)


def _publish(
    recipe: Recipe,
    run: RunFolder,
    model: StructureModel,
    targets: Targets,
    comparison: Comparison,
) -> None:
    grammar = recipe.world()
    weights = run.path / "model.safetensors"
    save_model(weights, model, grammar, recipe.learn)
    loaded = load_model(weights, grammar)  # what is published can be read back
    rng = rng_for(recipe.learn.seed, 0, Stream.EVALUATE)
    derivations = draw(loaded, _PROJECTED, rng).derivations(loaded)
    before = language.parse(recipe.grammar.text, recipe.grammar.name)
    learned = project(before, derivations)
    write_atomic(run.path / "learned.scene", language.write(learned))
    report = comparison.report(
        title=f"{grammar.world}: what was learned from {len(targets.images)} pictures",
        grammar=recipe.grammar.name,
        diff=language.diff(before, learned),
        facts={
            "target pictures": len(targets.images),
            "files left out": len(targets.rejected),
            "seed": recipe.learn.seed,
            "recipe": recipe.digest,
            "datagen": __version__,
        },
    )
    write_atomic(run.path / "report.json", json.dumps(report, indent=1, allow_nan=False))
    write_report(run.path)
    frozen = recipe.learned("metasim2", weights).encode()
    frozen["generator"]["weights"]["source"] = weights.name  # the folder may be moved
    write_atomic(run.path / "recipe.json", json.dumps(frozen, indent=1, allow_nan=False))
