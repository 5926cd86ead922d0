"""The stages of a run of `learn`, one after the other, each with its own checkpoints."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from datagen.dataset.targets import Targets
from datagen.derivation import Derivation
from datagen.errors import InputError
from datagen.features.counts import CountFeatures, save_counts
from datagen.features.embedding import save_embedding
from datagen.interfaces import LABELS
from datagen.jobs.executors import Executor
from datagen.learning.album.counting import CountingTrainee, count_heads_of, counting_net
from datagen.learning.album.embedding import EmbeddingTrainee, embedding_net, embedding_of
from datagen.learning.arranging import Placer, settled
from datagen.learning.attributes.moments import LawTrainee
from datagen.learning.attributes.moving import Moved, mover, new_transformer
from datagen.learning.attributes.scenery import Scenery, viewer
from datagen.learning.attributes.tasks import described_task, opened_task
from datagen.learning.attributes.training import AttributeTrainee
from datagen.learning.counts import count_heads
from datagen.learning.extraction import FILE, Extract, extractor, is_trained, scaling, views_of
from datagen.learning.loop import Tick, Trainee, train
from datagen.learning.measuring import (
    ATTRIBUTES,
    MEASURE,
    Measure,
    Origin,
    shared_measure,
    shared_see,
)
from datagen.learning.painting import Paint, opened_painter
from datagen.learning.run import RunFolder
from datagen.learning.sharing import Shares
from datagen.learning.strings import derivations, enough_steps, prior_strings
from datagen.learning.structure.training import Pretrainee, Reinforcee
from datagen.learning.weights import new_model, save_model
from datagen.models.metasim import DistributionTransformer
from datagen.models.metasim2 import StructureModel
from datagen.recipe import Recipe
from datagen.rendering import opened_renderers
from datagen.threads import one_thread

Progress = Callable[[Tick], None]

_SCALED = 1000  # pictures of the prior that features are scaled by
_OWN = 1 << 41  # their numbers begin here


@dataclass(frozen=True)
class Learned:
    """What a run has learned, with its pictures and features still at hand."""

    recipe: Recipe
    run: RunFolder
    targets: Targets
    structure: StructureModel | None  # None: as in the prior
    spacing: Mapping[str, float]  # of repeated things, as arranging.settled gives it
    transformer: DistributionTransformer | None  # None: attributes as in the prior
    moved: Moved | None
    extract: Extract
    prior_paint: Paint  # with the prior's attributes
    prior_measure: Measure  # on the scale of `real`
    paint: Paint  # with learned attributes
    measure: Measure
    real: np.ndarray  # float32 [N, D], features of the target pictures

    def derivations(self, count: int, rng: np.random.Generator) -> list[Derivation]:
        return derivations(self.recipe.world(), self.structure, count, rng)

    @property
    def placer(self) -> Placer:
        return Placer(self.recipe.world(), self.spacing)


@contextmanager
def run_stages(
    recipe: Recipe, run: RunFolder, targets: Targets, progress: Progress, executor: Executor
) -> Iterator[Learned]:
    """Features, then structure and attributes in the order that the recipe names.

    `executor` finds those who render and measure beside this process.
    """
    with ExitStack() as stack:
        stack.enter_context(one_thread())
        chosen = chosen_stages(recipe)
        _train_features(recipe, run, progress)
        shares = Shares(stack.enter_context(executor.open(MEASURE)))
        stages = _Stages(recipe, run, progress, stack, shares)
        eyes = stages.eyes(targets)
        prior_paint, prior_measure = stages.look(eyes, None)
        paint, measure = prior_paint, prior_measure
        structure, transformer, moved = None, None, None
        spacing: dict[str, float] = {}
        for number, stage in enumerate(chosen):
            time = chosen[:number].count(stage)  # a stage may come more than once
            if stage == "structure":
                structure, spacing = stages.structure(time, structure, eyes, measure)
            else:
                transformer, moved = stages.attributes(
                    time, structure, spacing, transformer, targets
                )
                save_model(run.path / ATTRIBUTES, recipe.world(), recipe.learn, None, transformer)
                paint, measure = stages.look(eyes, moved)
        yield Learned(
            recipe, run, targets, structure, spacing, transformer, moved, eyes.extract,
            prior_paint, prior_measure, paint, measure, eyes.real,
        )  # fmt: skip


def chosen_stages(recipe: Recipe) -> tuple[str, ...]:
    """As the recipe says, else structure, then attributes if the grammar has mutable ones."""
    grammar, stages = recipe.world(), recipe.learn.stages
    mutable = any(
        attribute.mutable is not None
        for symbol in grammar.symbols.values()
        for attribute in symbol.attributes.values()
    )
    if stages is None:
        return ("structure", "attributes") if mutable else ("structure",)
    if "attributes" in stages and not mutable:
        raise InputError(
            f"learn.stages names attributes, but {grammar.world} has no `mutable` one; write "
            "`mutable` behind those that learning may change"
        )
    return stages


def try_on(recipe: Recipe, targets: Targets) -> None:
    """Opens what the stages need, on two target pictures: to fail now, not in hours."""
    learn, chosen = recipe.learn, chosen_stages(recipe)
    if "structure" in chosen and learn.max_steps is None:
        enough_steps(recipe.world(), learn.seed)
    parts = [learn.features.part]
    if "attributes" in chosen:
        parts.append(learn.attributes.features)
        if learn.attributes.task is not None:
            described_task(learn.attributes.task)
    for part in parts:
        if not is_trained(part):
            with part.component("features").open() as extract:
                _same_things(recipe, extract)
                extract(targets.images[:2])


@dataclass(frozen=True)
class Eyes:
    """How pictures are seen while structure is learned."""

    extract: Extract
    scale: Callable[[np.ndarray], np.ndarray]
    real: np.ndarray  # float32 [N, D], scaled


def _train_features(recipe: Recipe, run: RunFolder, progress: Progress) -> None:
    """Trains the features that need it, and leaves them in the run folder."""
    features, file, every = recipe.learn.features, run.path / FILE, recipe.learn.checkpoint_every
    if not is_trained(features.part):
        return
    if features.use == "counts":
        heads = count_heads_of(recipe)
        net = counting_net(recipe, heads)
        counting = CountingTrainee(recipe, net)
        train(run, "features", counting, checkpoint_every=every, progress=progress)
        save_counts(file, heads, net)
    else:
        taught = embedding_of(recipe)
        embedding = embedding_net(recipe, taught)
        placing = EmbeddingTrainee(recipe, embedding)
        train(run, "features", placing, checkpoint_every=every, progress=progress)
        save_embedding(file, taught, embedding)


@dataclass(frozen=True)
class _Stages:
    recipe: Recipe
    run: RunFolder
    progress: Progress
    stack: ExitStack
    shares: Shares

    def train(self, phase: str, trainee: Trainee) -> None:
        # A round of `moments` is a thousand pictures, and there are few.
        every = 1 if isinstance(trainee, LawTrainee) else self.recipe.learn.checkpoint_every
        train(self.run, phase, trainee, checkpoint_every=every, progress=self.progress)

    def eyes(self, targets: Targets) -> Eyes:
        """The features of the run; those without a unit of their own are scaled."""
        learn = self.recipe.learn
        described = extractor(learn.features.part, self.run.path)
        extract = self.stack.enter_context(described.open())
        real = extract(targets.images)
        if not described.standardise:
            return Eyes(extract, lambda features: features, real)
        strings = prior_strings(self.recipe.world(), learn.seed, 0, _SCALED)
        with opened_painter(self.recipe) as paint:
            origin = Origin.of(self.run.path, learn.features.part)
            measure = shared_measure(self.shares, origin, paint, extract)
            scale = scaling(measure(strings, _OWN), real, learn.features.components)
        return Eyes(extract, scale, scale(real))

    def look(self, eyes: Eyes, moved: Moved | None) -> tuple[Paint, Measure]:
        """Pictures and their features, with attributes as `moved` makes them."""
        paint = self.stack.enter_context(opened_painter(self.recipe, moved))
        files = () if moved is None else (ATTRIBUTES,)
        origin = Origin.of(self.run.path, self.recipe.learn.features.part, *files)
        raw = shared_measure(self.shares, origin, paint, eyes.extract)
        return paint, lambda derivations, first, arrangements=(): eyes.scale(
            raw(derivations, first, arrangements)
        )

    def structure(
        self, time: int, before: StructureModel | None, eyes: Eyes, measure: Measure
    ) -> tuple[StructureModel, dict[str, float]]:
        learn, grammar = self.recipe.learn, self.recipe.world()
        steps = learn.max_steps or enough_steps(grammar, learn.seed)
        prior = new_model(grammar, learn, steps)
        self.train("pretrain", Pretrainee(self.recipe, prior))
        model = new_model(grammar, learn, steps)
        model.load_state_dict((before or prior).state_dict())
        views = views_of(eyes.extract, eyes.real.shape[1])
        first = time * learn.reinforcement.iterations
        trainee = Reinforcee(self.recipe, model, prior, measure, eyes.real, views, first)
        self.train(_named("reinforce", time), trainee)
        return model, settled(trainee.shares)

    def attributes(
        self,
        time: int,
        structure: StructureModel | None,
        spacing: Mapping[str, float],
        before: DistributionTransformer | None,
        targets: Targets,
    ) -> tuple[DistributionTransformer, Moved]:
        recipe, learn, grammar = self.recipe, self.recipe.learn, self.recipe.world()
        settings = learn.attributes
        transformer = new_transformer(grammar, settings.hidden, learn.seed)
        if before is not None:
            transformer.load_state_dict(before.state_dict())
        with ExitStack() as stack:
            extract = stack.enter_context(extractor(settings.features, self.run.path).open())
            render = stack.enter_context(opened_renderers(recipe, frozenset((LABELS,))))
            origin = Origin.of(self.run.path, settings.features)
            see = shared_see(self.shares, origin, viewer(render, extract, learn.seed))
            scenery = Scenery.of(
                grammar,
                learn.seed,
                lambda count, rng: derivations(grammar, structure, count, rng),
                Placer(grammar, spacing),
                see,
            )
            real = extract(targets.images)
            if settings.method == "moments":
                first = time * settings.moments.rounds
                trainee = LawTrainee(scenery, settings.moments, transformer, real, first)
            else:
                task = None
                if settings.task is not None:
                    task = stack.enter_context(opened_task(settings.task, render, learn.seed))
                first = time * settings.steps
                trainee = AttributeTrainee(scenery, settings, transformer, real, task, first)
            self.train(_named("attributes", time), trainee)
        return transformer, mover(grammar, transformer.eval())


def _same_things(recipe: Recipe, extract: Extract) -> None:
    """Counting networks of another world would call things by its names."""
    heads = count_heads(recipe.world())
    if isinstance(extract, CountFeatures) and extract.heads.names != heads:
        raise InputError(
            f"learn.features.weights: were trained to count {', '.join(extract.heads.names)}, and "
            f"this world has {', '.join(heads)}; leave them out to train new ones"
        )


def _named(phase: str, time: int) -> str:
    """A stage that comes again has a number: reinforce, reinforce-2, ..."""
    return phase if time == 0 else f"{phase}-{time + 1}"
