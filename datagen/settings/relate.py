"""The [learn.relate] section of a recipe: how RELATE learns objects from pictures alone."""

from typing import Annotated, Literal

from pydantic import Field

from datagen.interfaces import Component

Count = Annotated[int, Field(ge=0, le=64)]


class RelateLearning(Component):
    """RELATE (Ehrhardt et al. 2020); what the paper has for BallsInBowl instead stands beside.

    BlockGAN2D is `interaction = "none"` with `position = 0` and `additive = 0`.
    """

    objects: tuple[Count, Count] = (2, 2)  # in a picture: fewest, most
    category: str | None = None  # of all objects; None: the world's only one
    steps: int = Field(default=3000, ge=1, le=10_000_000)
    # How often it begins, the last time for good: networks whose objects toggling does not find
    # after a third of the steps are given up, and others learn from the first step on.
    attempts: int = Field(default=4, ge=1, le=100)
    batch: int = Field(default=32, ge=2, le=4096)  # pictures a step, and as many made; paper: 64
    learning_rate: float = Field(default=1e-3, gt=0, le=1)  # of both networks, Adam
    momentum: float = Field(default=0.5, ge=0, lt=1)  # Adam's first beta; elsewhere the paper has 0
    updates: int = Field(default=1, ge=1, le=16)  # of the generator, a step
    average: float = Field(default=0.995, ge=0, lt=1)  # share kept, a step, by what is sampled from
    checkpoint_every: int = Field(default=250, ge=1)  # steps
    # How poses depend on each other: each on all others, on the one before (a stack from the base
    # up), or not at all.
    interaction: Literal["general", "ordered", "none"] = "general"
    residual: bool = True  # poses = noise + correction; else the correction alone
    position: float = Field(default=1.0, ge=0)  # weight of the position regressor's error
    # Weight of the mean by which an object changes a picture otherwise when it is alone; 0 where
    # things hide one another. The paper has none.
    additive: float = Field(default=10.0, ge=0)
    # Weight of the squared offset between objects' poses and what they change, the mean of all
    # pictures. The paper has none. With 10 small objects lay where their poses are; large ones were
    # found less often.
    centred: float = Field(default=0.0, ge=0)
    style: float = Field(default=0.0, ge=0)  # weight of the style discriminators; paper: 1
    scale: bool = False  # each object's window has a size of its own
    pooling: Literal["sum", "max"] = "sum"  # how objects and background become a scene
    distinct: bool = True  # the k-th object of a picture has a learned constant of its own
    background: int = Field(default=3, ge=1, le=1024)  # numbers of z_0
    appearance: int = Field(default=0, ge=0, le=1024)  # numbers of z_k; 0: as its constant is
    spread: float = Field(default=0.8, gt=0, le=1)  # half-width of the poses' noise, of the picture
    # Channels of the scene's tensor; None: 512 / its shorter side. The paper: 256, of 16 x 16.
    channels: int | None = Field(default=None, ge=8, le=1024, multiple_of=4)
    window: float = Field(default=0.5, gt=0, le=1)  # an object's share of the tensor's shorter side
    judge_width: int = Field(default=16, ge=4, le=256)  # discriminator's first channels; paper: 64
