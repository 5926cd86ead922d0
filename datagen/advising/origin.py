"""The recipe that is to be changed, as one whose scenes are drawn from a grammar alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from datagen import freezing, recipe
from datagen.advising.evaluations import Evaluation
from datagen.dataset.folders import is_train_run
from datagen.dataset.store import read_json
from datagen.derivation import recover
from datagen.errors import InputError
from datagen.grammar import Grammar
from datagen.learning.projection import project, project_attributes
from datagen.parts import Part
from datagen.recipe import Recipe
from datagen.report.training import RESULT
from datagen.rng import Stream, rng_for
from datagen.scene import Scene
from datagen.threads import one_thread

_SCENES = 2000  # of a learned model, from which its grammar is estimated
_BATCH = 50


@dataclass(frozen=True)
class Origin:
    """`recipe` as it was given; `grammar` is what its scenes come from, or come closest to."""

    name: str
    recipe: Recipe
    grammar: Grammar
    estimated: bool  # the scenes come from a learned model, the grammar is its projection


def origin(given: str | None, evaluations: Sequence[Evaluation]) -> Origin:
    """Of the recipe, dataset or run that was given, else of what the detector was trained on."""
    name = given if given is not None else _trained_by(evaluations)
    _refuse_training(Path(name))
    found = recipe.load(name, allow_empty=True)
    grammar = freezing.parsed(found.grammar.text, found.grammar.name)
    generator = found.generator.component("generators")
    if generator.gives is not Scene:
        raise InputError(
            f"{name}: its generator `{found.generator.use}` makes no scenes of a grammar, so no "
            "rule can be re-weighted; give a recipe with scenes by --recipe"
        )
    if found.generator.use == "prior":
        return Origin(name, found, grammar, estimated=False)
    return Origin(name, found, _projected(found, grammar), estimated=True)


def _trained_by(evaluations: Sequence[Evaluation]) -> str:
    """What the evaluated detector was trained on, as its run says."""
    for one in evaluations:
        run = Path(one.run)
        if run.suffix == ".json" and not run.is_dir():
            continue  # detections: who found them, it does not say
        run = run if run.is_dir() else run.parent  # of a file of weights
        for folder in (_source(run), run):
            if folder is not None and (folder / "recipe.json").is_file():
                return str(folder)
    raise InputError(
        f"{evaluations[0].folder}: its run {evaluations[0].run} does not lead to a recipe that the "
        "detector was trained on; give that recipe or dataset with --recipe"
    )


def _refuse_training(run: Path) -> None:
    """A run of `train` is no recipe, but mostly it knows one."""
    source = _source(run) if is_train_run(run) else None
    if source is not None and (source / "recipe.json").is_file():
        raise InputError(
            f"{run}: is a run of `datagen train`, no recipe; give what it learned from: "
            f"--recipe {quote(str(source))}"
        )


def _source(run: Path) -> Path | None:
    """The dataset that a run of `train` names; it may be gone, or be of another tool."""
    path = run / RESULT
    source = read_json(path).get("source") if path.is_file() else None
    return Path(source) if isinstance(source, str) else None


def _projected(found: Recipe, grammar: Grammar) -> Grammar:
    """The grammar that comes closest to the scenes of the recipe's learned model."""
    found.check_sources(learn=False)
    scenes: list[Scene] = []
    with one_thread(), found.generator.component("generators").open(found.world()) as generate:
        for start in range(0, _SCENES, _BATCH):
            numbers = range(start, start + _BATCH)
            scenes += generate([rng_for(found.seed, k, Stream.SCENE) for k in numbers])
    strings = [recover(grammar, scene) for scene in scenes]
    return project_attributes(project(grammar, strings), scenes)


def proposed(before: Origin, grammar_text: str) -> Recipe:
    """The recipe with another grammar, its scenes drawn from that grammar."""
    text = before.recipe.grammar.model_copy(update={"name": "proposed", "text": grammar_text})
    return before.recipe.model_copy(update={"grammar": text, "generator": Part(use="prior")})
