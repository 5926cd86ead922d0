"""What a run leaves behind: weights, the learned grammar, the report, a recipe to go on with."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from datagen import __version__, language
from datagen.derivation import Derivation
from datagen.files import write_atomic
from datagen.grammar import Grammar
from datagen.language.intervals import Intervals
from datagen.learning.arranging import AS_WRITTEN
from datagen.learning.evaluation import Comparison
from datagen.learning.intervals import Sample, bootstrapped, caveat
from datagen.learning.projection import project, project_attributes
from datagen.learning.stages import Learned
from datagen.learning.statements import Statement, last_readings, statements
from datagen.learning.strangers import strangers, write_strangers
from datagen.learning.weights import load_model, save_model
from datagen.report.learning import write_report
from datagen.rng import Stream, rng_for
from datagen.scene import Scene

_PROJECTED = 10_000  # derivations that learned.scene is estimated from
_PLACED = 2000  # scenes that its laws of attributes are estimated from
_UNSEEN = 1 << 42  # their numbers begin here


def _scenes(learned: Learned, strings: Sequence[Derivation]) -> list[Scene]:
    """Scenes with learned attributes; none where attributes were not learned."""
    if learned.moved is None:
        return []
    seed = learned.recipe.learn.seed
    rngs = [rng_for(seed, _UNSEEN + k, Stream.PRIOR_VALUES) for k in range(len(strings))]
    place = learned.placer
    return learned.moved([place(d, r) for d, r in zip(strings, rngs, strict=True)])


def _spacing_note(spacing: Mapping[str, float]) -> list[str]:
    kept = [f"{name} ({share:.0%})" for name, share in spacing.items() if name != AS_WRITTEN]
    return [f"There, things keep apart {', '.join(kept)}."] if kept else []


class _Grammars(NamedTuple):
    """What learning has made of a grammar, as far as rules and laws can say it."""

    before: Grammar
    after: Grammar
    sure: Intervals  # how sure it is of that


def _projected(learned: Learned) -> _Grammars:
    recipe = learned.recipe
    rng = rng_for(recipe.learn.seed, 0, Stream.EVALUATE)
    strings = learned.derivations(_PROJECTED, rng)
    scenes = _scenes(learned, strings[:_PLACED])
    before = language.parse(recipe.grammar.text, recipe.grammar.name)
    projected = before if learned.structure is None else project(before, strings)
    sure = bootstrapped(before, [Sample(strings, scenes)], recipe.learn.seed)
    if learned.structure is None:  # the scatter of sampling is nothing that was learned
        sure = Intervals(means=sure.means, spreads=sure.spreads)
    return _Grammars(before, project_attributes(projected, scenes), sure)


def publish(learned: Learned, comparison: Comparison) -> list[Statement]:
    """Write the results into the run folder, each at once; what can be said of them."""
    recipe, run, targets = learned.recipe, learned.run.path, learned.targets
    grammar = recipe.world()
    weights = run / "model.safetensors"
    model = (learned.structure, learned.transformer, learned.spacing)
    save_model(weights, grammar, recipe.learn, *model)
    load_model(weights, grammar)  # what is published can be read back
    before, after, sure = _projected(learned)
    notes = [
        f"Learned from {len(targets.images)} pictures by datagen {__version__}, recipe "
        f"{recipe.learn_digest}: the best context-free grammar for what the model makes.",
        "What depends on context is in model.safetensors; `datagen generate` on the run's folder "
        "samples that.",
        *_spacing_note(learned.spacing),
        caveat(1),
    ]
    text = language.written(after, notes, sure)
    language.parse(text, "learned.scene")  # as above
    write_atomic(run / "learned.scene", text)
    names = strangers(targets)
    write_strangers(run, names)
    said = statements(comparison, last_readings(learned.run.records()), names, learned.spacing)
    report = comparison.report(
        title=f"{grammar.world}: what was learned from {len(targets.images)} pictures",
        grammar=recipe.grammar.name,
        diff=language.diff(before, after, sure),
        statements=[one.to_json() for one in said],
        facts={
            "target pictures": len(targets.images),
            "files left out": len(targets.rejected),
            "features": recipe.learn.features.use,
            "seed": recipe.learn.seed,
            "recipe": recipe.digest,
            "datagen": __version__,
        },
    )
    write_atomic(run / "report.json", json.dumps(report, indent=1, allow_nan=False))
    write_report(run)
    frozen = recipe.learned("metasim2", weights).encode()
    frozen["generator"]["weights"]["source"] = weights.name  # the folder may be moved
    write_atomic(run / "recipe.json", json.dumps(frozen, indent=1, allow_nan=False))
    return said
