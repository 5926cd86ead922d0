"""What makes pictures from what photos have taught it, with its own checkpoints."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen.grammar import Grammar
from datagen.learning.device import found_device
from datagen.learning.gnm.training import GnmTrainee
from datagen.learning.gnm.weights import save_gnm_model
from datagen.learning.loop import train
from datagen.learning.parts.material import Progress
from datagen.learning.photos.category import category_of
from datagen.learning.relate.training import RelateTrainee
from datagen.learning.relate.weights import save_relate_model
from datagen.learning.relate_clips.training import RelateClipsTrainee
from datagen.learning.relate_clips.weights import save_relate_clips_model
from datagen.learning.run import RunFolder
from datagen.recipe import Recipe
from datagen.taught import Section


@dataclass(frozen=True)
class _Method:
    """How a section learns: a trainee, and how what it has learned is kept."""

    trainee: type[Any]
    save: Callable[[Path, Any, Grammar], None]
    settings: Section  # of its category and checkpoints


_METHODS: Mapping[Section, _Method] = {
    "relate": _Method(RelateTrainee, save_relate_model, "relate"),
    "relate_clips": _Method(RelateClipsTrainee, save_relate_clips_model, "relate"),
    "gnm": _Method(GnmTrainee, save_gnm_model, "gnm"),
}


class Lesson:
    """A generator that is to learn from `pictures`, uint8 [N, H, W, 3].

    `windows`, int [M, T], are runs of them that follow one another, where it learns from clips.

    What it cannot learn from is refused when this is made.
    """

    def __init__(
        self,
        recipe: Recipe,
        section: Section,
        pictures: np.ndarray,
        windows: np.ndarray | None = None,
    ) -> None:
        self.recipe = recipe
        self.section: Section = section
        method = _METHODS[section]
        self.settings = getattr(recipe.learn, method.settings)
        category_of(self.settings.category, recipe.world(), method.settings)
        given = (pictures,) if windows is None else (pictures, windows, recipe.learn.relate_clips)
        self.trainee = method.trainee(*given, self.settings, recipe.learn.seed, found_device())
        self._save = method.save

    def teach(self, run: RunFolder, progress: Progress) -> Path:
        """The file of what it has learned."""
        every = self.settings.checkpoint_every
        train(run, self.section, self.trainee, checkpoint_every=every, progress=progress)
        file = run.path / f"{self.section}.safetensors"
        self._save(file, self.trainee, self.recipe.world())
        return file
