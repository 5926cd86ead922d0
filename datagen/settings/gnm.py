"""The [learn.gnm] section of a recipe: how GNM learns objects and their layout from pictures."""

from typing import Literal, Self

from pydantic import Field, model_validator

from datagen.interfaces import Component


class GnmLearning(Component):
    """GNM (Jiang and Ahn 2020); what the paper has instead stands beside a field.

    Spans are shares of `steps`, so that a longer run is the same run, only slower.
    """

    steps: int = Field(default=15_000, ge=1, le=10_000_000)  # paper: about 1.1 million
    batch: int = Field(default=32, ge=2, le=4096)  # pictures a step
    learning_rate: float = Field(default=1e-3, gt=0, le=1)  # of Adam; paper: 1e-4, of RMSprop
    checkpoint_every: int = Field(default=500, ge=1)  # steps
    category: str | None = None  # of all objects; None: the world's only one

    # What an object may be. There is at most one for each cell of the grid.
    cell: Literal[8, 16, 32, 64] = 16  # px; the canvas is a multiple of it
    size: float = Field(default=0.25, gt=0, lt=1)  # expected side, of the picture's shorter one
    # How far from that, as the standard deviation of the side's logit. Boxes have the size that is
    # expected here: a wrong one with a narrow spread finds objects, but no good boxes.
    size_spread: float = Field(default=0.1, gt=0, le=10)
    alpha: bool = False  # objects hide each other and what is behind; else their light adds up
    background: int = Field(default=0, ge=0, le=1024)  # numbers of z_b; 0: black. Paper: 10
    noise: float = Field(default=0.2, gt=0, le=10)  # sigma of a pixel, of 0..1

    # Networks.
    width: int = Field(default=16, ge=4, le=512)  # first channels of the encoder, last 4 times it
    what: int = Field(default=16, ge=1, le=1024)  # numbers of an object's appearance; paper: 20, 64
    glimpse: Literal[8, 16, 32, 64] = 16  # px: an object is drawn as a square of this side
    drawing: int = Field(default=4, ge=1, le=64)  # steps of StructDRAW
    latent: int = Field(default=32, ge=1, le=1024)  # numbers of z_g in each of them
    hidden: int = Field(default=256, ge=8, le=8192)  # of StructDRAW's perceptrons; paper: 512
    precision: Literal["float32", "bfloat16"] = "bfloat16"  # of encoder and decoder

    # The curriculum. The KL of z_g is weighed from 0 to 1 over `ramp`, at the end with `beta`.
    ramp: float = Field(default=0.33, ge=0, le=1)
    # Where it reaches 1 before the layout knows what the objects are, this hardly comes any more.
    # Then the ramp begins again: where the layout carries nothing, or spares less than 1 - `stuck`
    # of the nats of an object's appearance, once these are more than `sharp`. A stuck of 1: never.
    stuck: float = Field(default=0.8, gt=0, le=1)
    sharp: float = Field(default=7.5, ge=0)  # nats of an object
    again: float = Field(default=0.2, gt=0, le=1)  # span of such a ramp
    last: float = Field(default=0.4, ge=0, le=1)  # span of the end, where `beta` holds
    beta: float = Field(default=2.0, ge=0)  # paper: 1, and 2 for its best scenes
    opening: float = Field(default=0.067, ge=0, le=1)  # span in which presence becomes rare
    cooling: float = Field(default=0.2, ge=0, le=1)  # span in which presence becomes yes or no
    # Span of the lessons where there is a background: it is learned first and held back, lest it
    # paint all; then objects are put where pictures are worst. Some 1,000 steps at least.
    lessons: float = Field(default=0.15, ge=0, le=1)

    @model_validator(mode="after")
    def _covering(self) -> Self:
        if self.background and not self.alpha:
            raise ValueError("a background needs alpha = true: objects have to hide it")
        return self
