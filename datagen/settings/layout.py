"""The [learn.layout] section of a recipe: how SemGAN learns layouts from label maps."""

from typing import Literal

from pydantic import Field

from datagen.interfaces import Component


class LayoutLearning(Component):
    """SemGAN (Ghelfi et al. 2019); what the paper has instead stands beside a field."""

    steps: int = Field(default=10_000, ge=1, le=10_000_000)  # paper: 50,000
    batch: int = Field(default=32, ge=2, le=4096)  # label maps a step, and as many generated
    # For the first half of the steps; then they fall. A generator that is not faster lags: with
    # equal ones (the paper's: 1e-4, 2e-4) shapes after as many steps were worse.
    generator_learning_rate: float = Field(default=4e-3, gt=0, le=1)
    discriminator_learning_rate: float = Field(default=4e-4, gt=0, le=1)
    width: int = Field(default=16, ge=4, le=512)  # channels at full size; up to 8 times as many
    # Sides of the convolutions' windows, px. Even ones give each pixel of an upsampled map equally
    # many summands: no checkerboard. Paper: 7 and 11.
    kernel: int = Field(default=4, ge=3, le=15)
    latent: int = Field(default=100, ge=1, le=4096)  # numbers of z; paper: 100, 128
    matching: float = Field(default=1.0, ge=0)  # weight of feature matching, the paper's only loss
    adversarial: float = Field(default=1.0, ge=0)  # weight of the discriminator's own opinion
    # Weight of R1 and of R2: the squared change of the discriminator's logit for one pixel's change
    # of class, at real maps and at generated ones.
    penalty: float = Field(default=0.5, ge=0)
    penalty_every: int = Field(default=8, ge=1)  # steps
    average: float = Field(default=0.999, ge=0, lt=1)  # share kept, a step, by what is sampled from
    # By how many nats the class of a pixel of a label map is ahead of every other class, before the
    # noise that maps of either kind are shown with. Paper: without noise, and so without end.
    sharpness: float = Field(default=8.0, gt=0, le=50)
    checkpoint_every: int = Field(default=250, ge=1)  # steps
    precision: Literal["float32", "bfloat16"] = "bfloat16"  # of the networks' multiplications
