"""The [learn.relate_clips] section of a recipe: how RELATE learns from clips how objects move."""

from pydantic import Field

from datagen.interfaces import Component


class RelateClipsLearning(Component):
    """What comes after single frames, which are learned as [learn.relate] says."""

    finder_steps: int = Field(default=1000, ge=1, le=10_000_000)
    finder_rate: float = Field(default=2e-3, gt=0, le=1)  # learning rate, Adam
    steps: int = Field(default=1500, ge=1, le=10_000_000)  # of the motion
    batch: int = Field(default=128, ge=2, le=65_536)  # clips a step, and as many made; paper: 32
    learning_rate: float = Field(default=1e-3, gt=0, le=1)  # of motion and judge; paper: 1e-4
    judged: float = Field(default=1.0, ge=0)  # weight of the judge, beside going on as clips do
    frames: int = Field(default=8, ge=5, le=64)  # that the judge of clips sees at once
    # Frames from the first pose on, of which the judge sees any `frames`; paper: 20.
    rollout: int = Field(default=12, ge=5, le=256)
