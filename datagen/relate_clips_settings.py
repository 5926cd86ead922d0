"""The [learn.relate_clips] section of a recipe: how RELATE learns from clips how objects move."""

from pydantic import Field

from datagen.interfaces import Component


class RelateClipsLearning(Component):
    """What comes after single frames, which are learned as [learn.relate] says."""

    steps: int = Field(default=1500, ge=1, le=10_000_000)
    batch: int = Field(default=16, ge=2, le=4096)  # clips a step, and as many made; paper: 32
    learning_rate: float = Field(default=1e-3, gt=0, le=1)  # of both networks, Adam; paper: 1e-4
    frames: int = Field(default=4, ge=2, le=64)  # that the judge of clips sees at once
    # Frames from the first pose on, of which the judge sees any `frames`; paper: 20.
    rollout: int = Field(default=8, ge=2, le=256)
