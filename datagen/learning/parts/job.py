"""`datagen learn` of a recipe whose parts learn: what is common to label maps and photos."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen import __version__, taught
from datagen.dataset.targets import write_rejected
from datagen.learning.maps.material import MapsMaterial
from datagen.learning.parts.material import Material, Progress
from datagen.learning.parts.publishing import publish
from datagen.learning.photos.material import PhotosMaterial
from datagen.learning.run import keep_apart, opened_run
from datagen.learning.spec import Spec
from datagen.learning.statements import Statement
from datagen.recipe import Recipe
from datagen.threads import one_thread


@dataclass(frozen=True)
class PartsReport:
    """What a run of `learn` that taught parts of a recipe came to."""

    run: Path
    targets: int  # label maps or photos used
    rejected: int  # files that could not be used
    statements: tuple[Statement, ...]
    makes_images: bool  # false: `generate` would refuse it, and the statements say why

    def to_json(self) -> dict[str, Any]:
        head = {"run": str(self.run), "targets": self.targets, "rejected": self.rejected}
        said = {"statements": [one.to_json() for one in self.statements]}
        return head | said | {"makes_images": self.makes_images}


@dataclass(frozen=True)
class Looked:
    """What there is to learn from."""

    material: Material
    spec: Spec


def learn_parts(
    recipe: Recipe, target: Path, out: Path, *, resume: bool, progress: Progress
) -> PartsReport:
    """Teach the recipe's parts that have no weights; what else it says stays as it is.

    Killed at any moment, the run goes on from its last checkpoint with `resume`.
    """
    given = looked_at(recipe, target, out)
    material = given.material
    with opened_run(out, spec=given.spec, resume=resume) as run, one_thread():
        write_rejected(out / "rejected.jsonl", material.rejected)
        weights = material.teach(run, progress)
        said, usable = publish(recipe, material, out, weights)
    return PartsReport(out, len(material), len(material.rejected), tuple(said), usable)


def looked_at(recipe: Recipe, target: Path, out: Path) -> Looked:
    """Everything that can be refused is, before anything is written."""
    recipe.check_sources()
    given = taught.taken_from(recipe.parts)
    keep_apart(target, out)
    material: Material
    if given == "photos":
        material = PhotosMaterial.read(recipe, target)
    else:
        material = MapsMaterial.read(recipe, target)
    return Looked(material, Spec(recipe, material.digest, __version__))
