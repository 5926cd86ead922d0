"""What is learned from label maps, one after the other, each with its own checkpoints."""

from pathlib import Path

from datagen.learning.appearance.gate import GateTrainee
from datagen.learning.appearance.training import AppearanceTrainee
from datagen.learning.appearance.weights import save_appearance_model
from datagen.learning.device import found_device
from datagen.learning.layout.training import LayoutTrainee
from datagen.learning.layout.weights import save_layout_model
from datagen.learning.loop import train
from datagen.learning.parts.material import Progress
from datagen.learning.run import RunFolder
from datagen.reading.maps import LabelMaps
from datagen.recipe import Recipe
from datagen.taught import Section


def train_parts(
    recipe: Recipe, maps: LabelMaps, run: RunFolder, progress: Progress
) -> dict[Section, Path]:
    """The files of what the recipe's parts have learned."""
    asked = recipe.untaught().values()
    weights: dict[Section, Path] = {}
    if "layout" in asked:
        weights["layout"] = run.path / "layout.safetensors"
        _train_layout(recipe, maps, run, weights["layout"], progress)
    if "appearance" in asked:
        weights["appearance"] = run.path / "appearance.safetensors"
        _train_appearance(recipe, maps, run, weights["appearance"], progress)
    return weights


def _train_layout(
    recipe: Recipe, maps: LabelMaps, run: RunFolder, file: Path, progress: Progress
) -> None:
    settings = recipe.learn.layout
    trainee = LayoutTrainee(maps, settings, recipe.learn.seed, device=found_device())
    every = settings.checkpoint_every
    train(run, "layout", trainee, checkpoint_every=every, progress=progress)
    save_layout_model(file, trainee, recipe.world())


def _train_appearance(
    recipe: Recipe, maps: LabelMaps, run: RunFolder, file: Path, progress: Progress
) -> None:
    learn = recipe.learn
    settings, seed, every = learn.appearance, learn.seed, learn.checkpoint_every
    gate = None
    if settings.gate_steps:
        gate = GateTrainee(maps, settings, seed, found_device())
        train(run, "gate", gate, checkpoint_every=every, progress=progress)
    trainee = AppearanceTrainee(maps, settings, seed, found_device())
    train(run, "appearance", trainee, checkpoint_every=every, progress=progress)
    save_appearance_model(file, trainee, gate, recipe.world())
