"""The stages of a run of `learn`, one after the other, each with its own checkpoints."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from datagen.dataset.targets import Targets
from datagen.features.counts import save_counts
from datagen.features.embedding import save_embedding
from datagen.learn_settings import TRAINED
from datagen.learning.counting import CountingTrainee, count_heads_of, counting_net
from datagen.learning.embedding import EmbeddingTrainee, embedding_net, embedding_of
from datagen.learning.extraction import FILE, Extract, extractor, scaling, views_of
from datagen.learning.loop import Tick, Trainee, train
from datagen.learning.measuring import Measure, opened_measure
from datagen.learning.painting import Paint, opened_painter
from datagen.learning.run import RunFolder
from datagen.learning.strings import enough_steps, prior_strings
from datagen.learning.structure import Pretrainee, Reinforcee
from datagen.learning.weights import new_model
from datagen.models.metasim2 import StructureModel
from datagen.recipe import Recipe
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
    model: StructureModel
    extract: Extract
    paint: Paint
    measure: Measure  # on the scale of `real`
    real: np.ndarray  # float32 [N, D], features of the target pictures


@contextmanager
def run_stages(
    recipe: Recipe, run: RunFolder, targets: Targets, progress: Progress
) -> Iterator[Learned]:
    """Pre-training, features, structure."""
    with ExitStack() as stack:
        stack.enter_context(one_thread())
        paint = stack.enter_context(opened_painter(recipe))
        stages = _Stages(recipe, run, progress)
        model = stages.pretrained()
        stages.train_features()
        extract = stack.enter_context(extractor(recipe, run.path).open())
        raw = stack.enter_context(opened_measure(run.path, paint, extract, recipe.learn.helpers))
        measure, real = stages.scaled(raw, extract(targets.images))
        trainee = Reinforcee(recipe, model, measure, real, views_of(extract, real.shape[1]))
        stages.train("reinforce", trainee)
        yield Learned(recipe, run, targets, model, extract, paint, measure, real)


@dataclass(frozen=True)
class _Stages:
    recipe: Recipe
    run: RunFolder
    progress: Progress

    def train(self, phase: str, trainee: Trainee) -> None:
        every = self.recipe.learn.checkpoint_every
        train(self.run, phase, trainee, checkpoint_every=every, progress=self.progress)

    def pretrained(self) -> StructureModel:
        learn, grammar = self.recipe.learn, self.recipe.world()
        steps = learn.max_steps or enough_steps(grammar, learn.seed)
        model = new_model(grammar, learn, steps)
        self.train("pretrain", Pretrainee(self.recipe, model))
        return model

    def train_features(self) -> None:
        """Trains the features that need it, and leaves them in the run folder."""
        features, file = self.recipe.learn.features, self.run.path / FILE
        if features.weights is not None or features.use not in TRAINED:
            return
        if features.use == "counts":
            heads = count_heads_of(self.recipe)
            net = counting_net(self.recipe, heads)
            self.train("features", CountingTrainee(self.recipe, net))
            save_counts(file, heads, net)
        else:
            taught = embedding_of(self.recipe)
            embedding = embedding_net(self.recipe, taught)
            self.train("features", EmbeddingTrainee(self.recipe, embedding))
            save_embedding(file, taught, embedding)

    def scaled(self, measure: Measure, real: np.ndarray) -> tuple[Measure, np.ndarray]:
        """Features without a unit of their own are put on the target's scale."""
        learn = self.recipe.learn
        if not extractor(self.recipe, self.run.path).standardise:
            return measure, real
        strings = prior_strings(self.recipe.world(), learn.seed, 0, _SCALED)
        scale = scaling(measure(strings, _OWN), real, learn.features.components)
        return lambda derivations, first: scale(measure(derivations, first)), scale(real)
