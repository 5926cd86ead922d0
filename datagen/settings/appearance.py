"""The [learn.appearance] section of a recipe: conditional IMLE, with measured defaults."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from datagen.interfaces import Component
from datagen.parts import Source


class AppearanceLearning(Component):
    """How pictures of layouts are learned from pairs of a label map and a photo (Li et al., 2019).

    First a regression without noise; then outer epochs: `layouts` pairs, for each of them `draws`
    fresh noises, of which the one with the picture nearest to the photo is kept; and `steps` steps
    on what was kept.
    """

    # Of VGG-19 or SqueezeNet; None: SqueezeNet's in torchvision's cache.
    weights: Source | None = None
    # Of the generator's modules from the finest on; the last number serves all that are coarser.
    channels: tuple[Annotated[int, Field(ge=4, le=2048)], ...] = Field(
        default=(16, 24, 32), min_length=1, max_length=10
    )
    coarsest: int = Field(default=3, ge=2, le=64)  # px: no module's shorter side is below
    style: int = Field(default=6, ge=0, le=256)  # channels of noise, constant over a picture
    # Channels of noise with each pixel its own, which nobody chooses: drawn anew at each look.
    grain: int = Field(default=0, ge=0, le=256)
    # Channels of the encoder that mixes noise with the layout; the paper has 100. 0, or none, which
    # runs hold from before it was the default: no encoder.
    encoder: int | None = Field(default=32, ge=0, le=512)
    pixel_weight: float = Field(default=2.0, ge=0)  # of the pixels' term; each map's is 1
    # Weight of how much pixels, and each map, vary within cells of a few pixels: that of a detail
    # which no layout tells, and which plain L1 would leave out or draw as speckle. 0: none.
    texture: float = Field(default=1.0, ge=0)
    pretraining: int = Field(default=1000, ge=0, le=1_000_000)  # steps of regression, noise 0
    # Noise's first weights after it: times the RMS of all others. Much more than 1 drowns what
    # the regression has learned of exact places.
    boost: float = Field(default=1.0, ge=0)
    grain_boost: float = Field(default=0.5, ge=0)
    epochs: int = Field(default=16, ge=1, le=100_000)  # outer ones
    layouts: int = Field(default=128, ge=1, le=100_000)  # pairs of an outer epoch
    draws: int = Field(default=8, ge=1, le=1024)  # candidates of a pair
    steps: int = Field(default=80, ge=1, le=1_000_000)  # of an outer epoch
    batch: int = Field(default=8, ge=1, le=1024)  # pairs of a step
    learning_rate: float = Field(default=2e-3, gt=0, le=1)  # flat for 60 %, then falls to 5 %
    # Rare appearances are looked at more often, and pixels of rare ones count more in the distance.
    # What is drawn is then put right by `bank`.
    rebalancing: bool = True
    balanced: int = Field(default=5, ge=1, le=255)  # largest classes that share an outer epoch
    rarity_clip: float = Field(default=20.0, ge=1)  # times the median rarity of a class
    mask: bool = False  # weigh pixels by rarity, as the paper does
    # Styles to draw from: the codes that photos have chosen among `bank_draws` after learning, each
    # photo once and none more often. 0: styles are drawn as in learning, bent by rebalancing.
    bank: int = Field(default=500, ge=0, le=1_000_000)  # photos, at most
    bank_draws: int = Field(default=24, ge=1, le=1024)
    # Classes of the world of which the pairs show nothing -> the class that they shall look like.
    like: dict[str, str] = Field(default_factory=dict)
    cache: int = Field(default=512, ge=1, le=1 << 20)  # MiB of pairs held in memory
    precision: Literal["float32", "bfloat16"] = "bfloat16"  # of multiplications
    gate_steps: int = Field(default=400, ge=0, le=1_000_000)  # of the segmenter; 0: no gate
    gate_width: int = Field(default=16, ge=4, le=512)  # channels of the segmenter's finest maps
    gate_learning_rate: float = Field(default=3e-3, gt=0, le=1)

    @model_validator(mode="after")
    def _choosing(self) -> Self:
        if not self.style and self.draws > 1:
            raise ValueError(
                "with style = 0 all draws of a layout are alike, and none can be chosen; set style "
                "above 0, or draws = 1"
            )
        return self
