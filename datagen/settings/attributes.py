"""The [learn.attributes] section of a recipe: how attributes are learned."""

from typing import Annotated, Literal

from pydantic import Field

from datagen.interfaces import Component
from datagen.parts import Part


class Moments(Component):
    """Whole laws by simulated moments; see learning.attributes.moments."""

    rounds: int = Field(default=6, ge=1, le=10_000)
    scenes: int = Field(default=512, ge=32, le=1_000_000)  # a round, each drawn three times
    window: int = Field(default=6, ge=1, le=100)  # newest rounds that the model is fitted to
    # Std by which a scene's laws are perturbed: logits of the place in a range, or radians.
    step: float = Field(default=0.5, gt=0, le=5)
    # Std of a law about the prior's, where pictures do not say: of its shift, of its spread.
    held: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (1.0, 0.5)


class AttributeLearning(Component):
    """Meta-Sim's distribution transformer against MMD (Kar et al., section 3.3), or whole laws."""

    # "transformer": what each attribute should be, given its scene. "moments": a shift and a spread
    # of each law alone, from far fewer pictures where a scene has many attributes.
    method: Literal["transformer", "moments"] = "transformer"
    moments: Moments = Moments()
    features: Part = Part(use="cells")
    steps: int = Field(default=300, ge=0, le=1_000_000)
    batch: int = Field(default=64, ge=2, le=65_536)  # generated scenes a step
    targets: int = Field(default=256, ge=2, le=1_000_000)  # target pictures a step, at most
    learning_rate: float = Field(default=1e-2, gt=0, le=1)
    hidden: int = Field(default=32, ge=4, le=4096)  # features of a node inside the network
    # How the effect of an attribute on the pictures is found: by rendering each scene with the
    # attribute a little lower and higher, or by random perturbations of all attributes at once.
    gradient: Literal["differences", "score"] = "differences"
    nudge: float = Field(default=0.03, gt=0, le=0.5)  # of "differences", share of a range
    nudge_angle: float = Field(default=3.0, gt=0, le=90)  # the same for angles, degrees
    most: int = Field(default=4, ge=1, le=10_000)  # attributes of a scene that are nudged a step
    noise: float = Field(default=0.005, gt=0, le=0.5)  # std of "score"'s, share of a range
    leaps: int = Field(default=6, ge=0, le=1000)  # times that each law is tried in other places
    # Kernel variances as multiples of the median squared distance of generated to target features.
    bandwidths: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(0.1, 0.3, 1.0, 3.0), min_length=1
    )
    # What judges a batch of frames: see learning.attributes.tasks.
    task: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        examples=["package.module:Class"],
    )
    task_weight: float = Field(default=1.0, ge=0)  # of the reward beside MMD^2
